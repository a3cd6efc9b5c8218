/** The `Range` header of HTTP: one range of bytes. @see RFC 9110, section 14. @module */
import { AshlarError } from './errors.ts'

export interface ByteRange {
  readonly start: number
  /** Exclusive. */
  readonly end: number
}

/**
 * @returns undefined: send everything (no header, several ranges, or a form that a server may ignore)
 * @throws {AshlarError} `range-not-satisfiable`
 */
export function parseRange(header: string | undefined, length: number): ByteRange | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '')
  if (match === null) return undefined
  const [, first = '', last = ''] = match
  if (first === '' && last === '') return undefined
  if (first === '') {
    const suffix = Number(last)
    if (suffix === 0 || length === 0) throw notSatisfiable(header, length)
    return { start: Math.max(0, length - suffix), end: length }
  }
  const start = Number(first)
  if (last !== '' && Number(last) < start) return undefined
  if (start >= length) throw notSatisfiable(header, length)
  return { start, end: last === '' ? length : Math.min(Number(last) + 1, length) }
}

function notSatisfiable(header: string | undefined, length: number): AshlarError {
  return new AshlarError('range-not-satisfiable', `Cannot read ${header}: there are ${length} bytes`, {
    details: { length },
  })
}

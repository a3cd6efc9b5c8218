/**
 * Conditional requests. The entity tag of a file is its version in quotes: strong, and different after every change.
 * @see RFC 9110, section 13
 * @module
 */
import type { IncomingMessage } from 'node:http'
import { AshlarError } from '../../base/errors.ts'

export function entityTag(version: number): string {
  return `"${version}"`
}

export interface WriteCondition {
  readonly ifAbsent?: true
  readonly ifVersion?: number
}

/**
 * `If-None-Match: *` and `If-Match: "version"` of a PUT or DELETE.
 * @throws {AshlarError} `invalid-argument` — any other form: it cannot be held to, so it is not ignored
 */
export function writeCondition({ headers }: IncomingMessage): WriteCondition {
  const none = headers['if-none-match']
  const match = headers['if-match']
  if (none === undefined && match === undefined) return {}
  if (none === '*' && match === undefined) return { ifAbsent: true }
  const version = /^"(\d{1,16})"$/.exec(match ?? '')?.[1]
  if (version !== undefined && none === undefined) return { ifVersion: Number(version) }
  throw new AshlarError(
    'invalid-argument',
    'Cannot write under this condition: use either If-None-Match: * or If-Match with one entity tag',
  )
}

/** What a GET or HEAD under its conditions answers: the file, 304, or 412. Dates are not looked at: tags are exact. */
export function readOutcome({ headers }: IncomingMessage, version: number): 'send' | 'not-modified' | 'failed' {
  const { 'if-match': match, 'if-none-match': none } = headers
  if (match !== undefined && !listsTag(match, entityTag(version))) return 'failed'
  // Compared weakly: `W/"7"` is the same content as `"7"`.
  if (none !== undefined && listsTag(none.replaceAll('W/', ''), entityTag(version))) return 'not-modified'
  return 'send'
}

/** Whether `Range` holds: under `If-Range` only for the version that it names. */
export function rangeApplies({ headers }: IncomingMessage, version: number): boolean {
  const condition = headers['if-range']
  return condition === undefined || condition === entityTag(version)
}

function listsTag(header: string, wanted: string): boolean {
  const tags = header.split(',').map((tag) => tag.trim())
  return tags.includes('*') || tags.includes(wanted)
}

/**
 * Sizes, durations and counts as people write them: `8MiB`, `1.5G`, `50`, `500ms`, `7d`, `1 chunk`.
 * K, M, G, T are binary, with or without `iB` or `B`; a bare number is bytes.
 * @module
 */
import { AshlarError } from './errors.ts'

const sizeUnits: Readonly<Record<string, number>> = {
  '': 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
  p: 2 ** 50,
}
const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** @throws {AshlarError} `invalid-argument` — not a size, or past 2^53 bytes */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(?:([kmgtp])(?:i?b)?|b)?$/i.exec(text.trim())
  const bytes =
    match === null ? Number.NaN : Number(match[1]) * (sizeUnits[(match[2] ?? '').toLowerCase()] ?? Number.NaN)
  if (!Number.isSafeInteger(Math.round(bytes))) {
    throw new AshlarError(
      'invalid-argument',
      `Cannot read size "${text}": write bytes, or a number with K, M, G or T, as in 64MiB`,
    )
  }
  return Math.round(bytes)
}

/** @throws {AshlarError} `invalid-argument` — not a duration */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/i.exec(text.trim())
  const durationMs =
    match === null ? Number.NaN : Number(match[1]) * (durationUnits[(match[2] ?? '').toLowerCase()] ?? Number.NaN)
  if (!Number.isSafeInteger(Math.round(durationMs))) {
    throw new AshlarError(
      'invalid-argument',
      `Cannot read duration "${text}": write a number with ms, s, m, h or d, as in 30s`,
    )
  }
  return Math.round(durationMs)
}

/** `1234567` → `1.2 MiB`; and the unit that rounding leads to. */
export function formatSize(sizeBytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  let value = sizeBytes
  let unit = 0
  while (Math.round(value) >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  if (unit === 0) return `${value} B`
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`
}

/** `8388608` → `8MiB`: in the largest unit that loses nothing. {@link parseSize} reads the same number back. */
export function formatExactSize(sizeBytes: number): string {
  for (const unit of ['p', 't', 'g', 'm', 'k']) {
    const unitBytes = sizeUnits[unit] as number
    if (sizeBytes >= unitBytes && sizeBytes % unitBytes === 0) return `${sizeBytes / unitBytes}${unit.toUpperCase()}iB`
  }
  return `${sizeBytes}B`
}

/** `1 chunk`, `1,200 chunks`. */
export function formatCount(number: number, noun: string, plural = `${noun}s`): string {
  return `${number < 1000 ? number : number.toLocaleString('en-US')} ${number === 1 ? noun : plural}`
}

/** `90061000` → `1d 1h`; two units at most. */
export function formatDuration(durationMs: number): string {
  if (Math.round(durationMs) < 1000) return `${Math.round(durationMs)}ms`
  const parts: string[] = []
  let rest = Math.round(durationMs / 1000)
  for (const [unit, seconds] of [
    ['d', 86_400],
    ['h', 3600],
    ['m', 60],
    ['s', 1],
  ] as const) {
    const count = Math.floor(rest / seconds)
    rest -= count * seconds
    if (count > 0 || (unit === 's' && parts.length === 0)) parts.push(`${count}${unit}`)
  }
  return parts.slice(0, 2).join(' ')
}

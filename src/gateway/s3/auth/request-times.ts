/** Dates of requests, and how far they may be off. @module */
import { S3Error } from '../rules/s3-error.ts'

const skewMs = 15 * 60_000

/** `20130524T000000Z`. Undefined: not of the form. Requests come many in a second: the last one is kept. */
export function parseTimestamp(text: string): number | undefined {
  if (text !== lastText) {
    lastMs = parsedTimestamp(text)
    lastText = text
  }
  return lastMs
}

let lastText = ''
let lastMs: number | undefined

function parsedTimestamp(text: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text)
  if (match === null) return undefined
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const timeMs = Date.UTC(year, month - 1, day, hour, minute, second)
  return Number.isNaN(timeMs) ? undefined : timeMs
}

/** Of a `Date` header: clients of version 2 write `+0000` and other forms that HTTP does not know. */
export function parseSignedDate(text: string): number | undefined {
  const timeMs = parseTimestamp(text) ?? (text.length <= 64 ? Date.parse(text) : Number.NaN)
  return Number.isNaN(timeMs) ? undefined : timeMs
}

/** As `x-amz-date`. */
export function formatTimestamp(timeMs: number): string {
  return new Date(timeMs).toISOString().replace(/[-:]|\.\d{3}/g, '')
}

/** @throws {S3Error} `RequestTimeTooSkewed` */
export function checkSkew(timeMs: number, wallMs: number): void {
  if (Math.abs(timeMs - wallMs) <= skewMs) return
  throw new S3Error(
    'RequestTimeTooSkewed',
    'The difference between the request time and the current time is too large.',
    {
      details: { ServerTime: new Date(wallMs).toISOString(), MaxAllowedSkewMilliseconds: String(skewMs) },
    },
  )
}

/**
 * The two ways S3 writes a moment: HTTP dates in headers (whole seconds), ISO 8601 in XML, JSON and a few headers
 * (milliseconds). Strict: what `Date.parse` would guess at is not a date here.
 * @see RFC 9110, section 5.6.7
 * @module
 */

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const imfFixdate = /^\w{3}, (?<day>\d\d) (?<month>\w{3}) (?<year>\d{4}) (?<time>\d\d:\d\d:\d\d) GMT$/
const rfc850 = /^\w{6,9}, (?<day>\d\d)-(?<month>\w{3})-(?<year>\d\d) (?<time>\d\d:\d\d:\d\d) GMT$/
const asctime = /^\w{3} (?<month>\w{3}) (?<day>[ \d]\d) (?<time>\d\d:\d\d:\d\d) (?<year>\d{4})$/
const iso8601 = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d)(?::(\d\d)(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?$/

/** Milliseconds since 1970 of an HTTP date in any of its three forms; undefined when it is none. */
export function parseHttpDate(text: string): number | undefined {
  const fields = (imfFixdate.exec(text) ?? rfc850.exec(text) ?? asctime.exec(text))?.groups
  if (fields === undefined) return undefined
  const { day = '', month = '', year = '', time = '' } = fields
  const monthNumber = months.indexOf(month) + 1
  // Two digits, which only clients from before 2000 send.
  const fullYear = year.length === 2 ? `${Number(year) < 70 ? 20 : 19}${year}` : year
  return parseIsoTime(`${fullYear}-${pad(monthNumber)}-${pad(Number(day))}T${time}Z`)
}

/** @param timeMs milliseconds since 1970; the rest of the second is dropped */
export function formatHttpDate(timeMs: number): string {
  return new Date(timeMs).toUTCString()
}

/** Milliseconds since 1970 of an ISO 8601 date or time (UTC where it names no zone); undefined when it is none. */
export function parseIsoTime(text: string): number | undefined {
  const fields = iso8601.exec(text)
  if (fields === null) return undefined
  const [, date = '', minutes = '00:00', seconds = '00', fraction = '', zone = 'Z'] = fields
  const [hour = '', minute = ''] = minutes.split(':')
  if (Number(hour) > 23 || Number(minute) > 59 || Number(seconds) > 60) return undefined
  const midnightMs = Date.parse(`${date}T00:00:00Z`)
  // A day that the month does not have would otherwise become one of the next month.
  if (Number.isNaN(midnightMs) || new Date(midnightMs).toISOString().slice(0, 10) !== date) return undefined
  const timeMs = ((Number(hour) * 60 + Number(minute)) * 60 + Number(seconds)) * 1000
  return midnightMs + timeMs + Math.floor(Number(`0${fraction}`) * 1000) - zoneMs(zone)
}

/**
 * Keys of a listing were often made within one second, of which the last one is kept: 0.03 µs, where `toISOString` takes 1.2.
 * @param timeMs milliseconds since 1970
 */
export function formatIsoTime(timeMs: number): string {
  if (!Number.isSafeInteger(timeMs) || timeMs < 0) return new Date(timeMs).toISOString()
  const second = Math.floor(timeMs / 1000)
  if (second !== lastSecond) {
    lastSecondText = new Date(second * 1000).toISOString().slice(0, -4)
    lastSecond = second
  }
  return `${lastSecondText}${String(timeMs % 1000).padStart(3, '0')}Z`
}

let lastSecond = -1
/** Up to its `.`. */
let lastSecondText = ''

function zoneMs(zone: string): number {
  if (zone === 'Z') return 0
  const digits = zone.slice(1).replace(':', '')
  const offsetMs = (Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2))) * 60_000
  return zone.startsWith('-') ? -offsetMs : offsetMs
}

function pad(value: number): string {
  return String(value).padStart(2, '0')
}

/**
 * Errors on the wire: code, message, retry, applied and details survive; the cause stays where it happened.
 * @module
 */
import { choice, field, struct, text, uint } from '../base/codec.ts'
import { errorCodeOf, errorTable } from '../base/error-table.ts'
import { AshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'

const wireError = struct('error', 1, {
  number: field(1, uint),
  message: field(2, text(limits.errorMessageBytes)),
  retry: field(3, choice('never', 'later', 'elsewhere', 'if-idempotent')),
  applied: field(4, choice('no', 'unknown')),
  /** A JSON object. */
  details: field(5, text(limits.errorDetailsBytes)),
})

export function encodeError(error: AshlarError): Buffer {
  return wireError.encode({
    number: errorTable[error.code].number,
    message: cutText(error.message, limits.errorMessageBytes),
    retry: error.retry,
    applied: error.applied,
    details: detailsText(error),
  })
}

/** @throws {AshlarError} `protocol` */
export function decodeError(head: Buffer): AshlarError {
  const { number, message, retry, applied, details } = wireError.decode(head)
  return new AshlarError(errorCodeOf(number), message, { retry, applied, details: parseDetails(details) })
}

/** Details are for machines and may be left out: an error that is too long to explain must still arrive. */
function detailsText(error: AshlarError): string {
  let json: string
  try {
    json = JSON.stringify(error.details)
  } catch (cause) {
    return JSON.stringify({ detailsOmitted: `they are not JSON: ${String(cause).slice(0, 200)}` })
  }
  const lengthBytes = Buffer.byteLength(json)
  if (lengthBytes <= limits.errorDetailsBytes) return json
  return JSON.stringify({ detailsOmitted: `${lengthBytes} bytes, where ${limits.errorDetailsBytes} are the limit` })
}

function parseDetails(json: string): Readonly<Record<string, unknown>> {
  let details: unknown
  try {
    details = JSON.parse(json)
  } catch (cause) {
    throw new AshlarError('protocol', 'Cannot read error: its details are not JSON', { cause })
  }
  if (typeof details !== 'object' || details === null || Array.isArray(details)) {
    throw new AshlarError('protocol', 'Cannot read error: its details are not an object')
  }
  return details as Record<string, unknown>
}

/** At most `maxBytes` bytes of UTF-8, cut between characters. A lone surrogate becomes U+FFFD, as everywhere in UTF-8. */
function cutText(value: string, maxBytes: number): string {
  const encoded = Buffer.from(value)
  if (encoded.length <= maxBytes) return encoded.toString()
  let end = maxBytes
  while (end > 0 && ((encoded[end] as number) & 0xc0) === 0x80) end--
  return encoded.toString('utf8', 0, end)
}

/**
 * Object keys: exact strings of 1 to 1,024 bytes of UTF-8, never normalised, ordered by their bytes.
 *
 * `decodeObjectKey` is the only way from a request's target to a key; what it returns is what is authorised and stored.
 * JavaScript orders strings by 16-bit units, which differs from the order of bytes past U+FFFF: compare keys only with
 * `compareKeys`.
 * @module
 */
import { limits } from '../../../base/limits.ts'
import { S3Error } from './s3-error.ts'

/** `ignoreBOM`: keeps a U+FEFF at the start, which is part of the key. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
/** Would lose its upper bits on the way, and so name another key. */
const notByte = /[\u0100-\uffff]/
/** Without a `%`: stands for itself. */
const printableAscii = /^[ -$&-~]*$/
const percentByte = /%([0-9A-Fa-f]{2})?/g

/**
 * The key that a percent-encoded part of a request's target names. `+` is a plus.
 * @param encoded as it came: one character a byte (latin1), as `node:http` gives it
 * @throws {S3Error} `InvalidURI`: a `%` without two hexadecimal digits, or bytes that are not UTF-8
 */
export function decodeObjectKey(encoded: string): string {
  if (printableAscii.test(encoded)) return encoded
  if (notByte.test(encoded)) throw invalidUri(new Error('a character is not a byte'))
  const latin1 = encoded.replace(percentByte, (_, digits: string | undefined) => {
    if (digits === undefined) throw invalidUri(new Error('a % is not followed by two hexadecimal digits'))
    return String.fromCharCode(Number.parseInt(digits, 16))
  })
  try {
    return utf8.decode(Buffer.from(latin1, 'latin1'))
  } catch (cause) {
    throw invalidUri(cause)
  }
}

/**
 * Holds a key to the limits of S3.
 * @throws {S3Error} `KeyTooLongError`; `InvalidArgument` for an empty key, or one that is not Unicode
 */
export function checkObjectKey(key: string): void {
  if (key === '') throw new S3Error('InvalidArgument', 'An object key must have at least one character.')
  if (!key.isWellFormed()) throw new S3Error('InvalidArgument', 'An object key must be Unicode.')
  const sizeBytes = Buffer.byteLength(key)
  if (sizeBytes <= limits.nameBytes) return
  throw new S3Error('KeyTooLongError', 'Your key is too long', {
    details: { Size: String(sizeBytes), MaxSizeAllowed: String(limits.nameBytes) },
  })
}

/** Orders keys by their bytes in UTF-8, as every listing does: below 0, 0 or above 0. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let at = 0; at < length; at++) {
    const unitA = a.charCodeAt(at)
    const unitB = b.charCodeAt(at)
    if (unitA !== unitB) return bytesRank(unitA) - bytesRank(unitB)
  }
  return a.length - b.length
}

/** Surrogates stand for what comes after U+FFFF, but are themselves below U+E000. */
function bytesRank(unit: number): number {
  if (unit < 0xd800) return unit
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}

/** How a name reads in a listing with `encoding-type=url`: all but letters, digits and `-._~/` as `%XX`. */
export function urlEncodeName(name: string): string {
  if (/^[\w.~/-]*$/.test(name)) return name
  return encodeURIComponent(name)
    .replaceAll('%2F', '/')
    .replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`)
}

function invalidUri(cause: unknown): S3Error {
  return new S3Error('InvalidURI', "Couldn't parse the specified URI.", { cause })
}

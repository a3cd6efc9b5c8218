/**
 * Percent-encoding as S3 has it, byte for byte: nothing is normalised, `//` and `..` stay what they are, and what does not
 * decode to UTF-8 is refused, never replaced.
 * @module
 */
import { S3Error } from '../rules/s3-error.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * @param raw as it stood in the request line: each character is one byte
 * @throws {S3Error} `InvalidURI`
 */
export function percentDecode(raw: string): string {
  if (/^[\x20-\x24\x26-\x7e]*$/.test(raw)) return raw
  const bytes = Buffer.alloc(raw.length)
  let length = 0
  for (let at = 0; at < raw.length; at++) {
    let byte = raw.charCodeAt(at)
    if (byte === percent) {
      const digits = raw.slice(at + 1, at + 3)
      if (!/^[0-9A-Fa-f]{2}$/.test(digits)) throw invalid()
      byte = Number.parseInt(digits, 16)
      at += 2
    }
    bytes[length++] = byte
  }
  try {
    return utf8.decode(bytes.subarray(0, length))
  } catch (cause) {
    throw invalid(cause)
  }
}

/** As {@link percentDecode}, with `+` for a space, as in the query. */
export function queryDecode(raw: string): string {
  return percentDecode(raw.includes('+') ? raw.replaceAll('+', ' ') : raw)
}

/** Encodes all but `A-Z a-z 0-9 - . _ ~`: the form that signatures are made over. */
export function percentEncode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

/** As {@link percentEncode}, but for `/`. */
export function percentEncodePath(text: string): string {
  return percentEncode(text).replaceAll('%2F', '/')
}

const percent = 0x25

function invalid(cause?: unknown): S3Error {
  return new S3Error('InvalidURI', "Couldn't parse the specified URI: it is not percent-encoded UTF-8.", { cause })
}

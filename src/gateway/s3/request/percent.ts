/** Percent-encoding of queries and of what signatures cover. Keys are decoded by `rules/object-key.ts`. @module */
import { decodeObjectKey } from '../rules/object-key.ts'

/**
 * A name or value of the query: `+` is a space.
 * @throws {S3Error} `InvalidURI`
 */
export function queryDecode(raw: string): string {
  if (/^[\w.~-]*$/.test(raw)) return raw
  return decodeObjectKey(raw.includes('+') ? raw.replaceAll('+', ' ') : raw)
}

/** Encodes all but `A-Z a-z 0-9 - . _ ~`. */
export function percentEncode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

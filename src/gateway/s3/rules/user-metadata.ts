/**
 * User metadata: the `x-amz-meta-` headers of an object, at most 2 KiB of names and values together.
 *
 * A value is kept as the bytes that came, one character each (latin1, as `node:http` gives and takes headers), so that it
 * goes back exactly as it was sent. Control characters are refused, wherever the value comes from: a form field or an
 * XML element with a line break would otherwise forge a header of the answer.
 * @module
 */

import type { Headers } from './headers.ts'
import { S3Error } from './s3-error.ts'

export const userMetadataPrefix = 'x-amz-meta-'
const maxBytes = 2048
const token = /^[!#$%&'*+.^_`|~0-9a-z-]+$/
/** What RFC 9110 lets a field value hold: no controls but the tab. */
const fieldValue = /^[\t\x20-\x7e\x80-\xff]*$/

/** Names without prefix, in lower case. */
export type UserMetadata = ReadonlyMap<string, string>

/**
 * The user metadata among the headers of a request.
 * @throws {S3Error} `MetadataTooLarge`, `InvalidArgument`
 */
export function userMetadataOf(headers: Headers): UserMetadata {
  const metadata = new Map<string, string>()
  for (const [header, value] of Object.entries(headers)) {
    const name = header.toLowerCase()
    if (!name.startsWith(userMetadataPrefix) || value === undefined) continue
    metadata.set(name.slice(userMetadataPrefix.length), typeof value === 'string' ? value : value.join(','))
  }
  checkUserMetadata(metadata)
  return metadata
}

/** A field of a form as a header has it: the bytes of its UTF-8. */
export function headerText(formValue: string): string {
  return Buffer.from(formValue).toString('latin1')
}

/** @throws {S3Error} `MetadataTooLarge`, `InvalidArgument` */
export function checkUserMetadata(metadata: UserMetadata): void {
  let sizeBytes = 0
  for (const [name, value] of metadata) {
    if (!token.test(name)) throw new S3Error('InvalidArgument', 'A name of user metadata is not an HTTP token.')
    if (!fieldValue.test(value)) {
      throw new S3Error('InvalidArgument', `The metadata ${name} holds a character that a header cannot carry.`)
    }
    sizeBytes += name.length + value.length
  }
  if (sizeBytes <= maxBytes) return
  throw new S3Error('MetadataTooLarge', 'Your metadata headers exceed the maximum allowed metadata size', {
    details: { Size: String(sizeBytes), MaxSizeAllowed: String(maxBytes) },
  })
}

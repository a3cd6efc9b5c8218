/** Headers that travel with an object: taken at a write, given back at a read. @module */
import { contentEncodings } from '../body/payload.ts'
import type { S3Request } from '../request/s3-request.ts'
import { type ChecksumAlgorithm, checksumHeader } from '../rules/checksums/checksum-algorithm.ts'
import { S3Error } from '../rules/s3-error.ts'
import { parseTaggingHeader } from '../rules/tags.ts'
import { formatHttpDate } from '../rules/timestamps.ts'
import { userMetadataOf, userMetadataPrefix } from '../rules/user-metadata.ts'
import { type HeaderFields, lastModifiedMs, type ObjectInfo } from '../store/object-record.ts'
import { quoted } from './answer-parts.ts'

const keptHeaders = [
  'cache-control',
  'content-disposition',
  'content-language',
  'content-type',
  'expires',
  'x-amz-website-redirect-location',
] as const

const overrides = {
  'response-cache-control': 'cache-control',
  'response-content-disposition': 'content-disposition',
  'response-content-encoding': 'content-encoding',
  'response-content-language': 'content-language',
  'response-content-type': 'content-type',
  'response-expires': 'expires',
} as const

export interface WrittenHeaders {
  readonly headers: HeaderFields
  readonly metadata: HeaderFields
}

/** @throws {S3Error} `InvalidArgument`, `MetadataTooLarge`, `InvalidStorageClass` */
export function writtenHeaders(request: S3Request): WrittenHeaders {
  const headers: Record<string, string> = {}
  for (const name of keptHeaders) {
    const value = request.headers.get(name)
    if (value !== undefined && value !== '') headers[name] = value
  }
  // What the transfer was coded in is gone with the transfer.
  const codings = contentEncodings(request).filter((coding) => coding !== 'aws-chunked')
  if (codings.length > 0) headers['content-encoding'] = codings.join(', ')
  const storageClass = request.headers.get('x-amz-storage-class')
  if (storageClass !== undefined && storageClass !== 'STANDARD') {
    throw new S3Error('InvalidStorageClass', 'The storage class you specified is not valid')
  }
  return { headers, metadata: Object.fromEntries(userMetadataOf(request.headers.record())) }
}

/** @throws {S3Error} `InvalidTag`, `InvalidArgument` */
export function writtenTags({ headers }: S3Request): HeaderFields {
  const header = headers.get('x-amz-tagging')
  return header === undefined ? {} : Object.fromEntries(parseTaggingHeader(header))
}

/** Of a GET or HEAD: what the object has, and what a signed request puts in its place. */
export function answeredHeaders(request: S3Request, info: ObjectInfo): Record<string, string | number> {
  const { record, stats, tags } = info
  const tagCount = Object.keys(tags).length
  const answered: Record<string, string | number> = {
    'accept-ranges': 'bytes',
    'content-type': 'binary/octet-stream',
    'last-modified': formatHttpDate(lastModifiedMs(stats)),
    etag: quoted(record.eTag),
    'x-content-type-options': 'nosniff',
    ...record.headers,
    ...(tagCount > 0 ? { 'x-amz-tagging-count': tagCount } : {}),
  }
  for (const [name, value] of Object.entries(record.metadata)) answered[`${userMetadataPrefix}${name}`] = value
  for (const [parameter, name] of Object.entries(overrides)) {
    const value = request.query.get(parameter)
    if (value !== undefined) answered[name] = overriding(value)
  }
  return answered
}

/** @throws {S3Error} `InvalidArgument`: what would end the header and begin another */
function overriding(value: string): string {
  if (/^[\t\x20-\x7e\x80-\u{10ffff}]*$/u.test(value)) return Buffer.from(value).toString('latin1')
  throw new S3Error('InvalidArgument', 'A response- parameter holds characters that a header cannot have.')
}

/** The checksum, to whoever asked for it. */
export function checksumHeaders(
  checksum: { readonly algorithm: ChecksumAlgorithm; readonly value: string; readonly type?: string } | undefined,
): Record<string, string> {
  if (checksum === undefined) return {}
  const type = checksum.type === undefined ? {} : { 'x-amz-checksum-type': checksum.type }
  return { [checksumHeader(checksum.algorithm)]: checksum.value, ...type }
}

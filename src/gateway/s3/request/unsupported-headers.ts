/**
 * Headers that ask for something which is not here, and would do harm if they were passed over: an object replaced where bytes
 * were to be added to it, or kept without the hold that it was sent with. They are `NotImplemented`, as at S3 itself where it lacks them.
 * @module
 */
import { S3Error } from '../rules/s3-error.ts'
import type { S3Request } from './s3-request.ts'

const unsupportedHeaders = [
  // Bytes at a place of an object, in directory buckets.
  'x-amz-write-offset-bytes',
  // Of uploads, in directory buckets.
  'x-amz-if-match-initiated-time',
  'x-amz-object-lock-event-hold',
  'x-amz-object-lock-event-hold-duration-days',
  'x-amz-object-lock-event-hold-duration-years',
] as const

/** @throws {S3Error} `NotImplemented` */
export function checkHeadersAreKnown({ method, headers }: S3Request): void {
  if (method === 'GET' || method === 'HEAD') return
  for (const name of unsupportedHeaders) if (headers.has(name)) throw unsupported(name)
  const namespace = headers.get('x-amz-bucket-namespace')
  if (namespace !== undefined && namespace !== 'global') throw unsupported('x-amz-bucket-namespace')
}

function unsupported(name: string): S3Error {
  return new S3Error('NotImplemented', 'A header you provided implies functionality that is not implemented', {
    details: { Header: name },
  })
}

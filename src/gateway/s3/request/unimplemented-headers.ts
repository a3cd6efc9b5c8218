/**
 * Headers that promise something the door does not keep yet: locks. They are refused, never ignored: an object that its owner
 * believes locked must be.
 * @module
 */
import { S3Error } from '../rules/s3-error.ts'
import type { RequestHeaders } from './request-headers.ts'

const prefixes = ['x-amz-object-lock-']

/** @throws {S3Error} `NotImplemented` */
export function refuseUnimplementedHeaders(headers: RequestHeaders): void {
  for (const name of headers.names()) {
    const isLock = name === 'x-amz-bucket-object-lock-enabled' && headers.get(name)?.toLowerCase() !== 'false'
    if (!isLock && !prefixes.some((prefix) => name.startsWith(prefix))) continue
    throw new S3Error('NotImplemented', 'A header you provided implies functionality that is not implemented', {
      details: { Header: name },
    })
  }
}

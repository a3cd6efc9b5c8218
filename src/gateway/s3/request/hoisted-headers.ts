/**
 * Headers of S3 that stand in the query of a signed URL, where the AWS SDK for JavaScript puts them: who made the URL asked for
 * them, and its signature covers them, so they count as if they had been sent. A header that was sent goes before.
 *
 * Invariant: only of URLs that version 4 signed. Version 2 signs no such parameter, and nobody answers for an unsigned one.
 * @module
 */
import type { Authenticated } from '../auth/authenticate.ts'
import { isChecksumHeader } from '../rules/checksums/requested-checksum.ts'
import { invalidArgument } from '../rules/s3-error.ts'
import type { S3Request } from './s3-request.ts'

/** Of the signature, and of how a body is sent: the URL was made before there was a body. */
const notHoisted =
  /^x-amz-(?:algorithm|credential|date|expires|signedheaders|signature|security-token|content-sha256|decoded-content-length|trailer|sdk-checksum-algorithm)$/

/** @throws {S3Error} `InvalidArgument`: what no header can hold */
export function withHoistedHeaders(
  request: S3Request,
  { authType, signatureVersion }: Pick<Authenticated, 'authType' | 'signatureVersion'>,
): S3Request {
  if (authType !== 'REST-QUERY-STRING' || signatureVersion !== 'AWS4-HMAC-SHA256') return request
  const hoisted = request.query.pairs.flatMap(([written, value]): [string, string][] => {
    const name = written.toLowerCase()
    if (!name.startsWith('x-amz-') || notHoisted.test(name) || isChecksumHeader(name)) return []
    if (/^[\t\x20-\x7e\x80-\u{10ffff}]*$/u.test(value)) return [[name, Buffer.from(value).toString('latin1').trim()]]
    throw invalidArgument('A parameter holds characters that a header cannot have.', {
      name,
      value: encodeURIComponent(value.toWellFormed()).slice(0, 64),
    })
  })
  return hoisted.length === 0 ? request : { ...request, headers: request.headers.completedBy(hoisted) }
}

/**
 * AWS Signature Version 2: older clients, and boto3's presigned URLs in the first regions. It covers method, resource, date
 * and the `x-amz-` headers; not the host, other headers or the body.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html
 * @module
 */
import { createHmac } from 'node:crypto'
import type { S3Request } from '../request/s3-request.ts'
import { isSameSignature } from './signature-v4.ts'

/** Parameters that are part of the resource. */
const signedParameters = new Set(
  (
    'accelerate acl analytics attributes cors defaultObjectAcl delete encryption inventory legal-hold lifecycle location ' +
    'logging metrics notification object-lock partNumber policy policyStatus publicAccessBlock replication requestPayment ' +
    'response-cache-control response-content-disposition response-content-encoding response-content-language ' +
    'response-content-type response-expires restore retention select select-type start-date storageClass tagging torrent ' +
    'uploadId uploads versionId versioning versions website'
  ).split(' '),
)

/** @param date what stands in the place of the date: the `Date` header, empty under `x-amz-date`, or `Expires` of a URL */
export function isSignatureV2(
  given: string,
  request: S3Request,
  signing: { readonly secret: string; readonly date: string },
): boolean {
  if (isSameSignature(given, signatureV2(request, signing))) return true
  // Of a bucket alone, some clients sign the path as it would be in virtual-host style.
  const isBucketAlone = request.key === undefined && request.bucket !== undefined && !request.rawPath.endsWith('/')
  return isBucketAlone && isSameSignature(given, signatureV2({ ...request, rawPath: `${request.rawPath}/` }, signing))
}

function signatureV2(request: S3Request, { secret, date }: { readonly secret: string; readonly date: string }): string {
  const { method, headers } = request
  const text = [
    method,
    headers.get('content-md5') ?? '',
    headers.get('content-type') ?? '',
    date,
    amzHeaders(request) + canonicalResource(request),
  ].join('\n')
  return createHmac('sha1', secret).update(text, 'latin1').digest('base64')
}

function amzHeaders({ headers }: S3Request): string {
  return [...headers.names()]
    .filter((name) => name.startsWith('x-amz-'))
    .sort()
    .map((name) => `${name}:${(headers.get(name) as string).replace(/\s+/g, ' ')}\n`)
    .join('')
}

function canonicalResource({ rawPath, query, hostBucket }: S3Request): string {
  const path = hostBucket === undefined ? rawPath : `/${hostBucket}${rawPath}`
  const parameters = query.pairs
    .filter(([name]) => signedParameters.has(name))
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([name, value]) => (value === '' ? name : `${name}=${Buffer.from(value).toString('latin1')}`))
  return parameters.length === 0 ? path : `${path}?${parameters.join('&')}`
}

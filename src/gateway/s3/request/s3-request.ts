/**
 * A request at the S3 door, taken apart: which bucket and which key it names, in path style
 * (`/bucket/key`) or virtual-host style (`bucket.domain`). Keys are decoded once and never normalised.
 * @module
 */
import { checkObjectKey, decodeObjectKey } from '../rules/object-key.ts'
import { S3Error } from '../rules/s3-error.ts'
import { Query } from './query.ts'
import { RequestHeaders } from './request-headers.ts'

export interface S3Request {
  readonly method: string
  /** Percent-encoded, as sent; what signatures cover. */
  readonly rawPath: string
  readonly query: Query
  readonly headers: RequestHeaders
  readonly bucket: string | undefined
  /** Never empty. */
  readonly key: string | undefined
  /** The bucket, where it stands in the host. */
  readonly hostBucket: string | undefined
  /** `/bucket/key` decoded, for the `Resource` of errors. */
  readonly resource: string
}

export interface RawRequest {
  readonly method: string
  /** Path and query, as in the request line. */
  readonly url: string
  readonly rawHeaders: readonly string[]
}

/**
 * @param domains hosts that carry buckets in front of them, without ports, in lower case
 * @throws {S3Error} `InvalidURI`, `KeyTooLongError`
 */
export function parseS3Request({ method, url, rawHeaders }: RawRequest, domains: readonly string[]): S3Request {
  const target = url.startsWith('/') ? url : pathOfAbsolute(url)
  const at = target.indexOf('?')
  const rawPath = at < 0 ? target : target.slice(0, at)
  const query = Query.parse(at < 0 ? '' : target.slice(at + 1))
  const headers = new RequestHeaders(rawHeaders)
  const path = decodeObjectKey(rawPath).slice(1)
  const hostBucket = bucketOfHost(headers.get('host') ?? '', domains)
  const slash = path.indexOf('/')
  const bucket = hostBucket ?? (slash < 0 ? path : path.slice(0, slash))
  const key = hostBucket === undefined ? (slash < 0 ? '' : path.slice(slash + 1)) : path
  if (key !== '') checkObjectKey(key)
  return {
    method,
    rawPath,
    query,
    headers,
    hostBucket,
    bucket: bucket === '' ? undefined : bucket,
    key: key === '' ? undefined : key,
    resource: hostBucket === undefined ? `/${path}` : `/${hostBucket}/${path}`,
  }
}

/** `GET http://host/path`: the form that proxies are sent. */
function pathOfAbsolute(url: string): string {
  const match = /^https?:\/\/[^/?]*(.*)$/s.exec(url)
  const path = match?.[1]
  if (path === undefined) throw new S3Error('InvalidURI', "Couldn't parse the specified URI.")
  return path.startsWith('/') ? path : `/${path}`
}

function bucketOfHost(host: string, domains: readonly string[]): string | undefined {
  const name = host.replace(/:\d{1,5}$/, '').toLowerCase()
  for (const domain of domains) {
    if (name.length > domain.length + 1 && name.endsWith(`.${domain}`)) return name.slice(0, -domain.length - 1)
  }
  return undefined
}

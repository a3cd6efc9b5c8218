/**
 * AWS Signature Version 4: what is signed, and with which key. Pure; who calls compares with {@link isSameSignature}.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 * @module
 */
import { createHmac, hash, timingSafeEqual } from 'node:crypto'
import { macKeyOf, macTextMaxLength } from '../../../base/mac-key.ts'
import { RecentMap } from '../../../base/recent-map.ts'
import { percentEncode } from '../request/percent.ts'
import type { RequestHeaders } from '../request/request-headers.ts'
import type { S3Request } from '../request/s3-request.ts'
import { decodeObjectKey, urlEncodeName } from '../rules/object-key.ts'
import { S3Error } from '../rules/s3-error.ts'

/** `KEY/20130524/us-east-1/s3/aws4_request`, taken apart. */
export interface CredentialScope {
  readonly accessKeyId: string
  /** `YYYYMMDD`. */
  readonly day: string
  readonly region: string
  readonly service: string
}

/** What signs the chunks that follow a signed head. */
export interface SigningContext {
  readonly key: Buffer
  /** As in `x-amz-date`. */
  readonly timestamp: string
  readonly scope: string
  /** Of the head, in hex. */
  readonly seedSignature: string
}

export const emptySha256 = hash('sha256', '', 'hex')

/** Undefined: not of the form. The access key id may itself hold slashes. */
export function parseCredential(text: string): CredentialScope | undefined {
  const parts = text.split('/')
  if (parts.length < 5 || parts.at(-1) !== 'aws4_request') return undefined
  const [day = '', region = '', service = ''] = parts.slice(-4, -1)
  const accessKeyId = parts.slice(0, -4).join('/')
  return accessKeyId === '' || !/^\d{8}$/.test(day) ? undefined : { accessKeyId, day, region, service }
}

export function scopeText({ day, region, service }: CredentialScope): string {
  return `${day}/${region}/${service}/aws4_request`
}

/**
 * Four MACs, which are the same all day: the last ones are kept, with the secret that each was made from.
 * @returns not to be changed
 */
export function signingKey(secret: string, scope: CredentialScope): Buffer {
  const name = `${scope.accessKeyId}/${scopeText(scope)}`
  const kept = signingKeys.get(name)
  if (kept !== undefined && kept.secret === secret) return kept.key
  const key = makeSigningKey(secret, scope)
  signingKeys.set(name, { secret, key })
  return key
}

const signingKeys = new RecentMap<string, { readonly secret: string; readonly key: Buffer }>(256)

function makeSigningKey(secret: string, { day, region, service }: CredentialScope): Buffer {
  const dayKey = hmac(`AWS4${secret}`, day)
  return hmac(hmac(hmac(dayKey, region), service), 'aws4_request')
}

/**
 * The canonical request. Bytes of headers stand in it as latin1.
 * @param without a parameter of the query that is not signed: the signature itself
 * @throws {S3Error} `AccessDenied`: a header that is named as signed was not sent
 */
export function canonicalRequest(
  request: S3Request,
  options: { readonly signedHeaders: Iterable<string>; readonly payloadHash: string; readonly without?: string },
): string {
  const { signedHeaders, payloadHash, without } = options
  let headers = ''
  let names = ''
  for (const name of signedHeaders) {
    headers += `${name}:${canonicalValue(request.headers, name)}\n`
    names += names === '' ? name : `;${name}`
  }
  return [
    request.method,
    urlEncodeName(decodeObjectKey(request.rawPath)),
    canonicalQuery(request, without),
    headers,
    names,
    payloadHash,
  ].join('\n')
}

export function signatureOf(
  canonical: string,
  context: { readonly key: Buffer; readonly timestamp: string; readonly scope: string },
): string {
  const digest = hash('sha256', Buffer.from(canonical, 'latin1'), 'hex')
  return hexMac(context.key, `AWS4-HMAC-SHA256\n${context.timestamp}\n${context.scope}\n${digest}`)
}

/** Of a chunk, or of the trailer, behind `previous`. */
export function chainedSignature(
  { key, timestamp, scope }: SigningContext,
  {
    previous,
    hash: digest,
    isTrailer,
  }: { readonly previous: string; readonly hash: string; readonly isTrailer: boolean },
): string {
  const text = isTrailer
    ? `AWS4-HMAC-SHA256-TRAILER\n${timestamp}\n${scope}\n${previous}\n${digest}`
    : `AWS4-HMAC-SHA256-PAYLOAD\n${timestamp}\n${scope}\n${previous}\n${emptySha256}\n${digest}`
  return hexMac(key, text)
}

/** In constant time for texts of one length. */
export function isSameSignature(given: string, expected: string): boolean {
  const left = Buffer.from(given, 'latin1')
  const right = Buffer.from(expected, 'latin1')
  return left.length === right.length && timingSafeEqual(left, right)
}

function canonicalValue(headers: RequestHeaders, name: string): string {
  const value = headers.get(name)
  if (value !== undefined) return value.includes('  ') ? value.replace(/ {2,}/g, ' ') : value
  // Some clients sign a length that their HTTP library then leaves out where there is no body.
  if (name === 'content-length') return '0'
  throw new S3Error('AccessDenied', `The header "${name}" is named as signed, and was not sent.`)
}

function canonicalQuery({ query }: S3Request, without: string | undefined): string {
  if (query.pairs.length === 0) return ''
  return query.pairs
    .filter(([name]) => name !== without)
    .map(([name, value]) => [percentEncode(name), percentEncode(value)] as const)
    .sort(([a, x], [b, y]) => (a === b ? compare(x, y) : compare(a, b)))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

/** A text that is too long for {@link macKeyOf} is rare. */
function hexMac(key: Buffer, text: string): string {
  return text.length <= macTextMaxLength ? macKeyOf(key).signText(text) : hmac(key, text).toString('hex')
}

/**
 * Every form in which a request to S3 can prove who sends it, made here from the published descriptions and not with the code
 * under test: so a mistake that signer and verifier share would show.
 * @module
 */
import { createHash, createHmac } from 'node:crypto'
import type { S3Credentials } from './s3-client.ts'

export interface Signing {
  readonly key: S3Credentials
  readonly host: string
  /** When it says that it was signed. */
  readonly timeMs: number
  /** Of URLs and forms. */
  readonly expiresSeconds: number
}

/** What goes on the wire. */
export interface WireRequest {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** `headers`: of S3, signed like all of them. */
export type Route = readonly [method: string, url: string, body?: string, headers?: Readonly<Record<string, string>>]

export type Signer = (route: Route, signing: Signing) => WireRequest

function hmac(algorithm: 'sha1' | 'sha256', key: string | Buffer, text: string): Buffer {
  return createHmac(algorithm, key).update(text).digest()
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}

function stampOf(timeMs: number): string {
  return `${new Date(timeMs).toISOString().replace(/[-:]/g, '').slice(0, 15)}Z`
}

function splitUrl(url: string): { readonly path: string; readonly pairs: readonly (readonly [string, string])[] } {
  const [path = '', query = ''] = url.split('?', 2)
  const pairs = query === '' ? [] : query.split('&').map((pair) => pair.split('=', 2) as [string, string?])
  return { path, pairs: pairs.map(([name, value = '']) => [decodeURIComponent(name), decodeURIComponent(value)]) }
}

function canonicalQuery(pairs: readonly (readonly [string, string])[]): string {
  const encoded = pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`)
  return encoded.sort((a, b) => (a < b ? -1 : 1)).join('&')
}

function scopeOf(timeMs: number): string {
  return `${stampOf(timeMs).slice(0, 8)}/us-east-1/s3/aws4_request`
}

function keyV4({ key, timeMs }: Signing): Buffer {
  const [day = '', region = '', service = ''] = scopeOf(timeMs).split('/')
  const dayKey = hmac('sha256', `AWS4${key.secretAccessKey}`, day)
  return hmac('sha256', hmac('sha256', hmac('sha256', dayKey, region), service), 'aws4_request')
}

function signatureV4(canonical: string, signing: Signing): string {
  const text = `AWS4-HMAC-SHA256\n${stampOf(signing.timeMs)}\n${scopeOf(signing.timeMs)}\n${sha256(canonical)}`
  return hmac('sha256', keyV4(signing), text).toString('hex')
}

/** With what it says of the body, instead of its hash, and with more headers. */
export function headersV4(
  [method, url, body = '']: Route,
  {
    payloadHash = sha256(body),
    more = {},
    ...signing
  }: Signing & { readonly payloadHash?: string; readonly more?: Readonly<Record<string, string>> },
): WireRequest {
  const { path, pairs } = splitUrl(url)
  const all = {
    host: signing.host,
    'x-amz-content-sha256': payloadHash,
    'x-amz-date': stampOf(signing.timeMs),
    ...more,
  }
  const headers = Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)))
  const names = Object.keys(headers).join(';')
  const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`)
  const canonical = [method, path, canonicalQuery(pairs), lines.join(''), names, payloadHash].join('\n')
  const authorization = `AWS4-HMAC-SHA256 Credential=${signing.key.accessKeyId}/${scopeOf(signing.timeMs)}, SignedHeaders=${names}, Signature=${signatureV4(canonical, signing)}`
  return { method, url, headers: { ...headers, authorization }, body }
}

export const headerV4: Signer = (route, signing) => headersV4(route, { ...signing, more: route[3] ?? {} })

export const presignedV4: Signer = ([method, url, body = '', more = {}], signing) => {
  const { path, pairs } = splitUrl(url)
  const headers = { host: signing.host, ...more }
  const names = Object.keys(headers).join(';')
  const all: (readonly [string, string])[] = [
    ...pairs,
    ['X-Amz-Algorithm', 'AWS4-HMAC-SHA256'],
    ['X-Amz-Credential', `${signing.key.accessKeyId}/${scopeOf(signing.timeMs)}`],
    ['X-Amz-Date', stampOf(signing.timeMs)],
    ['X-Amz-Expires', String(signing.expiresSeconds)],
    ['X-Amz-SignedHeaders', names],
  ]
  const query = canonicalQuery(all)
  const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`)
  const canonical = [method, path, query, lines.join(''), names, 'UNSIGNED-PAYLOAD'].join('\n')
  const signed = `${path}?${query}&X-Amz-Signature=${signatureV4(canonical, signing)}`
  return { method, url: signed, headers, body }
}

/** Of version 2: parameters that are part of what is asked for. */
const resourceParameters = new Set(
  'acl attributes cors delete encryption legal-hold lifecycle location logging notification object-lock partNumber policy policyStatus publicAccessBlock replication requestPayment retention tagging uploadId uploads versionId versioning versions website accelerate'.split(
    ' ',
  ),
)

function signatureV2([method, url, , more = {}]: Route, { key }: Signing, date: string): string {
  const { path, pairs } = splitUrl(url)
  const parameters = pairs
    .filter(([name]) => resourceParameters.has(name))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => (value === '' ? name : `${name}=${value}`))
  const resource = parameters.length === 0 ? path : `${path}?${parameters.join('&')}`
  const lines = Object.entries(more).map(([name, value]) => `${name}:${value}\n`)
  return hmac('sha1', key.secretAccessKey, `${method}\n\n\n${date}\n${lines.join('')}${resource}`).toString('base64')
}

export const headerV2: Signer = (route, signing) => {
  const [method, url, body = '', more = {}] = route
  const date = new Date(signing.timeMs).toUTCString()
  const authorization = `AWS ${signing.key.accessKeyId}:${signatureV2(route, signing, date)}`
  return { method, url, headers: { host: signing.host, date, authorization, ...more }, body }
}

export const presignedV2: Signer = (route, signing) => {
  const [method, url, body = '', more = {}] = route
  const expires = String(Math.floor(signing.timeMs / 1000) + signing.expiresSeconds)
  const signature = encode(signatureV2(route, signing, expires))
  const query = `AWSAccessKeyId=${signing.key.accessKeyId}&Expires=${expires}&Signature=${signature}`
  return {
    method,
    url: `${url}${url.includes('?') ? '&' : '?'}${query}`,
    headers: { host: signing.host, ...more },
    body,
  }
}

export const formBoundary = 'a-boundary'

/** A form upload of the route's body, under the key `new`; whatever the route is. */
function form(
  signing: Signing,
  fields: Readonly<Record<string, string>>,
  [method, url, body = '', more = {}]: Route,
): WireRequest {
  const parts = Object.entries(fields).map(
    ([name, value]) => `--${formBoundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  )
  const file = `--${formBoundary}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n${body}\r\n--${formBoundary}--\r\n`
  const headers = { host: signing.host, 'content-type': `multipart/form-data; boundary=${formBoundary}`, ...more }
  return { method, url, headers, body: parts.join('') + file }
}

/** For the bucket that the route names. */
function policyOf([, url]: Route, { timeMs, expiresSeconds }: Signing, more: readonly object[]): string {
  const bucket = url.split(/[/?]/)[1] ?? ''
  const document = {
    expiration: new Date(timeMs + expiresSeconds * 1000).toISOString(),
    conditions: [{ bucket }, { key: 'new' }, ...more],
  }
  return Buffer.from(JSON.stringify(document)).toString('base64')
}

export const formV4: Signer = (route, signing) => {
  const credential = {
    'x-amz-algorithm': 'AWS4-HMAC-SHA256',
    'x-amz-credential': `${signing.key.accessKeyId}/${scopeOf(signing.timeMs)}`,
    'x-amz-date': stampOf(signing.timeMs),
  }
  const policy = policyOf(
    route,
    signing,
    Object.entries(credential).map(([name, value]) => ({ [name]: value })),
  )
  const signature = hmac('sha256', keyV4(signing), policy).toString('hex')
  return form(signing, { key: 'new', ...credential, policy, 'x-amz-signature': signature }, route)
}

export const formV2: Signer = (route, signing) => {
  const policy = policyOf(route, signing, [])
  const signature = hmac('sha1', signing.key.secretAccessKey, policy).toString('base64')
  return form(signing, { key: 'new', AWSAccessKeyId: signing.key.accessKeyId, policy, signature }, route)
}

/** A body of signed chunks, and what its head needs. @param trailer a header that follows, signed too, as `name:value` */
export function signedChunks(
  [method, url]: Route,
  chunks: readonly string[],
  { trailer, ...signing }: Signing & { readonly trailer?: string },
): { readonly head: WireRequest; readonly frames: readonly string[] } {
  const { path, pairs } = splitUrl(url)
  const headers = {
    host: signing.host,
    'x-amz-content-sha256': `STREAMING-AWS4-HMAC-SHA256-PAYLOAD${trailer === undefined ? '' : '-TRAILER'}`,
    'x-amz-date': stampOf(signing.timeMs),
    'x-amz-decoded-content-length': String(chunks.join('').length),
    ...(trailer === undefined ? {} : { 'x-amz-trailer': trailer.replace(/:.*/, '') }),
  }
  const names = Object.keys(headers).join(';')
  const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`)
  const canonical = [method, path, canonicalQuery(pairs), lines.join(''), names, headers['x-amz-content-sha256']]
  let previous = signatureV4(canonical.join('\n'), signing)
  const authorization = `AWS4-HMAC-SHA256 Credential=${signing.key.accessKeyId}/${scopeOf(signing.timeMs)}, SignedHeaders=${names}, Signature=${previous}`
  const stamp = `${stampOf(signing.timeMs)}\n${scopeOf(signing.timeMs)}`
  const frames = [...chunks, ''].map((chunk) => {
    const text = `AWS4-HMAC-SHA256-PAYLOAD\n${stamp}\n${previous}\n${sha256('')}\n${sha256(chunk)}`
    previous = hmac('sha256', keyV4(signing), text).toString('hex')
    return `${chunk.length.toString(16)};chunk-signature=${previous}\r\n${chunk}\r\n`
  })
  if (trailer !== undefined) {
    const text = `AWS4-HMAC-SHA256-TRAILER\n${stamp}\n${previous}\n${sha256(`${trailer}\n`)}`
    const signature = hmac('sha256', keyV4(signing), text).toString('hex')
    // In place of the line that ends a body without one.
    const end = `${frames.pop()?.slice(0, -2)}${trailer}\r\nx-amz-trailer-signature:${signature}\r\n\r\n`
    frames.push(end)
  }
  return { head: { method, url, headers: { ...headers, authorization }, body: frames.join('') }, frames }
}

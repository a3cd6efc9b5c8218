/**
 * The one authenticator of the door: every route and every form of authentication passes here, before a byte of the body
 * is read. A form that is not known is refused, never taken for anonymous.
 *
 * Headers and URLs, V4 and V2. A form upload proves itself in its body: see `post-policy.ts`.
 * @module
 */
import { RecentMap } from '../../../base/recent-map.ts'
import type { S3Request } from '../request/s3-request.ts'
import { S3Error } from '../rules/s3-error.ts'
import type { AccessKey, Account, Accounts } from './accounts.ts'
import { checkSkew, formatTimestamp, parseSignedDate, parseTimestamp } from './request-times.ts'
import { isSignatureV2 } from './signature-v2.ts'
import {
  type CredentialScope,
  canonicalRequest,
  isSameSignature,
  parseCredential,
  type SigningContext,
  scopeText,
  signatureOf,
  signingKey,
} from './signature-v4.ts'

export interface Authenticated {
  /** Undefined: anonymous. */
  readonly account: Account | undefined
  readonly accessKeyId?: string | undefined
  /** How it proved itself, as policies name it. Undefined: anonymous. */
  readonly authType: 'REST-HEADER' | 'REST-QUERY-STRING' | 'POST' | undefined
  readonly signatureVersion?: 'AWS' | 'AWS4-HMAC-SHA256' | undefined
  /** Of V4 in headers: the chunks that follow are signed in its chain. */
  readonly signing?: SigningContext | undefined
  /** `x-amz-content-sha256` as it was signed; undefined: the body is not signed. */
  readonly payloadHash?: string | undefined
}

export interface AuthenticatorOptions {
  readonly accounts: Accounts
  readonly wallMs: () => number
  /** Only signatures for this region are taken. Default: any. */
  readonly region?: string | undefined
}

const v4 = 'AWS4-HMAC-SHA256'
const longestPresignSeconds = 7 * 24 * 3600
export const unsignedPayload = 'UNSIGNED-PAYLOAD'

/** @throws {S3Error} whatever is wrong with who asks; nothing was read of the body */
export function authenticate(request: S3Request, options: AuthenticatorOptions): Authenticated {
  const header = request.headers.get('authorization')
  const isV4Header = header?.startsWith('AWS4-') === true
  const isV4Query = request.query.has('X-Amz-Algorithm') || request.query.has('X-Amz-Signature')
  const isV2Query = request.query.has('AWSAccessKeyId') || request.query.has('Signature')
  if (Number(isV4Header) + Number(isV4Query) + Number(isV2Query) > 1) {
    throw new S3Error(
      'InvalidArgument',
      'Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified',
    )
  }
  if (isV4Query) return presignedV4(request, options)
  if (isV2Query) return presignedV2(request, options)
  if (header === undefined) return { account: undefined, authType: undefined }
  if (isV4Header) return headerV4(request, header, options)
  if (header.startsWith('AWS ')) return headerV2(request, header, options)
  throw new S3Error('InvalidArgument', 'Unsupported Authorization Type')
}

function headerV4(request: S3Request, header: string, options: AuthenticatorOptions): Authenticated {
  const { scope, signedHeaders, signature } = parseAuthorization(header)
  checkScope(scope, options, 'AuthorizationHeaderMalformed')
  const { headers } = request
  const timestamp = headers.get('x-amz-date')
  const sentMs = timestamp === undefined ? parseSignedDate(headers.get('date') ?? '') : parseTimestamp(timestamp)
  if (sentMs === undefined) {
    throw new S3Error('AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header')
  }
  const stamp = timestamp ?? formatTimestamp(sentMs)
  if (!stamp.startsWith(scope.day)) throw malformed('the day of the credential is not the one of the date')
  const payloadHash = headers.get('x-amz-content-sha256')
  if (payloadHash === undefined) {
    throw new S3Error('InvalidRequest', 'Missing required header for this request: x-amz-content-sha256')
  }
  checkSignedHeaders(request, signedHeaders)
  const key = findKey(scope.accessKeyId, options.accounts)
  const context = { key: signingKey(key.secretAccessKey, scope), timestamp: stamp, scope: scopeText(scope) }
  const canonical = canonicalRequest(request, { signedHeaders, payloadHash })
  verify(signature, signatureOf(canonical, context), scope.accessKeyId)
  // After the signature, so that a clock is told only to whom it concerns.
  checkSkew(sentMs, options.wallMs())
  return {
    account: key.account,
    accessKeyId: key.accessKeyId,
    authType: 'REST-HEADER',
    signatureVersion: v4,
    payloadHash,
    signing: { ...context, seedSignature: signature },
  }
}

function presignedV4(request: S3Request, options: AuthenticatorOptions): Authenticated {
  const { query } = request
  const read = (name: string): string => {
    const value = query.get(name)
    if (value === undefined) {
      throw queryError(
        'Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.',
      )
    }
    return value
  }
  if (read('X-Amz-Algorithm') !== 'AWS4-HMAC-SHA256') {
    throw queryError('X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"')
  }
  const scope = parseCredential(read('X-Amz-Credential'))
  if (scope === undefined)
    throw queryError(
      'Error parsing the X-Amz-Credential parameter; it is not of the form <YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request.',
    )
  checkScope(scope, options, 'AuthorizationQueryParametersError')
  const timestamp = read('X-Amz-Date')
  const sentMs = parseTimestamp(timestamp)
  if (sentMs === undefined || !timestamp.startsWith(scope.day)) {
    throw queryError(
      "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\", on the day of the credential",
    )
  }
  const expires = read('X-Amz-Expires')
  const seconds = /^\d{1,9}$/.test(expires) ? Number(expires) : Number.NaN
  if (!(seconds >= 1 && seconds <= longestPresignSeconds)) {
    throw queryError(`X-Amz-Expires must be between 1 and ${longestPresignSeconds} seconds`)
  }
  const signedHeaders = signedHeadersOf(read('X-Amz-SignedHeaders'))
  if (!signedHeaders.has('host')) throw queryError('The host header must be signed')
  checkSignedHeaders(request, signedHeaders)
  const key = findKey(scope.accessKeyId, options.accounts)
  const payloadHash =
    query.get('X-Amz-Content-Sha256') ?? request.headers.get('x-amz-content-sha256') ?? unsignedPayload
  const canonical = canonicalRequest(request, { signedHeaders, payloadHash, without: 'X-Amz-Signature' })
  const context = { key: signingKey(key.secretAccessKey, scope), timestamp, scope: scopeText(scope) }
  const signature = read('X-Amz-Signature')
  verify(signature, signatureOf(canonical, context), scope.accessKeyId)
  checkLifetime(options.wallMs(), { fromMs: sentMs, untilMs: sentMs + seconds * 1000 })
  return {
    account: key.account,
    accessKeyId: key.accessKeyId,
    authType: 'REST-QUERY-STRING',
    signatureVersion: v4,
    payloadHash: payloadHash === unsignedPayload ? undefined : payloadHash,
    signing: { ...context, seedSignature: signature },
  }
}

function headerV2(request: S3Request, header: string, options: AuthenticatorOptions): Authenticated {
  const match = /^AWS ([^\s:]{1,128}):([A-Za-z0-9+/=]{1,128})$/.exec(header)
  if (match === null)
    throw new S3Error('InvalidArgument', 'AWS authorization header is invalid.  Expected AwsAccessKeyId:signature')
  const [, accessKeyId = '', signature = ''] = match
  const { headers } = request
  const date = headers.get('x-amz-date') ?? headers.get('date')
  const sentMs = parseSignedDate(date ?? '')
  if (sentMs === undefined || sentMs < 0) {
    throw new S3Error('AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header')
  }
  checkSkew(sentMs, options.wallMs())
  const key = findKey(accessKeyId, options.accounts)
  const isRight = isSignatureV2(signature, request, {
    secret: key.secretAccessKey,
    date: headers.has('x-amz-date') ? '' : (date as string),
  })
  if (!isRight) throw doesNotMatch(accessKeyId)
  return { account: key.account, accessKeyId, authType: 'REST-HEADER', signatureVersion: 'AWS' }
}

function presignedV2(request: S3Request, options: AuthenticatorOptions): Authenticated {
  const { query } = request
  const accessKeyId = query.get('AWSAccessKeyId')
  const signature = query.get('Signature')
  const expires = query.get('Expires')
  if (accessKeyId === undefined || signature === undefined || expires === undefined) {
    throw new S3Error(
      'AccessDenied',
      'Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters',
    )
  }
  if (!/^\d{1,12}$/.test(expires))
    throw new S3Error('AccessDenied', `Invalid date (should be seconds since epoch): ${expires.slice(0, 32)}`)
  const key = findKey(accessKeyId, options.accounts)
  const isRight = isSignatureV2(signature, request, {
    secret: key.secretAccessKey,
    date: expires,
  })
  if (!isRight) throw doesNotMatch(accessKeyId)
  checkLifetime(options.wallMs(), { fromMs: 0, untilMs: Number(expires) * 1000 })
  return { account: key.account, accessKeyId, authType: 'REST-QUERY-STRING', signatureVersion: 'AWS' }
}

interface Authorization {
  readonly scope: CredentialScope
  readonly signedHeaders: SignedHeaders
  readonly signature: string
}

/** What a header says before its signature, which a client says again all day. */
const signers = new RecentMap<string, Omit<Authorization, 'signature'>>(256)
const signatureField = 'Signature='
const signatureLength = 64
/** Of more than SDKs send nothing is remembered. */
const rememberedLength = 512
const signatureForm = /^[0-9a-f]{64}$/

/** As every SDK writes it, with the signature last, it is parsed once; any other way, each time. */
function parseAuthorization(header: string): Authorization {
  const end = header.length - signatureLength
  const isUsual = header.startsWith(signatureField, end - signatureField.length)
  const before = isUsual ? header.slice(0, end) : ''
  const known = isUsual ? signers.get(before) : undefined
  const signature = header.slice(end)
  if (known !== undefined && signatureForm.test(signature)) return { ...known, signature }
  const { signature: parsed, ...signer } = parseFields(header)
  if (isUsual && before.length <= rememberedLength && parsed === signature) signers.set(before, signer)
  return { ...signer, signature: parsed }
}

function parseFields(header: string): Authorization {
  const space = header.indexOf(' ')
  if (header.slice(0, space) !== 'AWS4-HMAC-SHA256') {
    throw new S3Error('InvalidArgument', 'Unsupported Authorization Type')
  }
  let credential = ''
  let names: string | undefined
  let signature = ''
  for (const field of header.slice(space + 1).split(',', 8)) {
    const at = field.indexOf('=')
    const name = field.slice(0, Math.max(at, 0)).trim()
    const value = field.slice(at + 1).trim()
    if (name === 'Credential') credential = value
    else if (name === 'SignedHeaders') names = value
    else if (name === 'Signature') signature = value
  }
  const scope = parseCredential(credential)
  const signedHeaders = names === undefined ? undefined : signedHeadersOf(names)
  if (scope === undefined)
    throw malformed('the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request"')
  if (signedHeaders?.has('host') !== true) throw malformed('SignedHeaders must name the host')
  if (!signatureForm.test(signature)) throw malformed('the Signature is not 64 hexadecimal digits')
  return { scope, signedHeaders, signature }
}

function checkScope(
  { region, service }: CredentialScope,
  options: AuthenticatorOptions,
  code: 'AuthorizationHeaderMalformed' | 'AuthorizationQueryParametersError',
): void {
  if (service !== 's3')
    throw new S3Error(
      code,
      `Error parsing the credential; incorrect service "${service.slice(0, 32)}". This endpoint belongs to "s3".`,
    )
  if (options.region !== undefined && region !== options.region) {
    throw new S3Error(
      code,
      `Error parsing the credential; the region '${region.slice(0, 64)}' is wrong; expecting '${options.region}'`,
      {
        details: { Region: options.region },
      },
    )
  }
}

/** Names in lower case, in the order in which they were signed. */
type SignedHeaders = ReadonlySet<string>

function signedHeadersOf(text: string): SignedHeaders {
  return new Set(text.toLowerCase().split(';'))
}

/** Whatever says what the request does is signed: an unsigned `x-amz-` header could have been added on the way. */
function checkSignedHeaders({ headers }: S3Request, signedHeaders: SignedHeaders): void {
  const unsigned: string[] = []
  for (const name of headers.names()) {
    if (name.startsWith('x-amz-') && !signedHeaders.has(name)) unsigned.push(name)
  }
  if (unsigned.length === 0) return
  throw new S3Error('AccessDenied', 'There were headers present in the request which were not signed', {
    details: { HeadersNotSigned: unsigned.join(', ') },
  })
}

export function findKey(accessKeyId: string, accounts: Accounts): AccessKey {
  const key = accounts.findKey(accessKeyId)
  if (key !== undefined) return key
  throw new S3Error('InvalidAccessKeyId', 'The AWS Access Key Id you provided does not exist in our records.', {
    details: { AWSAccessKeyId: accessKeyId.slice(0, 128) },
  })
}

export function verify(given: string, expected: string, accessKeyId: string): void {
  if (!isSameSignature(given, expected)) throw doesNotMatch(accessKeyId)
}

function doesNotMatch(accessKeyId: string): S3Error {
  return new S3Error(
    'SignatureDoesNotMatch',
    'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
    { details: { AWSAccessKeyId: accessKeyId.slice(0, 128) } },
  )
}

function checkLifetime(
  wallMs: number,
  { fromMs, untilMs }: { readonly fromMs: number; readonly untilMs: number },
): void {
  // As long before its time as any request may be.
  if (wallMs < fromMs - 15 * 60_000) throw new S3Error('AccessDenied', 'Request is not yet valid')
  if (wallMs <= untilMs) return
  throw new S3Error('AccessDenied', 'Request has expired', {
    details: {
      Expires: new Date(Math.min(untilMs, 8.64e15)).toISOString(),
      ServerTime: new Date(wallMs).toISOString(),
    },
  })
}

function malformed(why: string): S3Error {
  return new S3Error('AuthorizationHeaderMalformed', `The authorization header is malformed; ${why}.`)
}

/** Clients and suites take it as a refusal: 403, where S3 says 400. */
function queryError(message: string): S3Error {
  return new S3Error('AuthorizationQueryParametersError', message, { status: 403 })
}

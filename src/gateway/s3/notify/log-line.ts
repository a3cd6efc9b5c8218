/**
 * A line of an access log, in S3's own format. Pure. Secrets stand in none: of a URL's query, values of signatures are left out.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html
 * @module
 */
import { loggedOperation } from './logged-operation.ts'

export interface LoggedRequest {
  readonly bucket: string
  readonly ownerId: string
  /** Since 1970. */
  readonly atMs: number
  readonly sourceIp: string
  readonly userId: string | undefined
  readonly requestId: string
  /** `GetObject` */
  readonly operation: string | undefined
  readonly key: string | undefined
  readonly method: string
  /** As in the request line. */
  readonly url: string
  readonly status: number
  readonly errorCode: string | undefined
  readonly sentBytes: number
  readonly totalMs: number
  readonly referrer: string | undefined
  readonly userAgent: string | undefined
  readonly host: string | undefined
  readonly signatureVersion: string | undefined
  readonly authType: string | undefined
}

/** Fields without a value are `-`; texts that clients chose are quoted, and cannot end the line or the field. */
export function logLine(request: LoggedRequest): string {
  const { bucket, ownerId, atMs, sourceIp, userId, requestId, operation, key, method, url, status } = request
  const { errorCode, sentBytes, totalMs, referrer, userAgent, host, signatureVersion, authType } = request
  return [
    ...[ownerId, bucket, `[${logTime(atMs)}]`, sourceIp, userId, requestId],
    operation === undefined ? undefined : loggedOperation(operation, method),
    key === undefined ? undefined : encodeURI(key.toWellFormed()),
    quoted(`${method} ${withoutSignatures(url)} HTTP/1.1`),
    ...[status, errorCode, sentBytes === 0 ? undefined : sentBytes, undefined, Math.round(totalMs), undefined],
    ...[quoted(referrer), quoted(userAgent), undefined, requestId],
    ...[signatureVersion === undefined ? undefined : signatureVersion === 'AWS' ? 'SigV2' : 'SigV4', undefined],
    ...[authHeader(authType), host === undefined ? undefined : safe(host), undefined, undefined, undefined],
  ]
    .map((field) => (field === undefined || field === '' ? '-' : String(field)))
    .join(' ')
}

function authHeader(authType: string | undefined): string | undefined {
  if (authType === 'REST-HEADER') return 'AuthHeader'
  return authType === undefined ? undefined : 'QueryString'
}

const months = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ')

/** `06/Feb/2019:00:00:38 +0000` */
function logTime(atMs: number): string {
  const [year = '', month = '', day = '', time = ''] = new Date(atMs).toISOString().slice(0, 19).split(/[-T]/)
  return `${day}/${months[Number(month) - 1]}/${year}:${time} +0000`
}

function withoutSignatures(url: string): string {
  return url.replace(/((?:X-Amz-Signature|Signature|X-Amz-Security-Token)=)[^&]*/gi, '$1-')
}

function quoted(text: string | undefined): string | undefined {
  return text === undefined ? undefined : `"${safe(text)}"`
}

function safe(text: string): string {
  return text.replace(
    /[\p{Cc}"\\]/gu,
    (character) => `\\x${(character.codePointAt(0) as number).toString(16).padStart(2, '0')}`,
  )
}

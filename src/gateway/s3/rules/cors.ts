/**
 * Cross-origin requests: the rules of a bucket, and the headers that they add to an answer.
 *
 * The first rule that fits decides. Credentials are offered only to an origin that a rule names in full: never to `*`, nor
 * to whatever fits a wildcard. Every text that may become a header is held to a header's grammar when the rules are set.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html
 * @module
 */
import { malformedXml, S3Error } from './s3-error.ts'

export const corsMaxRules = 100
const methods = ['GET', 'PUT', 'HEAD', 'POST', 'DELETE']
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const visible = /^[\x21-\x7e]+$/

export interface CorsRule {
  readonly id?: string
  /** With at most one `*` each. */
  readonly allowedOrigins: readonly string[]
  readonly allowedMethods: readonly string[]
  /** With at most one `*` each. */
  readonly allowedHeaders: readonly string[]
  readonly exposeHeaders: readonly string[]
  readonly maxAgeSeconds?: number
}

/** As XML has it: texts. */
export interface RawCorsRule extends Omit<CorsRule, 'maxAgeSeconds'> {
  readonly maxAgeSeconds?: string
}

/**
 * Rules that a bucket may be given.
 * @throws {S3Error} `MalformedXML`, `InvalidRequest`
 */
export function checkCorsRules(rules: readonly RawCorsRule[]): CorsRule[] {
  if (rules.length === 0 || rules.length > corsMaxRules) throw malformedXml()
  return rules.map(({ maxAgeSeconds, ...rule }) => {
    const { id, allowedOrigins, allowedMethods, allowedHeaders, exposeHeaders } = rule
    if (allowedOrigins.length === 0 || allowedMethods.length === 0) throw malformedXml()
    if (id !== undefined && id.length > 255) throw invalid('The ID of a CORS rule has at most 255 characters.')
    const badMethod = allowedMethods.find((method) => !methods.includes(method))
    if (badMethod !== undefined) {
      throw invalid(`Found unsupported HTTP method in CORS config. Unsupported method is ${badMethod.slice(0, 32)}`)
    }
    for (const origin of allowedOrigins) checkText(origin, 'AllowedOrigin', visible)
    for (const header of allowedHeaders) checkText(header, 'AllowedHeader', token)
    for (const header of exposeHeaders) {
      checkText(header, 'ExposeHeader', token)
      if (header.includes('*')) throw invalid(`ExposeHeader "${header}" contains wildcard.`)
    }
    if (maxAgeSeconds === undefined) return rule
    if (!/^\d{1,9}$/.test(maxAgeSeconds)) throw malformedXml()
    return { ...rule, maxAgeSeconds: Number(maxAgeSeconds) }
  })
}

/** Headers to add to an answer; names in lower case. */
export type CorsHeaders = Readonly<Record<string, string>>

/**
 * The headers that a rule adds to the answer of a request, whatever its status; none when no rule fits.
 * @param requestMethod of `access-control-request-method`, where the client sends that with the request itself
 */
export function corsHeaders(
  rules: readonly CorsRule[],
  request: {
    readonly origin: string | undefined
    readonly method: string
    readonly requestMethod?: string | undefined
  },
): CorsHeaders {
  const { origin, method, requestMethod = method } = request
  if (origin === undefined) return {}
  for (const rule of rules) {
    const allowed = originThatFits(rule, origin)
    if (allowed !== undefined && rule.allowedMethods.includes(requestMethod))
      return headersOf(rule, { allowed, origin })
  }
  return {}
}

export interface PreflightRequest {
  readonly origin: string | undefined
  /** `access-control-request-method` */
  readonly method: string | undefined
  /** `access-control-request-headers`, as it came */
  readonly headers: string | undefined
}

/**
 * The headers of the answer to an OPTIONS request.
 * @param rules undefined: the bucket has none
 * @throws {S3Error} `BadRequest`: no preflight; `AccessForbidden`: no rule allows it
 */
export function preflightHeaders(rules: readonly CorsRule[] | undefined, request: PreflightRequest): CorsHeaders {
  const { origin, method } = request
  if (origin === undefined) throw new S3Error('BadRequest', 'Insufficient information. Origin request header needed.')
  if (method === undefined || !methods.includes(method)) {
    throw new S3Error('BadRequest', `Invalid Access-Control-Request-Method: ${method?.slice(0, 32) ?? 'null'}`)
  }
  if (rules === undefined) throw new S3Error('AccessForbidden', 'CORSResponse: CORS is not enabled for this bucket.')
  const wanted = headerNames(request.headers)
  for (const rule of rules) {
    const allowed = originThatFits(rule, origin)
    if (allowed === undefined || !rule.allowedMethods.includes(method) || !allowsHeaders(rule, wanted)) continue
    const headers = headersOf(rule, { allowed, origin })
    return wanted.length === 0 ? headers : { ...headers, 'access-control-allow-headers': wanted.join(', ') }
  }
  throw new S3Error(
    'AccessForbidden',
    "CORSResponse: This CORS request is not allowed. This is usually because the evaluation of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.",
  )
}

function headersOf(rule: CorsRule, match: { readonly allowed: string; readonly origin: string }): CorsHeaders {
  const { allowed, origin } = match
  return {
    'access-control-allow-origin': allowed === '*' ? '*' : origin,
    'access-control-allow-methods': rule.allowedMethods.join(', '),
    ...(rule.exposeHeaders.length > 0 && { 'access-control-expose-headers': rule.exposeHeaders.join(', ') }),
    ...(rule.maxAgeSeconds !== undefined && { 'access-control-max-age': String(rule.maxAgeSeconds) }),
    ...(allowed === origin && { 'access-control-allow-credentials': 'true' }),
    vary: 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method',
  }
}

/** The entry of the rule that the origin fits. */
function originThatFits({ allowedOrigins }: CorsRule, origin: string): string | undefined {
  // A text that no header can carry is no origin.
  if (!visible.test(origin) || origin === '*') return undefined
  return allowedOrigins.find((pattern) => fits(pattern, origin))
}

function allowsHeaders({ allowedHeaders }: CorsRule, wanted: readonly string[]): boolean {
  const patterns = allowedHeaders.map((pattern) => pattern.toLowerCase())
  return wanted.every((name) => token.test(name) && patterns.some((pattern) => fits(pattern, name)))
}

/** One `*` at most. */
function fits(pattern: string, text: string): boolean {
  const star = pattern.indexOf('*')
  if (star === -1) return pattern === text
  const head = pattern.slice(0, star)
  const tail = pattern.slice(star + 1)
  return text.length >= head.length + tail.length && text.startsWith(head) && text.endsWith(tail)
}

function headerNames(header: string | undefined): string[] {
  return (header ?? '')
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
}

function checkText(text: string, element: string, form: RegExp): void {
  if (!form.test(text)) throw invalid(`${element} "${text.slice(0, 64)}" holds a character that a header cannot carry.`)
  if (text.indexOf('*') !== text.lastIndexOf('*')) {
    throw invalid(`${element} "${text.slice(0, 64)}" can not have more than one wildcard.`)
  }
}

function invalid(message: string): S3Error {
  return new S3Error('InvalidRequest', message)
}

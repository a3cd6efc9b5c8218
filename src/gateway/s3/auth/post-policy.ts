/**
 * The policy of a form upload: signed in advance, it says which fields a browser may send, with which values, and how much.
 *
 * Every field must be covered by a condition; what the policy does not speak of is refused. Pure.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
 * @module
 */
import { createHmac } from 'node:crypto'
import { S3Error } from '../rules/s3-error.ts'
import { parseIsoTime } from '../rules/timestamps.ts'
import type { AccessKey, Accounts } from './accounts.ts'
import { findKey, verify } from './authenticate.ts'
import { parseCredential, signingKey } from './signature-v4.ts'

/** Names in lower case; of all fields but the file. */
export type FormFields = ReadonlyMap<string, string>

export interface SizeRange {
  readonly least: number
  readonly most: number
}

/** Fields that carry the proof itself, and so cannot be covered by it. */
const uncovered = new Set(['awsaccesskeyid', 'signature', 'policy', 'x-amz-signature', 'file'])

/** A checksum can only make an upload fail. */
const ignored = /^x-(?:ignore|amz-checksum)-/

/**
 * Who signed the form.
 * @returns undefined: nobody, the form is anonymous
 * @throws {S3Error} `AccessDenied`, `InvalidAccessKeyId`, `SignatureDoesNotMatch`, `InvalidArgument` (a field is missing)
 */
export function authenticateForm(fields: FormFields, accounts: Accounts): AccessKey | undefined {
  const policy = fields.get('policy')
  if (policy === undefined) {
    if (!fields.has('signature') && !fields.has('x-amz-signature')) return undefined
    throw missingField('policy')
  }
  if (fields.has('x-amz-algorithm') || fields.has('x-amz-signature')) {
    const scope = parseCredential(fields.get('x-amz-credential') ?? '')
    const signature = fields.get('x-amz-signature')
    if (fields.get('x-amz-algorithm') !== 'AWS4-HMAC-SHA256') throw missingField('x-amz-algorithm')
    if (scope === undefined || scope.service !== 's3') throw missingField('x-amz-credential')
    if (signature === undefined) throw missingField('x-amz-signature')
    const key = findKey(scope.accessKeyId, accounts)
    const expected = createHmac('sha256', signingKey(key.secretAccessKey, scope)).update(policy).digest('hex')
    verify(signature, expected, scope.accessKeyId)
    return key
  }
  const accessKeyId = fields.get('awsaccesskeyid')
  const signature = fields.get('signature')
  if (accessKeyId === undefined) throw missingField('AWSAccessKeyId')
  if (signature === undefined) throw missingField('signature')
  const key = findKey(accessKeyId, accounts)
  verify(signature, createHmac('sha1', key.secretAccessKey).update(policy).digest('base64'), accessKeyId)
  return key
}

/**
 * Holds a signed form to its policy.
 * @returns how long the file may be
 * @throws {S3Error} `InvalidPolicyDocument`; `AccessDenied`: expired, a condition does not hold, or a field that none covers
 */
export function checkPostPolicy(
  fields: FormFields,
  { bucket, wallMs }: { readonly bucket: string; readonly wallMs: number },
): SizeRange | undefined {
  const { expiration, conditions } = parseDocument(fields.get('policy') ?? '')
  if (wallMs > expiration) throw denied('Policy expired.')
  const values = new Map([...fields, ['bucket', bucket]])
  const covered = new Set<string>()
  let range: SizeRange | undefined
  for (const condition of conditions) {
    if (condition.kind === 'size') {
      range = condition.range
      continue
    }
    const { name, kind, value } = condition
    const given = values.get(name) ?? ''
    covered.add(name)
    const holds = kind === 'equals' ? given === value : given.startsWith(value)
    if (!holds) throw denied(`Policy Condition failed: ["${kind === 'equals' ? 'eq' : 'starts-with'}", "$${name}", …]`)
  }
  for (const name of fields.keys()) {
    if (covered.has(name) || uncovered.has(name) || ignored.test(name)) continue
    throw denied(`Extra input fields: ${name.slice(0, 128)}`)
  }
  return range
}

type Condition =
  | { readonly kind: 'equals' | 'starts-with'; readonly name: string; readonly value: string }
  | { readonly kind: 'size'; readonly range: SizeRange }

function parseDocument(base64: string): { readonly expiration: number; readonly conditions: readonly Condition[] } {
  let document: { readonly expiration?: unknown; readonly conditions?: unknown } | null
  try {
    document = JSON.parse(Buffer.from(base64, 'base64').toString('utf8'))
  } catch (cause) {
    throw invalid('it is not base64 of JSON', cause)
  }
  if (typeof document !== 'object' || document === null) throw invalid('it is not an object')
  const { expiration, conditions } = document
  const expirationMs = typeof expiration === 'string' ? parseIsoTime(expiration) : undefined
  if (expirationMs === undefined) throw invalid('it has no expiration of the form 2007-12-01T12:00:00.000Z')
  if (!Array.isArray(conditions)) throw invalid('it has no list of conditions')
  return { expiration: expirationMs, conditions: conditions.flatMap(parseCondition) }
}

function parseCondition(condition: unknown): Condition[] {
  if (Array.isArray(condition)) return [parseList(condition)]
  if (typeof condition !== 'object' || condition === null) throw invalid('a condition is neither a list nor an object')
  const entries = Object.entries(condition)
  if (entries.length === 0) throw invalid('a condition is empty')
  return entries.map(([name, value]) => {
    if (typeof value !== 'string') throw invalid('the value of a condition is not text')
    return { kind: 'equals', name: name.toLowerCase(), value }
  })
}

function parseList(list: readonly unknown[]): Condition {
  const [operator, first, second] = list
  if (list.length !== 3 || typeof operator !== 'string') throw invalid('a condition has not three parts')
  if (operator.toLowerCase() === 'content-length-range') {
    const [least, most] = [sizeOf(first), sizeOf(second)]
    return { kind: 'size', range: { least, most } }
  }
  const kind = { eq: 'equals', 'starts-with': 'starts-with' }[operator.toLowerCase()] as
    | Exclude<Condition['kind'], 'size'>
    | undefined
  if (kind === undefined || typeof first !== 'string' || !first.startsWith('$') || typeof second !== 'string') {
    throw invalid('a condition is not of the form ["eq", "$field", "value"]')
  }
  return { kind, name: first.slice(1).toLowerCase(), value: second }
}

function sizeOf(value: unknown): number {
  const size =
    typeof value === 'number' ? value : typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : -1
  if (Number.isSafeInteger(size) && size >= 0) return size
  throw invalid('content-length-range has no two sizes')
}

function invalid(why: string, cause?: unknown): S3Error {
  return new S3Error('InvalidPolicyDocument', `Invalid Policy: ${why}.`, { cause })
}

function denied(why: string): S3Error {
  return new S3Error('AccessDenied', `Invalid according to Policy: ${why}`)
}

function missingField(name: string): S3Error {
  return new S3Error(
    'InvalidArgument',
    `Bucket POST must contain a field named '${name}'.  If it is specified, please check the order of the fields.`,
    {
      details: { ArgumentName: name },
    },
  )
}

/**
 * Object lock as S3 writes it: what the headers and documents of requests ask for. What a lock then forbids is not decided
 * here but in the transaction that would remove (`namespace/version-locks.ts`), so that no door is a way around it.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
 * @module
 */
import { type Headers, headerOf } from './headers.ts'
import { malformedXml, S3Error } from './s3-error.ts'
import { parseIsoTime } from './timestamps.ts'
import type { Versioning } from './versioning.ts'

export type RetentionMode = 'GOVERNANCE' | 'COMPLIANCE'

export interface Retention {
  readonly mode: RetentionMode
  /** Since 1970. */
  readonly retainUntilMs: number
}

/** The lock of one version. */
export interface ObjectLock {
  readonly retention?: Retention
  /** Absent: it was never set, which clients can tell from off. */
  readonly hasLegalHold?: boolean
}

/** What a version gets when the request that writes it names no retention. */
export type DefaultRetention = { readonly mode: RetentionMode } & (
  | { readonly days: number }
  | { readonly years: number }
)

/** Of a bucket that has object lock, which it keeps for good. */
export interface ObjectLockConfiguration {
  readonly defaultRetention?: DefaultRetention
}

/** As XML has it: texts. */
export interface RawObjectLockConfiguration {
  readonly objectLockEnabled?: string
  readonly rule?: { readonly mode?: string; readonly days?: string; readonly years?: string }
}

const maxDays = 36_500
const maxYears = 100

/**
 * @throws {S3Error} `InvalidBucketState`: versioning is not enabled; `MalformedXML`, `InvalidRetentionPeriod`
 */
export function checkObjectLockConfiguration(
  { objectLockEnabled, rule }: RawObjectLockConfiguration,
  versioning: Versioning,
): ObjectLockConfiguration {
  if (objectLockEnabled !== 'Enabled') throw malformedXml()
  if (versioning !== 'enabled') {
    throw new S3Error(
      'InvalidBucketState',
      "Versioning must be 'Enabled' on the bucket to apply an Object Lock configuration",
    )
  }
  if (rule === undefined) return {}
  const { days, years } = rule
  const mode = parseMode(rule.mode)
  if ((days === undefined) === (years === undefined)) throw malformedXml()
  if (days !== undefined) return { defaultRetention: { mode, days: period(days, maxDays) } }
  return { defaultRetention: { mode, years: period(years ?? '', maxYears) } }
}

/**
 * The retention that PutObjectRetention or the headers of a write ask for.
 * @throws {S3Error} `MalformedXML`; `InvalidArgument`: the date has passed
 */
export function checkRetention(
  raw: { readonly mode?: string | undefined; readonly retainUntilDate?: string | undefined },
  nowMs: number,
): Retention {
  const mode = parseMode(raw.mode)
  const retainUntilMs = raw.retainUntilDate === undefined ? undefined : parseIsoTime(raw.retainUntilDate)
  if (retainUntilMs === undefined) throw malformedXml()
  if (retainUntilMs > nowMs) return { mode, retainUntilMs }
  throw new S3Error('InvalidArgument', 'The retain until date must be in the future!')
}

/** @throws {S3Error} `MalformedXML` */
export function parseLegalHold(status: string | undefined): boolean {
  if (status !== 'ON' && status !== 'OFF') throw malformedXml()
  return status === 'ON'
}

/**
 * The lock that the headers of a write ask for; the bucket's default is the store's to give.
 * @throws {S3Error} `InvalidRequest`: headers of a lock without one on the bucket; `InvalidArgument`
 */
export function lockOfNewVersion(
  headers: Headers,
  { hasObjectLock, nowMs }: { readonly hasObjectLock: boolean; readonly nowMs: number },
): ObjectLock {
  const mode = headerOf(headers, 'x-amz-object-lock-mode')
  const retainUntilDate = headerOf(headers, 'x-amz-object-lock-retain-until-date')
  const hold = headerOf(headers, 'x-amz-object-lock-legal-hold')
  if (!hasObjectLock) {
    if (mode !== undefined || retainUntilDate !== undefined || hold !== undefined) throw missingLock()
    return {}
  }
  if ((mode === undefined) !== (retainUntilDate === undefined)) {
    throw new S3Error(
      'InvalidArgument',
      'x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied',
    )
  }
  const hasLegalHold =
    hold === undefined ? undefined : asArgument('x-amz-object-lock-legal-hold', () => parseLegalHold(hold))
  const retention =
    mode === undefined
      ? undefined
      : asArgument('x-amz-object-lock-mode', () => checkRetention({ mode, retainUntilDate }, nowMs))
  return { ...(hasLegalHold !== undefined && { hasLegalHold }), ...(retention !== undefined && { retention }) }
}

/**
 * Holds requests about retention and legal hold to buckets that have object lock.
 * @throws {S3Error} `InvalidRequest`
 */
export function checkHasObjectLock(hasObjectLock: boolean): void {
  if (!hasObjectLock) throw missingLock()
}

function parseMode(mode: string | undefined): RetentionMode {
  if (mode === 'GOVERNANCE' || mode === 'COMPLIANCE') return mode
  throw malformedXml()
}

function period(text: string, max: number): number {
  if (!/^[+-]?\d{1,10}$/.test(text)) throw malformedXml()
  const value = Number(text)
  if (value >= 1 && value <= max) return value
  throw new S3Error(
    'InvalidRetentionPeriod',
    value < 1 ? 'Default retention period must be a positive integer value.' : 'Default retention period is too large.',
  )
}

/** What is malformed XML in a body is an invalid argument in a header. */
function asArgument<Value>(name: string, parse: () => Value): Value {
  try {
    return parse()
  } catch (cause) {
    if (!(cause instanceof S3Error) || cause.code !== 'MalformedXML') throw cause
    throw new S3Error('InvalidArgument', `The value of ${name} or its companion is not valid.`, { cause })
  }
}

function missingLock(): S3Error {
  return new S3Error('InvalidRequest', 'Bucket is missing Object Lock Configuration')
}

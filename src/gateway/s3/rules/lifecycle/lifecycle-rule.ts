/**
 * Lifecycle rules as S3's clients give them: what they may say. What they mean is in `base/lifecycle-rule.ts`.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html
 * @module
 */
import {
  hasSize,
  type LifecycleExpiration,
  type LifecycleFilter,
  type LifecycleRule,
} from '../../../../base/lifecycle-rule.ts'
import { malformedXml, S3Error } from '../s3-error.ts'
import { checkTags, type Tag } from '../tags.ts'
import { parseIsoTime } from '../timestamps.ts'

export const lifecycleMaxRules = 1000
const dayMs = 24 * 3600 * 1000

/** As XML has it: texts. */
export interface RawLifecycleRule {
  readonly id?: string
  readonly status: string
  /** The old form, beside the filter. */
  readonly prefix?: string
  readonly filter?: RawLifecycleFilter & { readonly and?: RawLifecycleFilter }
  readonly expiration?: { readonly days?: string; readonly date?: string; readonly expiredObjectDeleteMarker?: string }
  readonly noncurrentVersionExpiration?: { readonly noncurrentDays?: string; readonly newerNoncurrentVersions?: string }
  readonly abortIncompleteMultipartUpload?: { readonly daysAfterInitiation?: string }
  /** Each `Transition` and `NoncurrentVersionTransition`. */
  readonly transitions?: readonly { readonly days?: string; readonly date?: string }[]
}

export interface RawLifecycleFilter {
  readonly prefix?: string
  readonly tags?: readonly Tag[]
  readonly objectSizeGreaterThan?: string
  readonly objectSizeLessThan?: string
}

/**
 * Rules that a bucket may be given.
 * @param newRuleId names a rule that has no id
 * @throws {S3Error} `MalformedXML`, `InvalidArgument`, `InvalidRequest`; `NotImplemented` for transitions: there is one class
 */
export function checkLifecycleRules(rules: readonly RawLifecycleRule[], newRuleId: () => string): LifecycleRule[] {
  if (rules.length === 0 || rules.length > lifecycleMaxRules) throw malformedXml()
  const checked = rules.map((rule) => checkRule(rule, newRuleId))
  if (new Set(checked.map(({ id }) => id)).size < checked.length) {
    throw new S3Error('InvalidArgument', 'RuleId must be unique. Found same ID for more than one rule')
  }
  return checked
}

function checkRule(raw: RawLifecycleRule, newRuleId: () => string): LifecycleRule {
  const { id, status, filter, prefix, expiration, noncurrentVersionExpiration, abortIncompleteMultipartUpload } = raw
  if (id !== undefined && id.length > 255) {
    throw new S3Error('InvalidArgument', 'ID length should not exceed allowed limit of 255')
  }
  if (status !== 'Enabled' && status !== 'Disabled') throw malformedXml()
  // Both, or neither, leaves open what the rule is about.
  if ((filter === undefined) === (prefix === undefined)) throw malformedXml()
  for (const { date } of raw.transitions ?? []) if (date !== undefined) midnight(date)
  if (raw.transitions !== undefined && raw.transitions.length > 0) {
    throw new S3Error('NotImplemented', 'There is one storage class: lifecycle transitions are not implemented.')
  }
  if (!expiration && !noncurrentVersionExpiration && !abortIncompleteMultipartUpload) {
    throw new S3Error('InvalidRequest', 'At least one action needs to be specified in a rule')
  }
  const checkedFilter = checkFilter(filter ?? { ...(prefix !== undefined && { prefix }) })
  const isByTagOrSize = checkedFilter.tags.size > 0 || hasSize(checkedFilter)
  if (isByTagOrSize && abortIncompleteMultipartUpload !== undefined) {
    throw new S3Error('InvalidRequest', 'AbortIncompleteMultipartUpload cannot be specified with Tags or sizes')
  }
  const checkedExpiration = expiration === undefined ? undefined : checkExpiration(expiration)
  if (checkedExpiration?.kind === 'lone-marker' && checkedFilter.tags.size > 0) {
    throw new S3Error('InvalidRequest', 'ExpiredObjectDeleteMarker cannot be specified with Tags')
  }
  return {
    id: id === undefined || id === '' ? newRuleId() : id,
    isEnabled: status === 'Enabled',
    ...(filter === undefined && { hasOldForm: true as const }),
    filter: checkedFilter,
    ...(checkedExpiration !== undefined && { expiration: checkedExpiration }),
    ...(noncurrentVersionExpiration !== undefined && { noncurrent: checkNoncurrent(noncurrentVersionExpiration) }),
    ...(abortIncompleteMultipartUpload !== undefined && {
      abortUploadsAfterDays: days(abortIncompleteMultipartUpload.daysAfterInitiation, 'DaysAfterInitiation'),
    }),
  }
}

function checkFilter(raw: NonNullable<RawLifecycleRule['filter']>): LifecycleFilter {
  const { and, ...own } = raw
  if (and !== undefined && Object.keys(own).length > 0) throw malformedXml()
  const { prefix = '', tags = [], objectSizeGreaterThan: greater, objectSizeLessThan: less } = and ?? own
  const filter = {
    prefix,
    tags: checkTags(tags, 'object'),
    ...(greater !== undefined && { sizeGreaterThanBytes: size(greater) }),
    ...(less !== undefined && { sizeLessThanBytes: size(less) }),
  }
  const { sizeGreaterThanBytes = -1, sizeLessThanBytes = Number.POSITIVE_INFINITY } = filter
  if (sizeGreaterThanBytes >= sizeLessThanBytes) {
    throw new S3Error('InvalidRequest', 'ObjectSizeLessThan has to be a value greater than ObjectSizeGreaterThan')
  }
  return filter
}

function checkExpiration(raw: NonNullable<RawLifecycleRule['expiration']>): LifecycleExpiration {
  const given = [raw.days, raw.date, raw.expiredObjectDeleteMarker].filter((value) => value !== undefined)
  if (given.length !== 1) throw malformedXml()
  if (raw.days !== undefined) return { kind: 'days', days: days(raw.days, 'Days') }
  if (raw.date !== undefined) return { kind: 'date', dateMs: midnight(raw.date) }
  if (raw.expiredObjectDeleteMarker !== 'true') throw malformedXml()
  return { kind: 'lone-marker' }
}

function checkNoncurrent(
  raw: NonNullable<RawLifecycleRule['noncurrentVersionExpiration']>,
): NonNullable<LifecycleRule['noncurrent']> {
  const { noncurrentDays, newerNoncurrentVersions: kept } = raw
  if (kept !== undefined && (!/^\d{1,3}$/.test(kept) || Number(kept) < 1 || Number(kept) > 100)) {
    throw new S3Error(
      'InvalidArgument',
      "'NewerNoncurrentVersions' for NoncurrentVersionExpiration action must be 1 to 100",
    )
  }
  return { days: days(noncurrentDays, 'NoncurrentDays'), newerVersionsKept: Number(kept ?? 0) }
}

function days(text: string | undefined, element: string): number {
  if (text === undefined || !/^[+-]?\d{1,10}$/.test(text)) throw malformedXml()
  const value = Number(text)
  if (value >= 1 && value < 2 ** 31) return value
  throw new S3Error('InvalidArgument', `'${element}' must be a positive integer`)
}

function size(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw malformedXml()
}

function midnight(text: string): number {
  const dateMs = parseIsoTime(text)
  if (dateMs === undefined) throw malformedXml()
  if (dateMs % dayMs === 0) return dateMs
  throw new S3Error('InvalidArgument', "'Date' must be at midnight GMT")
}

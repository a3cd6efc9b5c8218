/**
 * Conditional requests: which of GET, HEAD, copy, PUT, complete and DELETE go on, given the object as it is now.
 *
 * Pure: whoever writes must evaluate under the same transaction that writes, or pass the version that was seen as its
 * precondition. Precedence is that of RFC 9110, section 13.2.2: an entity tag beats the date of its kind. A date that is
 * none is ignored, as the RFC wants. S3 differs where it says 404 for `If-Match` on nothing, and where a copy answers 412
 * for what a GET answers with 304.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html
 * @module
 */
import { type Headers, headerOf } from './headers.ts'
import { S3Error } from './s3-error.ts'
import { parseHttpDate } from './timestamps.ts'

/** What conditions are about: the current version of a key, or the version that the request names. */
export interface ConditionTarget {
  /** Without quotes; empty for a delete marker. */
  readonly eTag: string
  /** Since 1970. Compared in whole seconds, as headers have them. */
  readonly lastModifiedMs: number
  readonly sizeBytes: number
  readonly isDeleteMarker: boolean
}

/** Conditions of a GET, HEAD or copy source, as their headers had them. */
export interface ReadConditions {
  readonly ifMatch?: string
  readonly ifNoneMatch?: string
  readonly ifModifiedSince?: string
  readonly ifUnmodifiedSince?: string
}

export interface WriteConditions {
  readonly ifMatch?: string
  readonly ifNoneMatch?: string
}

export interface DeleteConditions {
  readonly ifMatch?: string
  readonly ifMatchLastModifiedTime?: string
  readonly ifMatchSize?: string
}

const readNames = readNamesOf('if-')
const copySourceNames = readNamesOf('x-amz-copy-source-if-')
const writeNames = [
  ['ifMatch', 'if-match'],
  ['ifNoneMatch', 'if-none-match'],
] as const
const deleteNames = [
  ['ifMatch', 'if-match'],
  ['ifMatchLastModifiedTime', 'x-amz-if-match-last-modified-time'],
  ['ifMatchSize', 'x-amz-if-match-size'],
] as const

/** Each condition with its header. */
function readNamesOf(prefix: string) {
  return [
    ['ifMatch', `${prefix}match`],
    ['ifNoneMatch', `${prefix}none-match`],
    ['ifModifiedSince', `${prefix}modified-since`],
    ['ifUnmodifiedSince', `${prefix}unmodified-since`],
  ] as const
}

export function readConditionsOf(headers: Headers): ReadConditions {
  return present(headers, readNames)
}

export function copySourceConditionsOf(headers: Headers): ReadConditions {
  return present(headers, copySourceNames)
}

export function writeConditionsOf(headers: Headers): WriteConditions {
  return present(headers, writeNames)
}

export function deleteConditionsOf(headers: Headers): DeleteConditions {
  return present(headers, deleteNames)
}

/**
 * Whether a GET or HEAD sends the object, or 304.
 * @throws {S3Error} `PreconditionFailed`
 */
export function checkRead(conditions: ReadConditions, target: ConditionTarget): 'send' | 'not-modified' {
  const failed = failedCondition(conditions, target)
  if (failed === undefined) return 'send'
  if (failed === 'If-None-Match' || failed === 'If-Modified-Since') return 'not-modified'
  throw preconditionFailed(failed)
}

/**
 * Lets a copy go on, or not.
 * @throws {S3Error} `PreconditionFailed`
 */
export function checkCopySource(conditions: ReadConditions, source: ConditionTarget): void {
  const failed = failedCondition(conditions, source)
  if (failed !== undefined) throw preconditionFailed(`x-amz-copy-source-${failed}`)
}

/**
 * Lets a PUT, copy or complete replace the current version of a key, or not.
 *
 * `If-None-Match` also takes an entity tag here, where AWS takes `*` alone.
 * @param current undefined: the key has no version
 * @throws {S3Error} `PreconditionFailed`; `NoSuchKey` for `If-Match` on a key without object
 */
export function checkWrite({ ifMatch, ifNoneMatch }: WriteConditions, current: ConditionTarget | undefined): void {
  const object = current?.isDeleteMarker === true ? undefined : current
  if (ifMatch !== undefined) {
    if (object === undefined) throw new S3Error('NoSuchKey', 'The specified key does not exist.')
    if (!listsTag(ifMatch, object.eTag, 'strong')) throw preconditionFailed('If-Match')
  }
  if (ifNoneMatch !== undefined && object !== undefined && listsTag(ifNoneMatch, object.eTag, 'weak')) {
    throw preconditionFailed('If-None-Match')
  }
}

/**
 * Lets a DELETE go on, or not.
 *
 * Where there is nothing it goes on, since nothing is what a DELETE leaves. A delete marker is something: `*` and its
 * time match it, no entity tag does.
 * @param target the version that would be deleted or covered; undefined when there is none
 * @throws {S3Error} `PreconditionFailed`; `InvalidArgument` for a time or size that is none
 */
export function checkDelete(conditions: DeleteConditions, target: ConditionTarget | undefined): void {
  const { ifMatch, ifMatchLastModifiedTime, ifMatchSize } = conditions
  const timeMs = ifMatchLastModifiedTime === undefined ? undefined : timeOf(ifMatchLastModifiedTime)
  const sizeBytes = ifMatchSize === undefined ? undefined : sizeOf(ifMatchSize)
  if (target === undefined) return
  if (ifMatch !== undefined && !matchesForDelete(ifMatch, target)) throw preconditionFailed('If-Match')
  if (timeMs !== undefined && seconds(timeMs) !== seconds(target.lastModifiedMs)) {
    throw preconditionFailed('x-amz-if-match-last-modified-time')
  }
  if (sizeBytes !== undefined && sizeBytes !== target.sizeBytes) throw preconditionFailed('x-amz-if-match-size')
}

type ReadCondition = 'If-Match' | 'If-Unmodified-Since' | 'If-None-Match' | 'If-Modified-Since'

/** The first condition that does not hold, in the order of RFC 9110. */
function failedCondition(conditions: ReadConditions, target: ConditionTarget): ReadCondition | undefined {
  const { ifMatch, ifNoneMatch, ifModifiedSince, ifUnmodifiedSince } = conditions
  if (ifMatch !== undefined) {
    if (!listsTag(ifMatch, target.eTag, 'strong')) return 'If-Match'
  } else if (isModifiedSince(ifUnmodifiedSince, target) === true) return 'If-Unmodified-Since'
  if (ifNoneMatch !== undefined) {
    if (listsTag(ifNoneMatch, target.eTag, 'weak')) return 'If-None-Match'
  } else if (isModifiedSince(ifModifiedSince, target) === false) return 'If-Modified-Since'
  return undefined
}

/** undefined: there is no date to compare with. */
function isModifiedSince(header: string | undefined, { lastModifiedMs }: ConditionTarget): boolean | undefined {
  const dateMs = header === undefined ? undefined : parseHttpDate(header)
  return dateMs === undefined ? undefined : seconds(lastModifiedMs) > seconds(dateMs)
}

/** S3's entity tags are digits and a dash, so that a list splits at its commas; clients also send them without quotes. */
function listsTag(header: string, eTag: string, comparison: 'strong' | 'weak'): boolean {
  return header.split(',').some((item) => {
    const tag = item.trim()
    if (tag === '*') return true
    const isWeak = tag.startsWith('W/')
    if (isWeak && comparison === 'strong') return false
    return (isWeak ? tag.slice(2) : tag).replace(/^"(.*)"$/, '$1') === eTag
  })
}

function matchesForDelete(ifMatch: string, target: ConditionTarget): boolean {
  return target.isDeleteMarker ? ifMatch.trim() === '*' : listsTag(ifMatch, target.eTag, 'strong')
}

/** The headers that are there, under the names of the conditions. */
function present<Name extends string>(
  headers: Headers,
  names: readonly (readonly [Name, string])[],
): Partial<Record<Name, string>> {
  const found: Partial<Record<Name, string>> = {}
  for (const [name, header] of names) {
    const value = headerOf(headers, header)
    if (value !== undefined) found[name] = value
  }
  return found
}

function timeOf(header: string): number {
  const timeMs = parseHttpDate(header)
  if (timeMs !== undefined) return timeMs
  throw new S3Error('InvalidArgument', 'x-amz-if-match-last-modified-time is not an HTTP date.')
}

function sizeOf(header: string): number {
  if (/^\d{1,15}$/.test(header)) return Number(header)
  throw new S3Error('InvalidArgument', 'x-amz-if-match-size is not a size in bytes.')
}

function seconds(timeMs: number): number {
  return Math.floor(timeMs / 1000)
}

function preconditionFailed(condition: string): S3Error {
  return new S3Error('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', {
    details: { Condition: condition },
  })
}

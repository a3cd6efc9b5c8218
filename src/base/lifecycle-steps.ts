/**
 * What lifecycle rules want done with the versions of a key, and when.
 *
 * A day counts from the moment something was made (or ceased to be the current version), rounded up to the next midnight
 * UTC: never early. Where several rules fit, the earliest wins. A step says what to do, not that it may be done: a locked
 * version stays, and so does one that changed since it was seen; whoever applies the steps checks both.
 * @module
 */

import { filterMatches, hasSize, type LifecycleRule, type LifecycleSubject, type Tags } from './lifecycle-rule.ts'

const realDayMs = 24 * 3600 * 1000

export interface LifecycleVersion {
  /** `null` for the null version. */
  readonly versionId: string
  readonly isDeleteMarker: boolean
  /** Since 1970. */
  readonly lastModifiedMs: number
  readonly sizeBytes: number
  readonly tags: Tags
}

export type LifecycleStep = {
  readonly ruleId: string
  /** `delete` is a DELETE without version id: in a versioned bucket it leaves a marker. */
  readonly kind: 'delete' | 'delete-version'
  readonly versionId: string
}

export interface LifecycleClock {
  readonly nowMs: number
  /** Length of a day; shorter in tests that wait for one. */
  readonly dayMs?: number
}

/**
 * What is due for one key.
 * @param versions all of them, the current one first
 */
export function lifecycleSteps(
  rules: readonly LifecycleRule[],
  subject: LifecycleKey,
  { nowMs, dayMs = realDayMs }: LifecycleClock,
): LifecycleStep[] {
  const { key, versions, newer } = subject
  const steps: LifecycleStep[] = []
  for (const [at, version] of versions.entries()) {
    const index = at + (newer?.count ?? 0)
    const successorMs = at === 0 ? newer?.lastModifiedMs : versions[at - 1]?.lastModifiedMs
    const about = { key, version, index, successorMs, hasOlder: at + 1 < versions.length || subject.hasMore === true }
    const rule = rules.find((one) => one.isEnabled && isDue(one, about, { nowMs, dayMs }))
    if (rule === undefined) continue
    const isObject = index === 0 && !version.isDeleteMarker
    steps.push({ ruleId: rule.id, kind: isObject ? 'delete' : 'delete-version', versionId: version.versionId })
  }
  return steps
}

/**
 * Since when something is this object, as S3 has it: it came to its bucket, or its bytes were changed there. A time that a client
 * set counts only where it is later.
 */
export function lastModifiedMs(times: { readonly createdMs: number; readonly modifiedMs: number }): number {
  return Math.max(times.createdMs, times.modifiedMs)
}

/** The versions of a key, or some of them where it has very many. */
export interface LifecycleKey {
  readonly key: string
  /** From the newest on. */
  readonly versions: readonly LifecycleVersion[]
  /** How many came before these, and when the last of those was made. */
  readonly newer?: { readonly count: number; readonly lastModifiedMs: number } | undefined
  /** Some are older than these. */
  readonly hasMore?: boolean | undefined
}

interface About {
  readonly key: string
  readonly version: LifecycleVersion
  /** 0 is the current version. */
  readonly index: number
  /** When the version came that made this one noncurrent. */
  readonly successorMs: number | undefined
  readonly hasOlder: boolean
}

function isDue(rule: LifecycleRule, about: About, clock: Required<LifecycleClock>): boolean {
  const { version, index, successorMs, hasOlder } = about
  if (!fits(rule, about)) return false
  const { expiration, noncurrent } = rule
  if (index > 0) {
    return (
      noncurrent !== undefined &&
      index > noncurrent.newerVersionsKept &&
      clock.nowMs >= afterDays(successorMs ?? clock.nowMs, noncurrent.days, clock.dayMs)
    )
  }
  if (expiration === undefined) return false
  if (version.isDeleteMarker) {
    if (hasOlder) return false
    if (expiration.kind === 'lone-marker') return true
  }
  const expiresMs = expiryOf(rule, version.lastModifiedMs, clock.dayMs)
  return expiresMs !== undefined && clock.nowMs >= expiresMs
}

/** A delete marker has no tags and no size: a filter for either does not see it. */
function fits({ filter }: LifecycleRule, { key, version }: About): boolean {
  if (version.isDeleteMarker && (filter.tags.size > 0 || hasSize(filter))) return false
  return filterMatches(filter, { key, sizeBytes: version.isDeleteMarker ? 0 : version.sizeBytes, tags: version.tags })
}

function expiryOf({ expiration }: LifecycleRule, lastModifiedMs: number, dayMs: number): number | undefined {
  if (expiration?.kind === 'days') return afterDays(lastModifiedMs, expiration.days, dayMs)
  return expiration?.kind === 'date' ? expiration.dateMs : undefined
}

function afterDays(fromMs: number, days: number, dayMs: number): number {
  return Math.ceil((fromMs + days * dayMs) / dayMs) * dayMs
}

/** When the current version of a key goes, and by which rule. @returns undefined: no rule removes it */
export function objectExpiry(
  rules: readonly LifecycleRule[],
  object: LifecycleSubject & { readonly lastModifiedMs: number },
  dayMs = realDayMs,
): Expiry | undefined {
  const expiries = rules.flatMap((rule) => {
    const expiresMs = expiryOf(rule, object.lastModifiedMs, dayMs)
    return expiresMs !== undefined && rule.isEnabled && filterMatches(rule.filter, object) ? [{ rule, expiresMs }] : []
  })
  return earliest(expiries)
}

export interface UploadExpiry {
  /** Since 1970: `x-amz-abort-date`. */
  readonly abortMs: number
  /** `x-amz-abort-rule-id` */
  readonly ruleId: string
}

/** When an upload that is not completed goes; undefined when no rule ends it. */
export function uploadExpiry(
  rules: readonly LifecycleRule[],
  upload: { readonly key: string; readonly initiatedMs: number },
  dayMs = realDayMs,
): UploadExpiry | undefined {
  const expiries = rules.flatMap((rule) => {
    const { isEnabled, filter, abortUploadsAfterDays: days } = rule
    if (!isEnabled || days === undefined || !upload.key.startsWith(filter.prefix)) return []
    return [{ rule, expiresMs: afterDays(upload.initiatedMs, days, dayMs) }]
  })
  const first = earliest(expiries)
  return first === undefined ? undefined : { abortMs: first.expiresMs, ruleId: first.rule.id }
}

export interface Expiry {
  readonly rule: LifecycleRule
  readonly expiresMs: number
}

function earliest(expiries: readonly Expiry[]): Expiry | undefined {
  return expiries.reduce<Expiry | undefined>(
    (first, expiry) => (first === undefined || expiry.expiresMs < first.expiresMs ? expiry : first),
    undefined,
  )
}

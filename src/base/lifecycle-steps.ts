/**
 * What lifecycle rules want done with the versions of a key, and when.
 *
 * A day counts from the moment something was made (or ceased to be the current version), rounded up to the next midnight
 * UTC: never early. Where several rules fit, the earliest wins. A step says what to do, not that it may be done: a locked
 * version stays, and so does one that changed since it was seen; whoever applies the steps checks both.
 * @module
 */

import type { Tags } from '../tags.ts'
import { formatHttpDate } from '../timestamps.ts'
import { filterMatches, hasSize, type LifecycleRule } from './lifecycle-rule.ts'

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
  subject: { readonly key: string; readonly versions: readonly LifecycleVersion[] },
  { nowMs, dayMs = realDayMs }: LifecycleClock,
): LifecycleStep[] {
  const { key, versions } = subject
  const steps: LifecycleStep[] = []
  for (const [index, version] of versions.entries()) {
    const about = { key, version, versions, index }
    const rule = rules.find((one) => one.isEnabled && isDue(one, about, { nowMs, dayMs }))
    if (rule === undefined) continue
    const isObject = index === 0 && !version.isDeleteMarker
    steps.push({ ruleId: rule.id, kind: isObject ? 'delete' : 'delete-version', versionId: version.versionId })
  }
  return steps
}

interface About {
  readonly key: string
  readonly version: LifecycleVersion
  readonly versions: readonly LifecycleVersion[]
  /** 0 is the current version. */
  readonly index: number
}

function isDue(rule: LifecycleRule, about: About, clock: Required<LifecycleClock>): boolean {
  const { version, versions, index } = about
  if (!fits(rule, about)) return false
  const { expiration, noncurrent } = rule
  if (index > 0) {
    const becameNoncurrentMs = versions[index - 1]?.lastModifiedMs ?? clock.nowMs
    return (
      noncurrent !== undefined &&
      index > noncurrent.newerVersionsKept &&
      clock.nowMs >= afterDays(becameNoncurrentMs, noncurrent.days, clock.dayMs)
    )
  }
  if (expiration === undefined) return false
  if (version.isDeleteMarker) {
    if (versions.length > 1) return false
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

/**
 * The `x-amz-expiration` of an object: when its current version goes, and by which rule. Always in real days.
 * @returns undefined: no rule removes it
 */
export function expirationHeader(
  rules: readonly LifecycleRule[],
  object: { readonly key: string; readonly lastModifiedMs: number; readonly sizeBytes: number; readonly tags: Tags },
): string | undefined {
  const expiries = rules.flatMap((rule) => {
    const expiresMs = expiryOf(rule, object.lastModifiedMs, realDayMs)
    return expiresMs !== undefined && rule.isEnabled && filterMatches(rule.filter, object) ? [{ rule, expiresMs }] : []
  })
  const first = earliest(expiries)
  if (first === undefined) return undefined
  return `expiry-date="${formatHttpDate(first.expiresMs)}", rule-id="${encodeURIComponent(first.rule.id)}"`
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

interface Expiry {
  readonly rule: LifecycleRule
  readonly expiresMs: number
}

function earliest(expiries: readonly Expiry[]): Expiry | undefined {
  return expiries.reduce<Expiry | undefined>(
    (first, expiry) => (first === undefined || expiry.expiresMs < first.expiresMs ? expiry : first),
    undefined,
  )
}

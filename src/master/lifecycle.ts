/**
 * Lifecycle: what the rules of buckets expire, the leader removes: objects, older versions, delete markers with nothing
 * beneath them, uploads that were given up.
 *
 * Observe: pages of a bucket's versions. Plan: `base/lifecycle-steps.ts`, pure, by wall time that cluster time bears out
 * (`wall-guard.ts`). Apply: each step in a transaction of its own, at the version that was seen; one that changed since, or
 * that is locked, stays. Webhooks that the bucket names are told of it (`expiry-notices.ts`). What goes is in trash for its time like all that is removed. The place in a pass is in memory: a new
 * leader begins again, and finds less.
 * @module
 */
import type { Infer } from '../base/codec.ts'
import { isAshlarError } from '../base/errors.ts'
import {
  type LifecycleRule,
  lifecycleAttribute,
  parseLifecycle,
  parseTags,
  tagsAttribute,
  uploadAttribute,
  uploadKey,
  uploadsFolder,
} from '../base/lifecycle-rule.ts'
import {
  type LifecycleKey,
  type LifecycleStep,
  type LifecycleVersion,
  lastModifiedMs,
  lifecycleSteps,
  uploadExpiry,
} from '../base/lifecycle-steps.ts'
import { limits } from '../base/limits.ts'
import { type NotificationRule, notificationAttribute, parseStoredRules } from '../base/notification-rule.ts'
import type { Log } from '../env/log.ts'
import type { Leader, Namespace } from '../namespace/namespace.ts'
import type { ListedVersion, planLifecycle } from '../wire/methods/version-methods.ts'
import type { Attributes } from '../wire/types/attributes.ts'
import type { EventLog } from './event-log.ts'
import { ExpiryNotices } from './expiry-notices.ts'
import { FolderArrivals } from './folder-arrivals.ts'
import type { StepResult } from './worker.ts'

export interface LifecycleOptions {
  readonly namespace: Namespace
  readonly leader: Leader
  readonly events: EventLog
  readonly log: Log
  /** Proven. */
  readonly nowMs: () => number
  readonly dayMs: () => number
  readonly monotonicMs: () => number
}

/** A step and what it is about. */
export interface PlannedExpiry extends Omit<LifecycleStep, 'versionId'> {
  readonly key: string
  /** 0: the null version. */
  readonly objectVersion: number
  /** That was seen. */
  readonly version: number
}

/** Where a bucket's pass goes on: behind all that was judged. */
export interface LifecyclePlace {
  readonly cursor: Buffer
  /** Of the key that the last page ended with. */
  readonly last: { readonly key: string; readonly count: number; readonly lastModifiedMs: number } | undefined
  /** Seen, and not judged yet: whether it is the last of its key is not known. */
  readonly held: readonly Listed[]
}

export interface LifecyclePage {
  readonly steps: readonly PlannedExpiry[]
  readonly next: LifecyclePlace | undefined
}

interface BucketRules {
  readonly bucket: string
  readonly rules: readonly LifecycleRule[]
  readonly notifications?: readonly NotificationRule[]
}

interface Listed {
  readonly key: string
  readonly attributes: Attributes
}

const pageVersions = 500
const pageBuckets = 100
const pageUploads = 200
const previewPages = 64
const mostPassMs = 3_600_000
/** A pass for each of so many parts of a day. */
const passesPerDay = 8

export class Lifecycle {
  readonly #options: LifecycleOptions
  readonly #notices: ExpiryNotices
  #buckets: BucketRules[] = []
  #place: LifecyclePlace | undefined
  #passBeganMs = Number.NEGATIVE_INFINITY

  constructor(options: LifecycleOptions) {
    this.#options = options
    this.#notices = new ExpiryNotices(options)
  }

  /** One page of one bucket. */
  async step(signal: AbortSignal): Promise<StepResult> {
    const { monotonicMs, dayMs } = this.#options
    const [current] = this.#buckets
    if (current === undefined) {
      if (monotonicMs() < this.#passBeganMs + Math.min(mostPassMs, dayMs() / passesPerDay)) return 'idle'
      this.#passBeganMs = monotonicMs()
      this.#buckets = await this.#bucketsWithRules()
      return this.#buckets.length === 0 ? 'idle' : 'more'
    }
    try {
      if (this.#place === undefined) await this.#abortUploads(current, signal)
      const { steps, next } = await this.plan(current, this.#place)
      for (const step of steps) {
        if (signal.aborted) return 'idle'
        await this.#apply(current, step)
      }
      this.#place = next
    } catch (error) {
      // The bucket went meanwhile.
      if (!isAshlarError(error, 'not-found', 'not-a-directory')) throw error
      this.#place = undefined
    }
    if (this.#place === undefined) this.#buckets.shift()
    return this.#buckets.length === 0 ? 'idle' : 'more'
  }

  /** What the rules of a bucket want done now, as far as one answer goes. @throws {AshlarError} `not-found` */
  async preview(bucket: string): Promise<Infer<typeof planLifecycle.response>> {
    const rules = (await this.#rulesOf(bucket)) ?? []
    const steps: PlannedExpiry[] = []
    let place: LifecyclePlace | undefined
    for (let pages = 0; pages < previewPages; pages++) {
      const page = await this.plan({ bucket, rules }, place)
      steps.push(...page.steps)
      if (page.next === undefined && steps.length <= limits.planSteps) return { steps, isWhole: true }
      place = page.next
      if (place === undefined || steps.length > limits.planSteps) break
    }
    return { steps: steps.slice(0, limits.planSteps), isWhole: false }
  }

  /** What the rules want done with one page of a bucket. Changes nothing. */
  async plan({ bucket, rules }: BucketRules, place: LifecyclePlace | undefined): Promise<LifecyclePage> {
    const { namespace, nowMs, dayMs } = this.#options
    const query = { bucket, prefix: '', delimiter: '', after: '', limit: pageVersions, wantXattrs: true }
    const page = await namespace.listVersions(place === undefined ? query : { ...query, cursor: place.cursor })
    const listed = [...(place?.held ?? []), ...page.versions.flatMap(listedOf)]
    // Whether the last one has older ones beneath it is in the next page.
    const held = page.cursor === undefined ? [] : listed.splice(-1)
    const clock = { nowMs: nowMs(), dayMs: dayMs() }
    const arrivals = new FolderArrivals(namespace, bucket)
    const steps: PlannedExpiry[] = []
    let last = place?.last
    for (const group of groupsByKey(listed)) {
      const [first] = group as [Listed, ...Listed[]]
      const newer = last?.key === first.key ? last : undefined
      const subject = {
        key: first.key,
        versions: group.map(subjectOf),
        newer,
        hasMore: held[0]?.key === first.key,
      }
      const due = lifecycleSteps(rules, subject, clock)
      const judged = due.length === 0 ? due : lifecycleSteps(rules, since(subject, await arrivals.of(first.key)), clock)
      for (const { versionId, ...step } of judged) {
        const { attributes } = group[Number(versionId)] as Listed
        const { objectVersion = 0, version } = attributes
        steps.push({ ...step, key: first.key, objectVersion, version })
      }
      const oldest = (group.at(-1) as Listed).attributes
      last = { key: first.key, count: (newer?.count ?? 0) + group.length, lastModifiedMs: lastModifiedMs(oldest) }
    }
    return { steps, next: page.cursor === undefined ? undefined : { cursor: page.cursor, last, held } }
  }

  /** @returns undefined: the bucket has none */
  async #rulesOf(bucket: string): Promise<readonly LifecycleRule[] | undefined> {
    const { attributes } = await this.#options.namespace.stat({ path: `/${bucket}`, wantXattrs: true })
    return rulesIn(attributes)
  }

  async #apply({ bucket, notifications = [] }: BucketRules, step: PlannedExpiry): Promise<void> {
    const { leader, events } = this.#options
    const { key, kind, objectVersion, version, ruleId } = step
    const named = kind === 'delete' ? {} : { objectVersion }
    const notices = await this.#notices.of(notifications, { bucket, key, kind })
    try {
      await leader.expireObject({ bucket, key, ifVersion: version, notices, ...named })
    } catch (error) {
      // Somebody changed it or removed it since, or it is locked: then it is not what was judged, or stays.
      if (isAshlarError(error, 'changed', 'not-found', 'object-locked')) return
      throw error
    }
    events.gather(`lifecycle ${bucket} ${ruleId}`, 1, (count) => ({
      kind: 'lifecycle',
      what: `bucket ${bucket}: expired ${count} objects or versions`,
      reason: `rule "${ruleId.slice(0, 255)}" says so; they are in trash, or beneath a delete marker`,
      count,
    }))
  }

  async #abortUploads({ bucket, rules }: BucketRules, signal: AbortSignal): Promise<void> {
    if (!rules.some(({ isEnabled, abortUploadsAfterDays }) => isEnabled && abortUploadsAfterDays !== undefined)) return
    const { leader, events, nowMs, dayMs } = this.#options
    const folder = uploadsFolder(bucket)
    for (let after: string | undefined = ''; after !== undefined && !signal.aborted; ) {
      const page = await this.#uploadPage(folder, after)
      for (const { name } of page.entries) {
        const upload = await this.#uploadAt(`${folder}/${name}/upload`)
        const expiry = upload && uploadExpiry(rules, upload, dayMs())
        if (expiry === undefined || nowMs() < expiry.abortMs) continue
        await leader.dropUpload(`${folder}/${name}`)
        events.gather(`lifecycle uploads ${bucket} ${expiry.ruleId}`, 1, (count) => ({
          kind: 'lifecycle',
          what: `bucket ${bucket}: aborted ${count} uploads`,
          reason: `rule "${expiry.ruleId.slice(0, 255)}" says so: they were not completed in time`,
          count,
        }))
      }
      after = page.more ? page.next : undefined
    }
  }

  async #uploadPage(folder: string, after: string) {
    try {
      return await this.#options.namespace.listDirectory({ path: folder, after, limit: pageUploads })
    } catch (error) {
      if (isAshlarError(error, 'not-found')) return { entries: [], more: false, next: undefined }
      throw error
    }
  }

  async #uploadAt(path: string): Promise<{ readonly key: string; readonly initiatedMs: number } | undefined> {
    try {
      const { attributes } = await this.#options.namespace.stat({ path, wantXattrs: true })
      const key = uploadKey(textOf(attributes, uploadAttribute))
      return key === undefined ? undefined : { key, initiatedMs: attributes.createdMs }
    } catch (error) {
      if (isAshlarError(error, 'not-found', 'not-a-directory')) return undefined
      throw error
    }
  }

  async #bucketsWithRules(): Promise<BucketRules[]> {
    const found: BucketRules[] = []
    for (let after: string | undefined = ''; after !== undefined; ) {
      const page = await this.#options.namespace.listDirectory({
        ...{ path: '/', after, limit: pageBuckets, wantXattrs: true },
      })
      for (const { name, attributes } of page.entries) {
        const rules = rulesIn(attributes)
        if (!rules?.some(({ isEnabled }) => isEnabled)) continue
        const notifications = parseStoredRules(textOf(attributes, notificationAttribute) ?? '')
        found.push({ bucket: name, rules, notifications })
      }
      after = page.more ? page.next : undefined
    }
    return found
  }
}

function listedOf({ name, attributes }: ListedVersion): readonly Listed[] {
  return attributes === undefined ? [] : [{ key: name, attributes }]
}

function groupsByKey(listed: readonly Listed[]): readonly (readonly Listed[])[] {
  return [...Map.groupBy(listed, ({ key }) => key).values()]
}

/** By its place among those that were seen. */
function subjectOf({ attributes }: Listed, index: number): LifecycleVersion {
  return {
    versionId: String(index),
    isDeleteMarker: attributes.isDeleteMarker === true,
    lastModifiedMs: lastModifiedMs(attributes),
    sizeBytes: attributes.length,
    tags: parseTags(textOf(attributes, tagsAttribute)),
  }
}

/** Nothing is older in a bucket than since it came there. */
function since(subject: LifecycleKey, arrivedMs: number): LifecycleKey {
  const notBefore = <V extends { readonly lastModifiedMs: number }>(version: V): V =>
    version.lastModifiedMs >= arrivedMs ? version : { ...version, lastModifiedMs: arrivedMs }
  return { ...subject, versions: subject.versions.map(notBefore), newer: subject.newer && notBefore(subject.newer) }
}

function rulesIn(attributes: Attributes): readonly LifecycleRule[] | undefined {
  const text = attributes.kind === 'directory' ? textOf(attributes, lifecycleAttribute) : undefined
  return text === undefined ? undefined : parseLifecycle(text)
}

function textOf({ xattrs = [] }: Attributes, name: string): string | undefined {
  return xattrs.find((xattr) => xattr.name === name)?.value.toString('utf8')
}

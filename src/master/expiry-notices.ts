/**
 * Tells webhooks of what lifecycle removes: rows of their queues, written in the transaction that removes it. So each removal is
 * told, and nothing that did not happen. The S3 door delivers them.
 *
 * Bounded: where `limits.s3EventsWaiting` wait for a webhook, no more are written, and the log says so. One look serves
 * the next {@link noticesPerLook}: the door may queue some beside them.
 * @module
 */
import { isAshlarError } from '../base/errors.ts'
import type { LifecycleStep } from '../base/lifecycle-steps.ts'
import { limits } from '../base/limits.ts'
import {
  type ExpiryEvent,
  eventPath,
  eventsFolder,
  expiryEventAttribute,
  type NotificationRule,
  ruleMatches,
} from '../base/notification-rule.ts'
import type { Log } from '../env/log.ts'
import type { Leader, Namespace, Notice, Removed } from '../namespace/namespace.ts'

export interface ExpiryNoticesOptions {
  readonly namespace: Pick<Namespace, 'stat'>
  readonly leader: Pick<Leader, 'epoch'>
  readonly log: Pick<Log, 'warn'>
  readonly nowMs: () => number
}

export interface Expiry extends Pick<LifecycleStep, 'kind'> {
  readonly bucket: string
  readonly key: string
}

const noticesPerLook = 100

export class ExpiryNotices {
  readonly #options: ExpiryNoticesOptions
  /** What may be written for a webhook before it is looked at again. */
  readonly #room = new Map<string, number>()
  #count = 0

  constructor(options: ExpiryNoticesOptions) {
    this.#options = options
  }

  /** What to write once it is known what was removed. @returns undefined: nobody wants to know */
  async of(
    rules: readonly NotificationRule[],
    expiry: Expiry,
  ): Promise<((removed: Removed) => readonly Notice[]) | undefined> {
    const { key, kind, bucket } = expiry
    const marker = 'LifecycleExpiration:DeleteMarkerCreated'
    const removal = 'LifecycleExpiration:Delete'
    const asked: NotificationRule[] = []
    for (const rule of rules) {
      const isAsked = [marker, removal].some((event) => ruleMatches(rule, { event: event as typeof marker, key }))
      if (isAsked && (await this.#takeRoom(rule.webhook))) asked.push(rule)
    }
    if (asked.length === 0) return undefined
    const { leader, nowMs } = this.#options
    const atMs = nowMs()
    // No other leader has this epoch.
    const unique = `${leader.epoch.toString(16)}-${(++this.#count).toString(16)}`
    return ({ objectVersion, isDeleteMarker }) => {
      const event = kind === 'delete' && isDeleteMarker ? marker : removal
      const told = asked.filter((rule) => ruleMatches(rule, { event, key }))
      return told.map(({ id: ruleId, webhook }, index) => {
        const facts: ExpiryEvent = { version: 1, ruleId, event, bucket, key, objectVersion, atMs }
        const path = eventPath(webhook, { atMs, unique: `${unique}-${index}` })
        return { path, xattrs: [{ name: expiryEventAttribute, value: Buffer.from(JSON.stringify(facts)) }] }
      })
    }
  }

  async #takeRoom(webhook: string): Promise<boolean> {
    const room =
      this.#room.get(webhook) ?? Math.min(noticesPerLook, limits.s3EventsWaiting - (await this.#waiting(webhook)))
    if (room > 1) this.#room.set(webhook, room - 1)
    else this.#room.delete(webhook)
    if (room > 0) return true
    this.#options.log.warn('What lifecycle removes is not told: too many events wait for the webhook', { webhook })
    return false
  }

  async #waiting(webhook: string): Promise<number> {
    try {
      const { attributes } = await this.#options.namespace.stat({ path: `${eventsFolder}/${webhook}` })
      return attributes.entries ?? 0
    } catch (error) {
      if (isAshlarError(error, 'not-found')) return 0
      throw error
    }
  }
}

/**
 * Tells webhooks what happened: queues events of a request before it is answered, and delivers what waits, in the background.
 *
 *     request → rules that match → queue (durable) → answer
 *     lifecycle's removal → queue (the leader, in the same transaction)
 *     queue → the first events, under the webhook's lock → POST, signed → removed
 *
 * At least once, mostly in order; one gateway at a time delivers to a webhook. One that fails is tried again with longer and longer
 * pauses, and keeps nobody else waiting.
 * @module
 */
import { AshlarError, isAshlarError } from '../../../base/errors.ts'
import { limits } from '../../../base/limits.ts'
import { type NotificationRule, ruleMatches } from '../../../base/notification-rule.ts'
import type { AshlarClient } from '../../../client/index.ts'
import type { Env } from '../../../env/env.ts'
import type { HttpPost } from '../../../env/http-post.ts'
import { sleep } from '../../../env/waiting.ts'
import { EventQueue, type QueuedEvent } from './event-queue.ts'
import {
  type ChangeFacts,
  eventJson,
  eventSignature,
  expiryJson,
  type RequestFacts,
  testEventJson,
} from './event-record.ts'
import type { Webhook, WebhookTargets } from './webhook-targets.ts'

const eventsPerPass = 64
const sentAtOnce = 8
/** How long after it began to wait for nothing the queues are looked at again: other gateways, and dead ones, fill them too. */
const idleMs = 5_000
const firstPauseMs = 1_000
const longestPauseMs = 60_000

interface Pause {
  readonly untilMs: number
  readonly lengthMs: number
}

export interface NotifierOptions {
  readonly env: Env
  readonly client: AshlarClient
  readonly targets: WebhookTargets
  readonly post: HttpPost
  readonly region: string
  /** Canonical id of a bucket's owner, also of a bucket that is gone. */
  readonly ownerOf: (bucket: string, options: { readonly signal: AbortSignal }) => Promise<string>
}

export class Notifier implements AsyncDisposable {
  readonly #env: Env
  readonly #client: AshlarClient
  readonly #post: HttpPost
  readonly #region: string
  readonly #ownerOf: NotifierOptions['ownerOf']
  readonly #queue: EventQueue
  readonly #end = new AbortController()
  readonly #pauses = new Map<string, Pause>()
  readonly #work: Promise<void>
  #wake = new AbortController()
  readonly targets: WebhookTargets

  constructor({ env, client, targets, post, region, ownerOf }: NotifierOptions) {
    this.#env = env
    this.#client = client
    this.#post = post
    this.#region = region
    this.#ownerOf = ownerOf
    this.targets = targets
    this.#queue = new EventQueue({ env, client })
    this.#work = this.#run()
  }

  /** Resolves when all that the rules ask for is durably queued. @throws {AshlarError} it could not be: do not acknowledge */
  async publish(rules: readonly NotificationRule[], change: ChangeFacts, request: RequestFacts): Promise<void> {
    for (const rule of rules) {
      if (ruleMatches(rule, change)) await this.#queue.add(rule.webhook, eventJson(rule, change, request))
    }
    this.#wake.abort()
  }

  async publishTest(webhook: string, request: RequestFacts): Promise<void> {
    await this.#queue.add(webhook, testEventJson(request))
    this.#wake.abort()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort()
    await this.#work
  }

  async #run(): Promise<void> {
    const { signal } = this.#end
    while (!signal.aborted) {
      this.#wake = new AbortController()
      try {
        const hasMore = await this.#pass()
        if (!hasMore) await sleep(this.#env.clock, idleMs, signal, this.#wake.signal)
      } catch (error) {
        if (this.#wake.signal.aborted || signal.aborted) continue
        this.#env.log.warn('S3 events could not be looked up', { error })
        await sleep(this.#env.clock, idleMs, signal).catch(() => undefined) // Ended meanwhile: the loop sees it.
      }
    }
  }

  /** @returns whether there is more to do at once */
  async #pass(): Promise<boolean> {
    const { signal } = this.#end
    const nowMs = this.#env.clock.monotonicMs()
    const names = await this.#queue.webhooks({ signal })
    const due = names.filter((name) => (this.#pauses.get(name)?.untilMs ?? 0) <= nowMs)
    const results = await Promise.all(due.map((name) => this.#deliverTo(name)))
    return results.some((hasMore) => hasMore)
  }

  async #deliverTo(name: string): Promise<boolean> {
    const { signal } = this.#end
    try {
      return await this.#client.withLock(
        `s3-events/${name}`,
        async ({ signal: lost }) => {
          const webhook = await this.targets.find(name, { signal })
          if (webhook === undefined) {
            await this.#queue.removeAll(name, { signal })
            return false
          }
          const events = await this.#queue.next(name, { count: eventsPerPass, signal })
          const both = AbortSignal.any([signal, lost])
          for (let at = 0; at < events.length; at += sentAtOnce) {
            await Promise.all(events.slice(at, at + sentAtOnce).map((event) => this.#deliver(webhook, event, both)))
          }
          this.#pauses.delete(name)
          return events.length === eventsPerPass
        },
        { waitMs: 0, signal },
      )
    } catch (error) {
      // Another gateway is at it.
      if (isAshlarError(error, 'locked')) return false
      if (!signal.aborted) this.#pause(name, error)
      return false
    }
  }

  /** @throws {AshlarError} it was not taken */
  async #deliver({ name, url, mayBePrivate, secret }: Webhook, event: QueuedEvent, signal: AbortSignal): Promise<void> {
    const { id } = event
    const json = await this.#jsonOf(event, signal)
    if (json !== undefined) {
      const signature = eventSignature(json, { secret, atMs: this.#env.clock.wallMs() })
      const headers = { 'content-type': 'application/json', 'ashlar-event-id': id, 'ashlar-signature': signature }
      const body = Buffer.from(json)
      const status = await this.#post({ url, headers, body, mayBePrivate, signal, timeoutMs: limits.webhookTimeoutMs })
      if (status < 200 || status > 299) {
        throw new AshlarError('unavailable', `Cannot deliver to webhook ${name}: it answered ${status}`)
      }
    }
    await this.#queue.remove(name, id, { signal })
  }

  async #jsonOf({ id, content }: QueuedEvent, signal: AbortSignal): Promise<string | undefined> {
    if (content === undefined || typeof content === 'string') return content
    const ownerId = await this.#ownerOf(content.bucket, { signal })
    return expiryJson(content, { ownerId, region: this.#region, eventId: id })
  }

  #pause(name: string, error: unknown): void {
    const lengthMs = Math.min((this.#pauses.get(name)?.lengthMs ?? firstPauseMs / 2) * 2, longestPauseMs)
    this.#pauses.set(name, { lengthMs, untilMs: this.#env.clock.monotonicMs() + lengthMs })
    this.#env.log.warn('A webhook did not take an event: it is tried again', {
      webhook: name,
      afterMs: lengthMs,
      error,
    })
  }
}

/**
 * Events that wait for their webhook: a row of the metadata each, written before the request that caused it is answered. So what was
 * acknowledged is told at least once, whatever gateway dies; any gateway delivers what any other queued, and what the leader did
 * (`base/notification-rule.ts`).
 *
 * Bounded: past `limits.s3EventsWaiting` of one webhook further events are dropped, and the log says so.
 * @module
 */
import { isAshlarError } from '../../../base/errors.ts'
import { limits } from '../../../base/limits.ts'
import {
  type ExpiryEvent,
  eventAttribute,
  eventPath,
  eventsFolder,
  expiryEventAttribute,
  parseExpiryEvent,
} from '../../../base/notification-rule.ts'
import type { AshlarClient } from '../../../client/index.ts'
import type { Env } from '../../../env/env.ts'

export interface QueuedEvent {
  /** In the order of time, as gateways' clocks have it. */
  readonly id: string
  /** What is sent: of what a request did, the JSON; of what lifecycle did, what it is made of; undefined: nothing. */
  readonly content: string | ExpiryEvent | undefined
}

/** How often the length of a queue is looked up: between, only what this gateway adds is counted. */
const countedMs = 10_000

interface CallOptions {
  readonly signal?: AbortSignal | undefined
}

export class EventQueue {
  readonly #env: Env
  readonly #client: AshlarClient
  /** Of each webhook, which are bounded. */
  readonly #lengths = new Map<string, { count: number; readonly countedMs: number }>()

  constructor({ env, client }: { readonly env: Env; readonly client: AshlarClient }) {
    this.#env = env
    this.#client = client
  }

  /** Resolves when it is durable. @returns false: the queue is full, it was dropped */
  async add(webhook: string, json: string, options: CallOptions = {}): Promise<boolean> {
    const length = await this.#length(webhook)
    if (length.count >= limits.s3EventsWaiting) {
      this.#env.log.error('An S3 event was dropped: too many wait for its webhook', { webhook })
      return false
    }
    length.count++
    const { clock, random } = this.#env
    const path = eventPath(webhook, { atMs: clock.wallMs(), unique: random.bytes(8).toString('hex') })
    const xattrs = { [eventAttribute]: json }
    await this.#client.writeFile(path, '', { makeParents: true, xattrs, ...options })
    return true
  }

  /** Webhooks that something may wait for. */
  async webhooks(options: CallOptions = {}): Promise<readonly string[]> {
    const names: string[] = []
    for await (const { name } of this.#entries(eventsFolder, { ...options })) names.push(name)
    return names
  }

  /** The first ones. */
  async next(
    webhook: string,
    { count, signal }: CallOptions & { readonly count: number },
  ): Promise<readonly QueuedEvent[]> {
    const events: QueuedEvent[] = []
    for await (const { name, stats } of this.#entries(`${eventsFolder}/${webhook}`, { pageEntries: count, signal })) {
      const json = stats.xattrs.get(eventAttribute)?.toString('utf8')
      const expiry = stats.xattrs.get(expiryEventAttribute)?.toString('utf8')
      events.push({ id: name, content: json ?? (expiry === undefined ? undefined : parseExpiryEvent(expiry)) })
      if (events.length === count) break
    }
    return events
  }

  /** It was delivered: nothing of it stays, in the trash neither. */
  async remove(webhook: string, id: string, { signal }: CallOptions = {}): Promise<void> {
    const path = `${eventsFolder}/${webhook}/${id}`
    const trashId = await this.#client.rm(path, { force: true, signal })
    if (trashId !== undefined) await this.#client.emptyTrash(path, { trashId, signal })
  }

  /** Of a webhook that is gone. */
  async removeAll(webhook: string, options: CallOptions = {}): Promise<void> {
    await this.#client.rm(`${eventsFolder}/${webhook}`, { recursive: true, force: true, ...options })
  }

  async #length(webhook: string): Promise<{ count: number }> {
    const known = this.#lengths.get(webhook)
    const nowMs = this.#env.clock.monotonicMs()
    // What others delivered meanwhile is not known: near the bound it is looked up.
    if (known !== undefined && nowMs - known.countedMs < countedMs && known.count < limits.s3EventsWaiting) return known
    let count = 0
    for await (const _ of this.#entries(`${eventsFolder}/${webhook}`, {})) if (++count >= limits.s3EventsWaiting) break
    const length = { count, countedMs: nowMs }
    this.#lengths.set(webhook, length)
    return length
  }

  async *#entries(path: string, options: { readonly pageEntries?: number; readonly signal?: AbortSignal | undefined }) {
    try {
      yield* this.#client.list(path, { xattrs: true, ...options })
    } catch (error) {
      if (!isAshlarError(error, 'not-found')) throw error
    }
  }
}

/**
 * Ships the change log: what the metadata engine has committed goes to a few chunk servers, in sealed blocks, a moment later.
 *
 * Commits wait for nothing here: they add to the feed, which is bounded; a timer takes what came, seals it once, and gives it to the
 * segment, which sends it (`log-segment.ts`).
 *
 *     feed → (every 200 ms) blocks of the segment → each server in its own time → shipped: on enough of them
 *
 * Invariants: memory is bounded, here and there; after a gap nothing is shipped until a new segment begins, together with a new base.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import type { ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { counterOf, type Rising } from '../base/rising.ts'
import type { Timer } from '../env/clock.ts'
import type { Env } from '../env/env.ts'
import type { ChangeFeed } from '../kv/change-feed.ts'
import type { BlockSeal } from './backup-blocks.ts'
import { encodeCommit } from './backup-records.ts'
import type { BackupShelves } from './backup-shelves.ts'
import { LogSegment } from './log-segment.ts'

/** From a commit to the sealing of what it changed. */
const tickMs = 200
/** Enough servers: the loss of one of them and of the master together loses nothing. */
const enough = 2

export interface LogShipperOptions {
  readonly env: Env
  readonly feed: ChangeFeed
  readonly seal: BlockSeal
  readonly shelves: Pick<BackupShelves, 'append'>
  readonly leaderEpoch: Rising
  readonly onFatal: (error: AshlarError) => void
}

export class LogShipper {
  readonly #options: LogShipperOptions
  #segment: LogSegment | undefined
  /** Sealed up to this commit. */
  #taken: Rising
  #timer: Timer | undefined
  /** When the oldest commit came that is not sealed yet. */
  #waitingSinceMs: number | undefined
  #gap: string | undefined
  #isStopped = false
  /** The first segment goes on where an earlier master's log ends. */
  #continues = false
  /** A segment ends: what comes now belongs to the next. */
  #isHeld = false
  #waiters: { readonly position: Rising; readonly resolve: () => void }[] = []

  constructor(options: LogShipperOptions) {
    this.#options = options
    this.#taken = options.feed.position
  }

  /** The log on the servers ends at `position`, which the feed goes on from: the first segment will too. */
  continueFrom(position: Rising): void {
    if (this.#segment !== undefined || this.#options.feed.since(position) === undefined) return
    this.#taken = position
    this.#continues = true
  }

  start(): void {
    this.#options.feed.onAppended = () => {
      this.#waitingSinceMs ??= this.#nowMs()
      this.#schedule(tickMs)
    }
  }

  /** What is on its way still goes. */
  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
  }

  /** Why the log has a gap: only a new base, with a new segment, helps. */
  get gap(): string | undefined {
    return this.#gap
  }

  get targets(): ReadonlySet<ServerId> {
    return this.#segment?.servers ?? new Set()
  }

  /** Of the segment, and so of what a restore has to read. */
  get lengthBytes(): number {
    return this.#segment?.lengthBytes ?? 0
  }

  /** Servers that have not taken what they were sent for `ms`. */
  failingCount(ms: number): number {
    return this.#segment?.failingCount(ms) ?? 0
  }

  /** The last commit that is on enough servers; undefined: none, or there is a gap. */
  get shipped(): Rising | undefined {
    return this.#gap === undefined ? this.#segment?.shipped : undefined
  }

  /** How long the oldest commit has waited that is not on enough servers. */
  lagMs(): number {
    const sinceMs = this.#segment?.unshippedSinceMs ?? this.#waitingSinceMs
    return sinceMs === undefined ? 0 : Math.max(0, Math.round(this.#nowMs() - sinceMs))
  }

  /**
   * Begins a segment on `servers`. What the last one still has to send goes first, for a while; where there is a gap, or that
   * does not succeed, it is left behind.
   * @returns `start`: the position after which the segment begins, which rows that are read from now on include; and whether it
   *   goes on where the one before it ends
   */
  async begin(
    servers: readonly ServerId[],
    signal: AbortSignal,
  ): Promise<{ readonly start: Rising; readonly isContinuous: boolean }> {
    const { feed, leaderEpoch } = this.#options
    const isContinuous = await this.#finishSegment(signal)
    // In one turn from here on: no commit comes between the two segments.
    const start = isContinuous ? this.#taken : feed.position
    this.#taken = start
    feed.dropThrough(start)
    this.#gap = undefined
    const segment: LogSegment = new LogSegment({
      ...this.#options,
      id: { kind: 'log', leaderEpoch, start },
      servers,
      needed: Math.min(enough, servers.length),
      onProgress: () => this.#progressed(segment),
      onRetry: () => this.#schedule(tickMs),
    })
    this.#segment = segment
    this.#waitingSinceMs = feed.queuedBytes > 0 ? this.#nowMs() : undefined
    this.#schedule(tickMs)
    return { start, isContinuous }
  }

  /** @returns whether all that was taken is on enough servers */
  async #finishSegment(signal: AbortSignal): Promise<boolean> {
    if (this.#segment === undefined) return this.#continues && this.#options.feed.since(this.#taken) !== undefined
    if (this.#gap !== undefined) return false
    this.#take()
    this.#isHeld = true
    try {
      await this.whenShipped(this.#taken, signal)
      return this.#gap === undefined
    } catch (error) {
      this.#options.env.log.warn('the end of a log segment did not reach enough servers', { error })
      return false
    } finally {
      this.#isHeld = false
    }
  }

  /** Resolves when all up to `position` is on enough servers. @throws {AshlarError} `unavailable` — not in time; `cancelled` */
  async whenShipped(position: Rising, signal?: AbortSignal): Promise<void> {
    if (this.#hasShipped(position)) return
    this.#schedule(0)
    const { clock } = this.#options.env
    await new Promise<void>((resolve, reject) => {
      const end = (settle: () => void) => {
        timer.cancel()
        signal?.removeEventListener('abort', onAbort)
        this.#waiters = this.#waiters.filter((each) => each !== waiter)
        settle()
      }
      const waiter = { position, resolve: () => end(resolve) }
      const late = () => new AshlarError('unavailable', `Cannot go on: the change log is not on enough servers yet`)
      const timer = clock.after(shipWithinMs, () => end(() => reject(late())))
      const onAbort = () => end(() => reject(new AshlarError('cancelled', 'Cannot wait for the change log: stopped')))
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#waiters.push(waiter)
    })
  }

  #hasShipped(position: Rising): boolean {
    const shipped = this.shipped
    return shipped !== undefined && counterOf(shipped) >= counterOf(position)
  }

  #schedule(delayMs: number): void {
    if (this.#isStopped || (this.#timer !== undefined && delayMs > 0)) return
    this.#timer?.cancel()
    this.#timer = this.#options.env.clock.after(delayMs, () => this.#tick(), { background: true })
  }

  #tick(): void {
    this.#timer = undefined
    if (this.#segment === undefined || this.#isStopped) return
    if (this.#gap === undefined && !this.#isHeld) this.#take()
    this.#segment.send()
    if (this.#segment.hasUnsent) this.#schedule(tickMs)
  }

  /** Seals what was committed since the last time. */
  #take(): void {
    const { feed, seal } = this.#options
    const segment = this.#segment
    if (segment === undefined) return
    const batches = feed.since(this.#taken)
    if (batches === undefined) {
      this.#lose('more was changed at once than could be sent')
      return
    }
    const madeMs = this.#waitingSinceMs ?? this.#nowMs()
    this.#waitingSinceMs = undefined
    const last = batches.at(-1)
    if (last === undefined) return
    const text = Buffer.concat(batches.map(encodeCommit))
    for (let at = 0; at < text.length; at += limits.backupBlockBytes) {
      const isLast = at + limits.backupBlockBytes >= text.length
      const place = { ...segment.id, kind: 'log' as const, index: segment.nextIndex }
      const bytes = seal.seal(place, text.subarray(at, at + limits.backupBlockBytes))
      // Of what is cut in the middle, only the end makes it whole.
      segment.add({ bytes, through: isLast ? last.position : this.#taken, madeMs })
    }
    this.#taken = last.position
    feed.dropThrough(this.#taken)
  }

  #progressed(segment: LogSegment): void {
    if (segment !== this.#segment) return
    if (segment.isStuck) this.#lose('too few of the servers that kept the log take it')
    for (const waiter of this.#waiters.slice()) if (this.#hasShipped(waiter.position)) waiter.resolve()
  }

  #lose(why: string): void {
    this.#gap ??= why
    const { feed, env } = this.#options
    env.log.warn('the change log has a gap: a new base is needed', { reason: why })
    feed.dropThrough(feed.position)
  }

  #nowMs(): number {
    return this.#options.env.clock.monotonicMs()
  }
}

const shipWithinMs = 5_000

/**
 * TxnKV in memory: optimistic transactions that really run at the same time, for tests, the simulator, and clusters
 * that live in one process. It can be told to conflict, delay, refuse, and leave commits unknown.
 *
 * A commit is applied to its {@link MemoryImage} in one turn, and answered in a later one: a crash between them leaves an
 * applied transaction without an answer. The image outlives the engine; what was not applied at a crash is gone, and with
 * `unsafeNoSync` so may be the latest commits.
 *
 * With `syncDelayMs` it commits in groups, as an engine on a disk does: what was applied is seen at once, is durable after
 * the next sync, and until then nothing that saw it is answered. A crash loses what no sync had begun on, and the group
 * under way whole or not at all.
 * @module
 */
import { AshlarError, isAshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Clock } from '../env/clock.ts'
import type { Random } from '../env/random.ts'
import { sleep, throwIfCancelled } from '../env/waiting.ts'
import { BodyDeadlines } from './body-deadlines.ts'
import { BufferedTransaction } from './buffered-transaction.ts'
import type { ChangeFeed } from './change-feed.ts'
import { FeedTap } from './feed-tap.ts'
import { GroupSync } from './group-sync.ts'
import { MemoryAttempt } from './memory-attempt.ts'
import { createMemoryImage, type MemoryImage } from './memory-image.ts'
import type { Transaction, TransactOptions, TxnKV } from './txn-kv.ts'

/** Chances are per attempt, 0 to 1. They may be changed at any time. */
export interface MemoryFaults {
  /** The commit is refused as if another transaction had overtaken it: the body runs again. */
  conflict: number
  /** The result of a commit is unknown; half of these are applied. */
  unknown: number
  /** The transaction is refused as too large. */
  tooLarge: number
  /** Each read and each commit waits up to so long, at random. */
  delayMs: number
}

export interface MemoryKVOptions {
  readonly clock: Clock
  readonly random: Random
  /** What a former engine left; a new one if absent. One engine at a time. */
  readonly image?: MemoryImage
  /** Kept, and read at every use: whoever holds it may change it, over several engines. */
  readonly faults?: Partial<MemoryFaults>
  /** A crash loses some of the latest commits. */
  readonly unsafeNoSync?: boolean
  /** Of a typical sync, which makes all durable that was applied before it began. Default: every commit is durable at once. */
  readonly syncDelayMs?: number
  /** A body that takes longer is given up with `timeout`. */
  readonly commitTimeoutMs?: number
  /** Told of each commit once it is durable; the position row becomes part of each. */
  readonly feed?: ChangeFeed | undefined
}

/** Counts since the engine was made. */
export interface MemoryKVStatistics {
  readonly commits: number
  /** Attempts that were run again, injected ones included. */
  readonly conflicts: number
}

export interface MemoryKV extends TxnKV {
  readonly image: MemoryImage
  readonly faults: MemoryFaults
  readonly statistics: MemoryKVStatistics
  /** Ends the engine as SIGKILL or a power cut would: transactions under way reject with `closed`; the image can be opened again at once. */
  crash(): void
}

/** @throws {AshlarError} `in-use` — another engine has the image open */
export function createMemoryKV(options: MemoryKVOptions): MemoryKV {
  return new MemoryEngine(options)
}

/** Attempts before the pauses between them begin to grow. */
const promptAttempts = 2
const maxPauseMs = 64

class MemoryEngine implements MemoryKV {
  readonly image: MemoryImage
  readonly faults: MemoryFaults
  readonly #clock: Clock
  readonly #random: Random
  readonly #synced: boolean
  readonly #groupSync: GroupSync | undefined
  readonly #deadlines: BodyDeadlines
  readonly #tap: FeedTap | undefined
  readonly #attempts = new Set<MemoryAttempt>()
  #underWay = 0
  /** Called when no transaction is under way any more. */
  #settled: (() => void) | undefined
  #life: 'open' | 'closing' | 'closed' | 'crashed' = 'open'
  #commits = 0
  #conflicts = 0
  #closing: Promise<void> | undefined

  constructor({
    clock,
    random,
    image = createMemoryImage(),
    faults = {},
    unsafeNoSync,
    commitTimeoutMs,
    syncDelayMs = 0,
    feed,
  }: MemoryKVOptions) {
    if (image.held) throw new AshlarError('in-use', 'Cannot open the memory image: another engine holds it')
    image.held = true
    this.image = image
    this.faults = Object.assign(faults, { conflict: 0, unknown: 0, tooLarge: 0, delayMs: 0, ...faults })
    this.#clock = clock
    this.#random = random
    this.#groupSync = syncDelayMs > 0 ? new GroupSync(image, { clock, random, delayMs: syncDelayMs }) : undefined
    this.#synced = !unsafeNoSync && this.#groupSync === undefined
    this.#tap = feed && new FeedTap(feed, image)
    this.#deadlines = new BodyDeadlines(clock, commitTimeoutMs ?? limits.metadataCommitTimeoutMs)
  }

  get isReadOnly(): boolean {
    return false
  }

  get statistics(): MemoryKVStatistics {
    return { commits: this.#commits, conflicts: this.#conflicts }
  }

  async transact<T>(body: (tx: Transaction) => Promise<T>, options: TransactOptions = {}): Promise<T> {
    if (this.#life !== 'open') throw ended()
    if (this.#underWay >= limits.transactionsQueued) {
      throw new AshlarError('busy', `Cannot start a transaction: ${this.#underWay} are under way`)
    }
    this.#underWay++
    try {
      return await this.#run(body, options)
    } finally {
      this.#underWay--
      if (this.#underWay === 0) this.#settled?.()
    }
  }

  async usedBytes(): Promise<number> {
    if (this.#life !== 'open') throw ended()
    return this.image.sizeBytes
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  crash(): void {
    // One that was closed has nothing left to lose.
    if (this.#life === 'crashed' || this.#life === 'closed') return
    this.#life = 'crashed'
    if (this.#groupSync === undefined) this.image.loseLatest(this.#random.below(this.image.unsyncedCount + 1))
    else this.#groupSync.crash()
    this.image.held = false
  }

  async #close(): Promise<void> {
    if (this.#life === 'crashed') return
    this.#life = 'closing'
    if (this.#underWay > 0) {
      await new Promise<void>((resolve) => {
        this.#settled = resolve
      })
    }
    if (this.#isCrashed()) return
    this.image.sync()
    this.image.held = false
    this.#life = 'closed'
  }

  async #run<T>(body: (tx: Transaction) => Promise<T>, options: TransactOptions): Promise<T> {
    for (let attempt = 0; attempt < limits.transactionAttempts; attempt++) {
      if (attempt > 0) await this.#pauseBefore(attempt)
      if (this.#isCrashed()) throw ended()
      throwIfCancelled(options.signal, 'run a transaction')
      const result = await this.#attempt(body, options)
      if (result !== 'again') return result.value
      this.#conflicts++
    }
    throw new AshlarError(
      'transaction-conflict',
      `Cannot commit a transaction: it lost to others ${limits.transactionAttempts} times`,
    )
  }

  async #attempt<T>(
    body: (tx: Transaction) => Promise<T>,
    options: TransactOptions,
  ): Promise<{ readonly value: T } | 'again'> {
    const attempt = new MemoryAttempt(this.image, this.faults.delayMs > 0 ? () => this.#delay() : undefined)
    const tx = new BufferedTransaction(attempt)
    this.#attempts.add(attempt)
    try {
      const value = await this.#deadlines.within(body(tx))
      tx.end()
      if (this.faults.delayMs > 0) await this.#delay()
      if (this.#isCrashed()) throw ended()
      if (attempt.doomed) return 'again'
      throwIfCancelled(options.signal, 'run a transaction')
      tx.checkCommit((text) => this.image.get(text) !== undefined)
      if (tx.writes.size === 0) {
        await this.#durable()
        return { value }
      }
      if (this.#happens(this.faults.conflict)) return 'again'
      if (this.#happens(this.faults.tooLarge)) {
        throw new AshlarError('too-large', 'Cannot commit a transaction: too large (injected)')
      }
      if (this.#happens(this.faults.unknown)) return await this.#commitUnknown(attempt, tx, { value, options })
      await this.#apply(attempt, tx)
      return { value }
    } catch (error) {
      if (this.#isCrashed()) throw isAshlarError(error, 'closed') ? error : ended()
      // What a doomed body throws may come from what is no longer so.
      if (attempt.doomed && !isAshlarError(error, 'timeout', 'cancelled')) return 'again'
      await this.#durable()
      throw error
    } finally {
      tx.end()
      this.#attempts.delete(attempt)
    }
  }

  /** Applies, then answers in a later turn. */
  async #apply(attempt: MemoryAttempt, tx: BufferedTransaction): Promise<void> {
    this.#attempts.delete(attempt)
    for (const other of this.#attempts) other.overtake(tx.writes)
    // After that: nobody's reads depend on the position.
    this.#tap?.stamp(tx.writes)
    this.image.apply(tx.writes, { synced: this.#synced })
    this.#tap?.applied(tx.writes)
    this.#commits++
    if (this.#groupSync === undefined) await new Promise<void>((resolve) => this.#clock.soon(resolve))
    await this.#durable()
    if (this.#isCrashed()) throw new AshlarError('closed', 'Cannot answer: the engine crashed', { applied: 'unknown' })
  }

  async #commitUnknown<T>(
    attempt: MemoryAttempt,
    tx: BufferedTransaction,
    { value, options: { witness, signal } }: { readonly value: T; readonly options: TransactOptions },
  ): Promise<{ readonly value: T } | 'again'> {
    this.#attempts.delete(attempt)
    if (this.#happens(0.5)) await this.#apply(attempt, tx)
    if (witness === undefined) throw commitUnknown()
    let isApplied: boolean
    try {
      isApplied = await this.#run(witness, signal === undefined ? {} : { signal })
    } catch (error) {
      throw commitUnknown(error)
    }
    return isApplied ? { value } : 'again'
  }

  /** Waits until all that was applied so far would survive a crash. */
  async #durable(): Promise<void> {
    if (this.#groupSync !== undefined && this.image.unsyncedCount > 0) await this.#groupSync.done()
    if (!this.#isCrashed()) this.#tap?.publish()
  }

  async #delay(): Promise<void> {
    const { delayMs } = this.faults
    if (delayMs > 0) await sleep(this.#clock, this.#random.fraction() * delayMs)
  }

  /** So that those who contend for a key do not all come back at once. */
  async #pauseBefore(attempt: number): Promise<void> {
    if (attempt <= promptAttempts) return
    await sleep(this.#clock, this.#random.fraction() * Math.min(maxPauseMs, 2 ** (attempt - promptAttempts)))
  }

  #happens(chance: number): boolean {
    return chance > 0 && this.#random.fraction() < chance
  }

  /** A call, so that the compiler does not take it for settled before an `await`. */
  #isCrashed(): boolean {
    return this.#life === 'crashed'
  }
}

function ended(): AshlarError {
  return new AshlarError('closed', 'Cannot use the memory engine: it was closed, or crashed')
}

function commitUnknown(cause?: unknown): AshlarError {
  return new AshlarError('commit-unknown', 'Cannot tell whether the transaction was committed', { cause })
}

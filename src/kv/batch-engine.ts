/**
 * Runs transactions one after the other and commits them in batches: the moving part of the embedded engine.
 *
 * - A batch ends when the queue is empty, or at a bound in count, bytes or time, so that the event loop turns.
 * - A batch is written, then synced in another thread. Meanwhile the next one collects: it reads what was written, and is
 *   written itself once that is durable. So one sync is under way at a time, and this thread never stands still for it.
 * - A transaction that writes settles with its batch. One that only read, or failed, settles at once if all rows it read are
 *   durable, so reads do not wait for the disk; else with the youngest batch whose rows it saw, whatever that one's outcome.
 * - A batch that failed cleanly is run again: singly, to find the one that cannot be written; or, if the disk is full, as
 *   a read-only store would. Only a write that failed alone, or lacks room, rejects.
 * - After an unknown outcome nothing is tried again.
 * @module
 */
import { AshlarError, toAshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Rising } from '../base/rising.ts'
import type { Clock } from '../env/clock.ts'
import type { Log } from '../env/log.ts'
import { cancelled, withTimeout } from '../env/waiting.ts'
import { BodyDeadline } from './body-deadline.ts'
import { BufferedTransaction, type CommittedView } from './buffered-transaction.ts'
import type { ChangeFeed } from './change-feed.ts'
import type { DiskReserve } from './disk-reserve.ts'
import { Fifo } from './fifo.ts'
import { PendingTransaction } from './pending-transaction.ts'
import type { CommitFailure, SqliteTable, WrittenRow } from './sqlite-table.ts'
import type { Transaction, TransactOptions } from './txn-kv.ts'
import { seenThrough, WriteSet } from './write-set.ts'

/** `open` → `closing` → `closed`; any but `closed` → `dead`: a sync failed, a commit is overdue, or nobody can tell what was written. */
export type EngineLife = 'open' | 'closing' | 'closed' | 'dead'

/** `plenty` → `none` (only reads, and what frees room) → `trial` (this batch may write, to see) → `plenty` or `none`. */
export type EngineRoom = 'plenty' | 'none' | 'trial'

/** Counts since the engine was opened. */
export interface BatchStatistics {
  /** Batches written, each with one sync. */
  readonly commits: number
  /** Transactions that were settled by those batches. */
  readonly batched: number
}

export interface BatchEngineOptions {
  readonly table: SqliteTable
  /** Makes what was committed to the table durable. Undefined: nothing does, on the user's wish. */
  readonly sync: (() => Promise<void>) | undefined
  readonly reserve: DiskReserve | undefined
  /** Whether the reserve could be filled. */
  readonly reserved: boolean
  readonly clock: Clock
  readonly log: Log
  readonly onFatal: (error: Error) => void
  readonly commitTimeoutMs: number
  /** Told of each batch once it is durable. */
  readonly feed?: ChangeFeed | undefined
}

/** A batch that is written and not durable yet. */
interface WrittenBatch {
  /** Those that wait for it, in order. */
  readonly ran: PendingTransaction[]
  readonly writes: WriteSet
  readonly rows: readonly WrittenRow[]
  /** In the change log. */
  readonly position: Rising | undefined
  readonly startedMs: number
}

/** Bodies of one batch hold the event loop for about so long at most. Measured: 1 to 8 ms give the same rate of creates, longer ones for less CPU. */
const batchSliceMs = 8
const roomCheckIntervalMs = 1000

export class BatchEngine {
  readonly #options: BatchEngineOptions
  readonly #deadline: BodyDeadline
  readonly #view: CommittedView
  #life: EngineLife = 'open'
  #room: EngineRoom = 'plenty'
  readonly #queue = new Fifo<PendingTransaction>()
  #batch = new WriteSet()
  /** Transactions that wait for the batch, in order. */
  #ran: PendingTransaction[] = []
  #syncing: WrittenBatch | undefined
  /** Those that wait for the youngest rows that the running body saw: {@link #ran}, those of {@link #syncing}, or nobody. */
  #seen: PendingTransaction[] | undefined
  /** Resolved when no batch is being synced. */
  #synced: Promise<void> = Promise.resolve()
  /** So many of the next transactions get a batch each. */
  #singly = 0
  #pumping = false
  #roomCheckedMs: number
  #fatal: AshlarError | undefined
  #commits = 0
  #batched = 0
  readonly #ended = Promise.withResolvers<void>()

  constructor(options: BatchEngineOptions) {
    this.#options = options
    const { table, clock } = options
    this.#deadline = new BodyDeadline(clock, options.commitTimeoutMs)
    this.#roomCheckedMs = clock.monotonicMs()
    this.#view = {
      read: (text, key) => {
        const write = this.#batch.get(text)
        if (write !== undefined) {
          this.#seen = this.#ran
          return seenThrough(write, () => table.read(key, text))
        }
        if (this.#syncing?.writes.holds(text)) this.#seen ??= this.#syncing.ran
        return table.read(key, text)
      },
      scan: (range) => {
        if (this.#batch.holdsWithin(range)) this.#seen = this.#ran
        else if (this.#syncing?.writes.holdsWithin(range)) this.#seen ??= this.#syncing.ran
        return this.#batch.mergeOver(table.scan(range), range)
      },
    }
    if (!options.reserved) this.#runOut(undefined)
  }

  get life(): EngineLife {
    return this.#life
  }

  get room(): EngineRoom {
    return this.#room
  }

  get statistics(): BatchStatistics {
    return { commits: this.#commits, batched: this.#batched }
  }

  transact(body: (tx: Transaction) => Promise<unknown>, options: TransactOptions): Promise<unknown> {
    const { signal } = options
    const queued = this.#queue.length
    try {
      this.assertServing()
      if (signal?.aborted) throw cancelled('run a transaction', signal)
      if (queued >= limits.transactionsQueued) {
        throw new AshlarError('busy', `Cannot start a transaction: ${queued} wait already`)
      }
    } catch (error) {
      return Promise.reject(error)
    }
    const pending = new PendingTransaction(body, options)
    this.#queue.push(pending)
    this.#wake()
    return pending.promise
  }

  /** @throws {AshlarError} `closed`, `disk-failed` */
  assertServing(): void {
    if (this.#life === 'open') return
    if (this.#fatal === undefined) throw new AshlarError('closed', 'Cannot use the metadata: it was closed')
    throw this.#diskFailed()
  }

  /** Resolves when what can be read now is durable, or the engine is dead. */
  async synced(): Promise<void> {
    await this.#synced
  }

  /** Resolves when what was queued has settled. Takes nothing more. Idempotent. */
  close(): Promise<void> {
    if (this.#life === 'open') {
      this.#life = 'closing'
      this.#wake()
    }
    return this.#ended.promise
  }

  #wake(): void {
    if (this.#pumping) return
    this.#pumping = true
    // After the I/O of this turn, so that what arrived together commits together.
    this.#options.clock.soon(() => {
      this.#pump().catch((error: unknown) => this.#die(toAshlarError(error, 'run transactions')))
    })
  }

  async #pump(): Promise<void> {
    if (this.#room === 'none') await this.#seeRoom()
    await this.#runBodies()
    if (this.#syncing === undefined) await this.#commit()
    this.#pumping = false
    this.#goOn()
  }

  #goOn(): void {
    if (this.#life === 'dead') return
    const isSyncing = this.#syncing !== undefined
    const hasWork = isSyncing
      ? this.#queue.length > 0 && this.#takesMore()
      : this.#queue.length > 0 || this.#batch.size > 0
    if (hasWork) this.#wake()
    else if (this.#life === 'closing' && !isSyncing) {
      this.#life = 'closed'
      this.#ended.resolve()
    }
  }

  /** Whether the batch does. */
  #takesMore(): boolean {
    const most = this.#singly > 0 ? 1 : limits.transactionsPerBatch
    return this.#ran.length < most && this.#batch.sizeBytes < limits.transactionBytes
  }

  async #runBodies(): Promise<void> {
    const { clock } = this.#options
    const startedMs = clock.monotonicMs()
    this.#deadline.arm()
    for (let count = 0; count < limits.transactionsPerBatch && this.#takesMore(); count++) {
      const pending = this.#queue.shift()
      if (pending === undefined) break
      if (this.#singly > 0) this.#singly--
      if (!pending.settled) await this.#run(pending)
      if (clock.monotonicMs() - startedMs >= batchSliceMs) break
    }
    this.#deadline.disarm()
  }

  async #run(pending: PendingTransaction): Promise<void> {
    const tx = new BufferedTransaction(this.#view)
    this.#seen = undefined
    let outcome = await this.#deadline.run(pending.body, tx)
    tx.end()
    // Cancelled while it ran: nothing of it is kept.
    if (pending.settled) return
    if (!('error' in outcome)) {
      try {
        tx.checkCommit((text, key) => this.#view.read(text, key) !== undefined)
        if (tx.writes.size > 0) {
          if (this.#room === 'none' && !pending.freesRoom) throw readOnly()
          this.#absorb(tx.writes)
          pending.wrote = true
          this.#seen = this.#ran
        }
      } catch (error) {
        outcome = { error }
      }
    }
    const waiting = this.#seen
    // What was being synced may be durable by now.
    if (waiting === undefined || (waiting !== this.#ran && waiting !== this.#syncing?.ran)) {
      pending.settle(outcome)
      return
    }
    pending.outcome = outcome
    waiting.push(pending)
  }

  /** The first writes of a batch become the batch: of a transaction that has ended, nobody else holds them. */
  #absorb(writes: WriteSet): void {
    if (this.#batch.size === 0 && !writes.hasInserts) this.#batch = writes
    else this.#batch.absorb(writes)
  }

  async #commit(): Promise<void> {
    if (this.#batch.size === 0) return
    const { table, clock } = this.#options
    if (this.#room === 'none') await this.#options.reserve?.release()
    const startedMs = clock.monotonicMs()
    const position = this.#takePosition()
    let result = table.commit(this.#batch)
    if ('outcome' in result && result.full && this.#room === 'none') {
      // The reserve's room lets the log move into the database; then its own blocks are room for this batch.
      result = table.checkpoint() ?? table.commit(this.#batch)
    }
    if ('outcome' in result && result.outcome === 'unknown') return this.#die(result.error)
    const ran = this.#ran
    const writes = this.#batch
    this.#ran = []
    this.#batch = new WriteSet()
    if ('outcome' in result) this.#retry(ran, result)
    else this.#sync({ ran, writes, rows: result, position, startedMs })
  }

  /** Where there is a change log, each batch says where in it it stands. */
  #takePosition(): Rising | undefined {
    const { feed } = this.#options
    if (feed === undefined) return undefined
    const { position, row } = feed.next()
    this.#batch.put(feed.positionKey, row)
    return position
  }

  #sync(batch: WrittenBatch): void {
    this.#syncing = batch
    const { sync, clock, commitTimeoutMs } = this.#options
    if (sync === undefined) {
      this.#settleDurable(batch)
      return
    }
    this.#synced = withTimeout(clock, commitTimeoutMs, 'sync the metadata', sync())
      .then(() => this.#settleDurable(batch))
      .catch((error: unknown) => this.#die(toAshlarError(error, 'make a commit durable')))
  }

  #settleDurable(batch: WrittenBatch): void {
    const { table, feed, clock, commitTimeoutMs, log } = this.#options
    if (this.#life === 'dead') return
    const tookMs = clock.monotonicMs() - batch.startedMs
    if (tookMs > commitTimeoutMs) {
      const error = `Cannot commit to the metadata: it took ${Math.round(tookMs)} ms`
      this.#die(new AshlarError('disk-failed', error))
      return
    }
    this.#syncing = undefined
    if (batch.position !== undefined) feed?.append(batch.position, batch.rows)
    this.#commits++
    this.#batched += batch.ran.length
    for (const pending of batch.ran) if (pending.outcome !== undefined) pending.settle(pending.outcome)
    if (this.#room === 'trial') {
      this.#room = 'plenty'
      log.info('the metadata has room again')
    }
    const failure = table.checkpointIfLong()
    if (failure?.outcome === 'unknown') this.#die(failure.error)
    else if (failure !== undefined) this.#runOut(failure.error)
    this.#goOn()
  }

  /** After a batch that was rolled back. */
  #retry(ran: readonly PendingTransaction[], failure: CommitFailure): void {
    const final = failure.full ? this.#room === 'none' : ran.length === 1
    if (failure.full) this.#runOut(failure.error)
    else if (!final) this.#singly += ran.length
    const again: PendingTransaction[] = []
    for (const pending of ran) {
      if (final && pending.wrote) pending.settle({ error: failure.full ? readOnly(failure.error) : failure.error })
      else again.push(pending)
      pending.outcome = undefined
      pending.wrote = false
    }
    this.#queue.unshift(again)
  }

  #runOut(cause: AshlarError | undefined): void {
    if (this.#room !== 'none')
      this.#options.log.warn('the disk of the metadata is full: only reads and deletes go on', { cause })
    this.#room = 'none'
    this.#roomCheckedMs = this.#options.clock.monotonicMs()
  }

  /** At most once a second: whether a batch may try to write. The reserve comes first. */
  async #seeRoom(): Promise<void> {
    const { clock, reserve, log } = this.#options
    const nowMs = clock.monotonicMs()
    if (nowMs - this.#roomCheckedMs < roomCheckIntervalMs) return
    this.#roomCheckedMs = nowMs
    try {
      if (reserve === undefined || (await reserve.fill())) this.#room = 'trial'
    } catch (error) {
      // Whatever keeps the reserve from being made, the metadata itself is as it was: it stays readable.
      log.warn('cannot make the reserve of the metadata', { error })
    }
  }

  #diskFailed(): AshlarError {
    return new AshlarError('disk-failed', 'Cannot use the metadata: its disk failed; restart the process', {
      cause: this.#fatal,
      applied: 'no',
    })
  }

  #die(error: AshlarError): void {
    if (this.#life === 'dead') return
    this.#life = 'dead'
    this.#fatal = error
    const unknown = new AshlarError(
      'commit-unknown',
      'Cannot tell whether the transaction was committed: the disk failed',
      {
        cause: error,
      },
    )
    for (const pending of [...(this.#syncing?.ran ?? []), ...this.#ran]) pending.settle({ error: unknown })
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift())
      next.settle({ error: this.#diskFailed() })
    this.#ended.resolve()
    this.#options.log.error('the metadata cannot go on', { error })
    this.#options.onFatal(error)
  }
}

function readOnly(cause?: AshlarError): AshlarError {
  return new AshlarError(
    'read-only',
    'Cannot change the metadata: its disk is full; delete files, or make room on it',
    {
      cause,
    },
  )
}

/**
 * What an engine has made durable, in order, for whoever keeps a copy of it elsewhere: the change log.
 *
 * The engine writes the *position* of each commit into the same commit, as one row: so the rows themselves say how far they go, and
 * a copy that has the change with the next position can go on from them. Positions rise by one; their high part is the
 * cluster's generation, so that what follows a restore outranks what it lost.
 *
 * Invariants: only durable commits are here; adding one never waits and never fails. The feed is bounded: past `maxBytes` the oldest
 * are dropped, {@link ChangeFeed.since} then says so, and whoever reads it needs a new copy of everything.
 *
 * Measured (3 rows written a transaction, SQLite): 64 at once 29 µs of CPU a transaction without a feed, 30.5 with one; the rate does not change.
 * @module
 */
import { assert } from '../base/assert.ts'
import { counterOf, type Rising, rising } from '../base/rising.ts'
import { type Change, encodeChanges } from './changes.ts'

export interface CommittedBatch {
  readonly position: Rising
  /** Wall clock when it had become durable, for people. */
  readonly atMs: number
  /** See `changes.ts`. */
  readonly changes: Buffer
}

export interface ChangeFeedOptions {
  /** The row that holds the position. */
  readonly positionKey: Uint8Array
  /** Of the cluster now. */
  readonly generation: number
  readonly wallMs: () => number
  readonly maxBytes: number
}

/** As a guess: a row is about 150 bytes. */
const bytesPerChange = 256

export class ChangeFeed {
  readonly positionKey: Uint8Array
  readonly #options: ChangeFeedOptions
  #batches: CommittedBatch[] = []
  #sizeBytes = 0
  #position: Rising
  /** Everything after this one is here. */
  #from: Rising
  #opened: Rising
  #onAppended: () => void = () => undefined

  constructor(options: ChangeFeedOptions) {
    this.#options = options
    this.positionKey = options.positionKey
    this.#position = rising(options.generation, 0)
    this.#from = this.#position
    this.#opened = this.#position
  }

  /** By the engine, when it was opened. @param stored the row of `positionKey` */
  begin(stored: Uint8Array | undefined): void {
    assert(this.#batches.length === 0, 'a feed belongs to one engine')
    this.#position = stored === undefined ? rising(this.#options.generation, 0) : decodePosition(stored)
    this.#from = this.#position
    this.#opened = this.#position
  }

  /** Where the rows stood when the engine was opened: of the generation that committed last. */
  get opened(): Rising {
    return this.#opened
  }

  /** Of the newest durable commit: that of an earlier generation until something is committed in this one. */
  get position(): Rising {
    return this.#position
  }

  /** By the engine: the position of the next commit, and its row. */
  next(): { readonly position: Rising; readonly row: Buffer } {
    const position = rising(this.#options.generation, counterOf(this.#position) + 1)
    return { position, row: encodePosition(position) }
  }

  /** By the engine: the commit is durable. */
  append(position: Rising, changes: readonly Change[]): void {
    assert(counterOf(position) === counterOf(this.#position) + 1, 'a change is missing')
    const batch = {
      position,
      atMs: Math.floor(this.#options.wallMs()),
      changes: encodeChanges(changes, bytesPerChange * changes.length),
    }
    this.#position = position
    this.#batches.push(batch)
    this.#sizeBytes += batch.changes.length
    while (this.#sizeBytes > this.#options.maxBytes) this.#dropOldest()
    this.#onAppended()
  }

  /** Called after each commit; it must not wait, nor fail. */
  set onAppended(listener: () => void) {
    this.#onAppended = listener
  }

  /** All that came after `position`; undefined: some of it was dropped. */
  since(position: Rising): readonly CommittedBatch[] | undefined {
    if (counterOf(position) < counterOf(this.#from)) return undefined
    const first = this.#batches.findIndex((batch) => counterOf(batch.position) > counterOf(position))
    return first < 0 ? [] : this.#batches.slice(first)
  }

  /** Nobody needs what came up to `position` any more. */
  dropThrough(position: Rising): void {
    const kept = this.#batches.findIndex((batch) => counterOf(batch.position) > counterOf(position))
    const dropped = this.#batches.splice(0, kept < 0 ? this.#batches.length : kept)
    for (const { changes } of dropped) this.#sizeBytes -= changes.length
    this.#from = dropped.at(-1)?.position ?? this.#from
  }

  get queuedBytes(): number {
    return this.#sizeBytes
  }

  #dropOldest(): void {
    const dropped = this.#batches.shift()
    if (dropped === undefined) return
    this.#sizeBytes -= dropped.changes.length
    this.#from = dropped.position
  }
}

export function encodePosition(position: Rising): Buffer {
  const row = Buffer.alloc(8)
  row.writeBigUInt64BE(BigInt(position))
  return row
}

export function decodePosition(row: Uint8Array): Rising {
  assert(row.length === 8, 'a position has 8 bytes')
  return Number(Buffer.from(row).readBigUInt64BE()) as Rising
}

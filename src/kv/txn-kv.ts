/**
 * TxnKV: an ordered key-value store with strictly serializable transactions. All metadata lives in one.
 *
 * Keys are ordered as unsigned bytes. Engines: SQLite (embedded, durable), memory (tests, simulation); one contract
 * suite (`test/contract/txn-kv.ts`) runs on every engine.
 *
 * Promises of every engine:
 * - `transact` is strictly serializable, and durable when it resolves, unless the engine was opened `unsafe`.
 * - No answer depends on a batch that is not yet durable: a transaction that saw such writes resolves after them.
 * - A failed sync ends the engine ({@link TxnKVOptions.onFatal}); nothing is tried again.
 * @module
 */

/** What a transaction body may await. Keys and values handed in must not change until the transaction settles. */
export interface Transaction {
  /** The value, or undefined. Reads its own writes. */
  get(key: Uint8Array): Promise<Buffer | undefined>
  /** The values in the order of `keys`. */
  getMany(keys: readonly Uint8Array[]): Promise<(Buffer | undefined)[]>
  /** Pairs with `start` ≤ key < `end`, in order (`reverse`: from the end down), at most `limit`. The whole range up to the last pair returned joins the read set (no phantoms). */
  range(range: KeyRange): Promise<KeyValue[]>
  put(key: Uint8Array, value: Uint8Array): void
  del(key: Uint8Array): void
  /**
   * Writes a key that must be absent, without joining the read set of other writers of different keys.
   * Its presence makes `transact` reject with `already-exists` (`details.key` is the key in hex), or re-runs the body when another transaction made it meanwhile.
   */
  insert(key: Uint8Array, value: Uint8Array): void
  /**
   * Adds lane by lane: the value is a vector of little-endian unsigned 64-bit lanes, each sum modulo 2^64; an absent key counts as zeros.
   * Blind: two transactions that add to one key do not conflict. All lanes zero afterwards: the key is removed.
   */
  add(key: Uint8Array, lanes: Uint8Array): void
  /** Joins `key` to the read set without reading it: the commit fails over if another transaction writes it meanwhile. */
  guard(key: Uint8Array): void
}

export interface KeyRange {
  readonly start: Uint8Array
  /** Exclusive. */
  readonly end: Uint8Array
  /** At least 1. */
  readonly limit: number
  readonly reverse?: boolean
}

export interface KeyValue {
  readonly key: Buffer
  readonly value: Buffer
}

export interface TransactOptions {
  readonly signal?: AbortSignal
  /** The transaction frees room (a delete, a purge): it may use the reserve when the disk is full. */
  readonly freesRoom?: boolean
  /**
   * Tells after an unknown commit result whether the transaction was applied: reads, in a new transaction, the witness row that
   * the body wrote. Engines whose commits are never unknown do not call it. Without one, an unknown result rejects with `commit-unknown`.
   */
  readonly witness?: (tx: Transaction) => Promise<boolean>
}

export interface TxnKV {
  /**
   * Runs `body` in a transaction and commits it. `body` awaits only `tx`, has no other side effects, and may run several times.
   * What `body` throws aborts the transaction and rejects with it; nothing is applied.
   *
   * @returns what `body` returned, once durable
   * @throws {AshlarError} `transaction-conflict` — re-run too often; `too-large` — past `limits.transactionBytes` or `…Keys`;
   *   `metadata-corrupt` — a record fails its checksum; `read-only` — the disk is full; `commit-unknown`; `closed`
   */
  transact<T>(body: (tx: Transaction) => Promise<T>, options?: TransactOptions): Promise<T>
  /** The disk is full: until there is room again, only reads and transactions with `freesRoom` go on. */
  readonly isReadOnly: boolean
  /** Bytes on disk (or in memory) that the engine holds. */
  usedBytes(): Promise<number>
  /** Transactions under way settle first. Idempotent. */
  close(): Promise<void>
}

export interface TxnKVOptions {
  /** A sync failed or a commit is overdue: no later answer can be trusted, the process must end. Called once. */
  readonly onFatal: (error: Error) => void
}

/** The exclusive end of all keys that begin with `prefix`. `prefix` is not all 0xff. */
export function prefixEnd(prefix: Uint8Array): Buffer {
  const end = Buffer.from(prefix)
  for (let index = end.length - 1; index >= 0; index--) {
    const byte = end[index] as number
    if (byte < 0xff) {
      end[index] = byte + 1
      return end.subarray(0, index + 1)
    }
  }
  throw new RangeError('no key can follow a prefix of only 0xff')
}

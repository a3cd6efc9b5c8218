/**
 * The embedded engine of TxnKV: SQLite in this thread, many transactions to one fsync.
 *
 * Transactions run strictly one after the other, so they are serializable without conflicts. Their writes collect in
 * a batch in memory, through which the next ones read; when the queue is empty, or the batch is long enough in count, bytes
 * or time, one SQLite transaction writes it, one fdatasync of its log in another thread makes it durable, and only then does
 * any of them settle, also those that only read or failed, if they saw it. A hot counter is written once a batch.
 *
 * Measured (`bench/kv.ts`: 2 reads and 3 writes a transaction, keys of 30 to 60 bytes, values of 60 to 250, on 2 cores that
 * others used too): rows in order 2,300 creates a second alone, 17,000 at 16 in flight, 30,000 at 64, 37,000 at 256; each
 * create on pages of its own 2,600, 7,500, 9,500, 11,400, where writing pages to the log is the limit. About 520 bytes a create
 * in all; 240 MB resident at 100,000 to 250,000 creates, of which the page cache takes 64 MiB.
 * @module
 */
import { limits } from '../base/limits.ts'
import type { Clock } from '../env/clock.ts'
import type { Disk, File } from '../env/disk.ts'
import type { Log } from '../env/log.ts'
import { BatchEngine, type BatchStatistics, type EngineLife, type EngineRoom } from './batch-engine.ts'
import type { ChangeFeed } from './change-feed.ts'
import { DiskReserve } from './disk-reserve.ts'
import { SqliteTable } from './sqlite-table.ts'
import type { Transaction, TransactOptions, TxnKV, TxnKVOptions } from './txn-kv.ts'

export interface SqliteKVOptions extends TxnKVOptions {
  /** The database file; its directory exists. SQLite keeps `<path>-wal` beside it, the reserve is `<path>-reserve`. */
  readonly path: string
  readonly clock: Clock
  readonly log: Log
  /** Syncs the log of the database, and keeps the reserve. */
  readonly disk: Disk
  /** Room kept aside for deletes on a full disk. 0: there is none, and a full disk refuses deletes too. */
  readonly reserveBytes?: number
  /** A commit that takes longer ends the engine; a body that takes longer is given up with `timeout`. */
  readonly commitTimeoutMs?: number
  readonly cacheBytes?: number
  /** How long the log may become before a checkpoint empties it; a longer one writes the same pages to the database less often. */
  readonly logBytes?: number
  /** A power cut loses or damages the database; the end of the process does not. */
  readonly unsafeNoSync?: boolean
  /** Told of each commit once it is durable; the position row becomes part of each. */
  readonly feed?: ChangeFeed | undefined
}

export interface SqliteKV extends TxnKV {
  readonly life: EngineLife
  /** `none`: only reads, and transactions that free room. */
  readonly room: EngineRoom
  readonly statistics: BatchStatistics
  /** Copies the database as of some moment during the call into the file `path`; transactions go on. */
  backup(path: string): Promise<void>
}

/**
 * Opens, or makes, the database. One process at a time.
 * @throws {AshlarError} `in-use`, `version-unsupported`, `metadata-corrupt`, `bad-store`, `read-only`: see {@link SqliteTable}
 */
export async function openSqliteKV(options: SqliteKVOptions): Promise<SqliteKV> {
  const { path, clock, log, disk, reserveBytes = limits.metadataReserveBytes, unsafeNoSync = false } = options
  const { cacheBytes = limits.metadataCacheBytes, logBytes } = options
  const table = new SqliteTable({ path, cacheBytes, unsafeNoSync, logBytes })
  let writeAheadLog: File | undefined
  try {
    const reserve =
      reserveBytes === 0 ? undefined : new DiskReserve({ disk, path: `${path}-reserve`, sizeBytes: reserveBytes })
    const reserved = reserve === undefined || (await reserve.fill())
    const file = unsafeNoSync ? undefined : await disk.open(table.logPath, { mode: 'read-write' })
    writeAheadLog = file
    options.feed?.begin(table.read(options.feed.positionKey))
    const engine = new BatchEngine({
      table,
      sync: file && (() => file.sync()),
      feed: options.feed,
      reserve,
      reserved,
      clock,
      log,
      onFatal: options.onFatal,
      commitTimeoutMs: options.commitTimeoutMs ?? limits.metadataCommitTimeoutMs,
    })
    return new SqliteStore(table, { engine, writeAheadLog })
  } catch (error) {
    await writeAheadLog?.close()
    table.close()
    throw error
  }
}

class SqliteStore implements SqliteKV {
  readonly #table: SqliteTable
  readonly #engine: BatchEngine
  readonly #writeAheadLog: File | undefined
  #closing: Promise<void> | undefined

  constructor(
    table: SqliteTable,
    { engine, writeAheadLog }: { readonly engine: BatchEngine; readonly writeAheadLog: File | undefined },
  ) {
    this.#table = table
    this.#engine = engine
    this.#writeAheadLog = writeAheadLog
  }

  get life(): EngineLife {
    return this.#engine.life
  }

  get isReadOnly(): boolean {
    return this.#engine.room === 'none'
  }

  get room(): EngineRoom {
    return this.#engine.room
  }

  get statistics(): BatchStatistics {
    return this.#engine.statistics
  }

  transact<T>(body: (tx: Transaction) => Promise<T>, options: TransactOptions = {}): Promise<T> {
    return this.#engine.transact(body, options) as Promise<T>
  }

  async usedBytes(): Promise<number> {
    this.#engine.assertServing()
    return this.#table.sizeBytes()
  }

  async backup(path: string): Promise<void> {
    this.#engine.assertServing()
    await this.#table.backup(path)
    // It may hold what nobody has been told of yet.
    await this.#engine.synced()
    this.#engine.assertServing()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#engine.close()
    // Closing would checkpoint. After a failure nothing more is written: the handle ends with the process.
    if (this.#engine.life !== 'closed') return
    await this.#writeAheadLog?.close()
    this.#table.close()
  }
}

/**
 * The one table of the embedded engine: keys, values and checksums in a SQLite database. Synchronous, but for the sync that
 * makes a commit durable: that is the caller's, on the file {@link SqliteTable.logPath}, so that this thread does not stand still.
 *
 * - A row's checksum is the CRC-32 of key ‖ value, verified on every read. A damaged *key* makes a lookup miss its row,
 *   so "absent" is believed only after both neighbours were verified: the damaged row is one of them (the lower one comes with the lookup itself). A scan verifies
 *   the rows just outside its ends for the same reason.
 * - Exclusive locking: the lock of the operating system dies with the process, and no shared-memory file is needed.
 * - `synchronous=NORMAL`: SQLite syncs the log's header when it begins it again, the log before a checkpoint and the database after
 *   one. `FULL` would add one sync of the log after each commit, and nothing else: that one is left to the caller.
 * - Checkpoints are run here and their errors heeded; SQLite's automatic ones hide a failed sync.
 * - A scan takes its rows in few calls, each row in one piece of memory: 2.5 µs of CPU a row, where an iterator and a buffer each for key
 *   and value took 4.5.
 * - Memory: SQLite's page cache, a small one of verified rows, and a few places known to be empty; no memory-mapped I/O, where a disk error would be a signal.
 * @see docs/formats/metadata.md
 * @module
 */
import { backup, DatabaseSync, type StatementSync } from 'node:sqlite'
import { crc32 } from 'node:zlib'
import { AshlarError } from '../base/errors.ts'
import { KnownGaps } from './known-gaps.ts'
import { RowCache } from './row-cache.ts'
import { keyText } from './sorted-map.ts'
import { sqliteFailureOf, translateSqlite } from './sqlite-errors.ts'
import type { KeyValue } from './txn-kv.ts'
import { applied, type Pair, type TextRange, type WriteSet } from './write-set.ts'

/** "Ashl" in the database header: the file is ours. */
const applicationId = 0x4173686c
const formatVersion = 1
const pageSizeBytes = 4096

/** Of {@link SqliteTableOptions.logBytes}. */
const defaultLogBytes = 16 * 1024 * 1024
/** This part of the log may be written, by a high guess, before its length is looked up: asking costs a statement. */
const looksInLog = 4

export interface SqliteTableOptions {
  readonly path: string
  readonly cacheBytes: number
  readonly unsafeNoSync: boolean
  /** Length of the write-ahead log from which on a checkpoint moves it into the database. The file keeps it, and what one commit adds. */
  readonly logBytes?: number | undefined
}

/** How a commit failed. `clean`: rolled back, nothing was written. `unknown`: nobody can tell, the engine must end. */
export interface CommitFailure {
  readonly outcome: 'clean' | 'unknown'
  readonly full: boolean
  readonly error: AshlarError
}

/** `value` undefined: it was deleted. `text`: the key's. */
export type WrittenRow = readonly [key: Uint8Array, value: Uint8Array | undefined, text: string]

const nul = Buffer.of(0)

/** Key and value in one piece of memory, since each piece costs 1.3 µs to make. `keyBytes` null: one of them is no bytes. */
type Row = [bytes: Uint8Array, keyBytes: number | null, checksum: number]

const selectRow = `SELECT CAST(k || v AS BLOB), CASE WHEN typeof(k) = 'blob' AND typeof(v) = 'blob' THEN length(k) END, c FROM kv`

/** Rows of one statement: a call for each costs as much as what SQLite does with it. 4.2 to 2.5 µs a row. */
const putsAtOnce = 8

/** A scan takes so many rows from SQLite at once, or fewer where fewer are wanted. */
const scannedAtOnce = 256

export class SqliteTable {
  /** The write-ahead log: it exists, and stays the same file, while the table is open. */
  readonly logPath: string
  readonly #database: DatabaseSync
  readonly #rows = new RowCache()
  readonly #gaps = new KnownGaps()
  readonly #atOrBelow: StatementSync
  readonly #exact: StatementSync
  readonly #below: StatementSync
  readonly #above: StatementSync
  readonly #upward: StatementSync
  readonly #downward: StatementSync
  readonly #put: StatementSync
  readonly #putMany: StatementSync
  readonly #delete: StatementSync
  readonly #begin: StatementSync
  readonly #commit: StatementSync
  readonly #logPages: number
  #pagesToLook: number

  /**
   * @throws {AshlarError} `in-use` — another process holds it; `version-unsupported` — written by a newer Ashlar;
   *   `metadata-corrupt`; `bad-store` — cannot be opened, or another program's database; `read-only` — no room to make it
   */
  constructor({ path, cacheBytes, unsafeNoSync, logBytes = defaultLogBytes }: SqliteTableOptions) {
    this.logPath = `${path}-wal`
    this.#logPages = logBytes / pageSizeBytes
    this.#pagesToLook = this.#logPages / looksInLog
    try {
      this.#database = new DatabaseSync(path)
    } catch (error) {
      throw translateSqlite(error, `open the metadata ${path}`)
    }
    try {
      this.#configure(path, { cacheBytes, unsafeNoSync })
      this.#exact = this.#prepare(`${selectRow} WHERE k = ?`)
      this.#atOrBelow = this.#prepare(`${selectRow} WHERE k <= ? ORDER BY k DESC LIMIT 1`)
      this.#below = this.#prepare(`${selectRow} WHERE k < ? ORDER BY k DESC LIMIT 1`)
      this.#above = this.#prepare(`${selectRow} WHERE k > ? ORDER BY k LIMIT 1`)
      this.#upward = this.#prepare(`${selectRow} WHERE k >= ? AND k < ? ORDER BY k LIMIT ?`)
      this.#downward = this.#prepare(`${selectRow} WHERE k >= ? AND k < ? ORDER BY k DESC LIMIT ?`)
      this.#put = this.#prepare('REPLACE INTO kv VALUES (?, ?, ?)')
      this.#putMany = this.#prepare(`REPLACE INTO kv VALUES ${new Array(putsAtOnce).fill('(?, ?, ?)').join(', ')}`)
      this.#delete = this.#prepare('DELETE FROM kv WHERE k = ?')
      this.#begin = this.#prepare('BEGIN IMMEDIATE')
      this.#commit = this.#prepare('COMMIT')
    } catch (error) {
      this.#database.close()
      throw translateSqlite(error, `open the metadata ${path}`)
    }
  }

  /** @throws {AshlarError} `metadata-corrupt`, `disk-failed` */
  read(key: Uint8Array, text: string = keyText(key)): Buffer | undefined {
    const kept = this.#rows.get(text)
    if (kept !== undefined) return kept
    if (this.#gaps.holds(text)) return undefined
    try {
      // Finds the row, or in the same step the one before its place.
      const row = this.#atOrBelow.get(key)
      const found = row && verified(row)
      if (found !== undefined && isSameKey(found.key, key)) {
        this.#rows.keep(text, found.value)
        return found.value
      }
      this.#gaps.learn(found && keyText(found.key), this.#justAbove(key))
      return undefined
    } catch (error) {
      throw translateSqlite(error, 'read the metadata')
    }
  }

  /** Lazily, some rows at a time; no write may come between two pairs. @throws {AshlarError} as {@link read} */
  *scan({ start, end, reverse, rows = scannedAtOnce }: TextRange): Generator<Pair> {
    if (this.#gaps.spans(start, end)) return
    const startKey = keyBytes(start)
    const endKey = keyBytes(end)
    const atOnce = Math.min(rows, scannedAtOnce)
    try {
      // A damaged key may lie on the wrong side of either end: the neighbours in the tree are looked at, whatever keys they show.
      const nearest = reverse ? this.#atOrAbove(endKey) : this.#justBelow(startKey)
      const statement = reverse ? this.#downward : this.#upward
      let [from, to] = [startKey, endKey]
      let last = reverse ? endKey : startKey
      let before: string | undefined
      for (let isComplete = false; !isComplete; ) {
        const taken = statement.all(from, to, atOnce)
        for (const row of taken) {
          const { key, value } = verified(row)
          const text = keyText(key)
          if (before !== undefined && (reverse ? text >= before : text <= before)) throw outOfOrder(key)
          before = text
          last = key
          yield [text, key, value]
        }
        isComplete = taken.length < atOnce
        if (reverse) to = last
        else from = Buffer.concat([last, nul])
      }
      const farthest = reverse ? this.#justBelow(last) : this.#justAbove(last)
      if (before !== undefined) return
      if (reverse) this.#gaps.learn(farthest, nearest)
      else this.#gaps.learn(nearest, farthest)
    } catch (error) {
      throw translateSqlite(error, 'read the metadata')
    }
  }

  /**
   * Writes a batch in one SQLite transaction: all of it is in the log and can be read afterwards, or none of it. Durable it is once
   * the file {@link logPath} was synced.
   * @returns what the batch left of each key
   */
  commit(batch: WriteSet): readonly WrittenRow[] | CommitFailure {
    const written: WrittenRow[] = []
    /** Keys, values and checksums of the next rows to be put. */
    let puts: (Uint8Array | number)[] = []
    try {
      this.#begin.run()
      for (const [text, write] of batch.writes()) {
        const base = write.kind === 'add' ? this.read(write.key, text) : undefined
        const value = applied(write, base)
        if (value === undefined) this.#delete.run(write.key)
        else puts.push(write.key, value, checksumOf(write.key, value))
        written.push([write.key, value, text])
        if (puts.length < 3 * putsAtOnce) continue
        this.#putMany.run(...puts)
        puts = []
      }
      for (let at = 0; at < puts.length; at += 3) this.#put.run(...puts.slice(at, at + 3))
      this.#commit.run()
    } catch (error) {
      return this.#rollBack(error)
    }
    // From here on it is written: whatever fails now is no reason to say that it was rolled back.
    for (const [, value, text] of written) {
      this.#rows.written(text, value)
      if (value !== undefined) this.#gaps.written(text)
    }
    this.#pagesToLook -= batch.size + batch.sizeBytes / pageSizeBytes
    return written
  }

  /** {@link checkpoint}, when the log has grown long. */
  checkpointIfLong(): CommitFailure | undefined {
    if (this.#pagesToLook > 0) return undefined
    this.#pagesToLook = this.#logPages / looksInLog
    return this.logPages() >= this.#logPages ? this.checkpoint() : undefined
  }

  /**
   * Moves the write-ahead log into the database; the next commit begins the log again from its start, in blocks it has.
   * A failed sync here is as final as one at commit: `unknown`. No room is `clean`: the log stays whole.
   */
  checkpoint(): CommitFailure | undefined {
    try {
      this.#database.exec('PRAGMA wal_checkpoint(PASSIVE)')
      return undefined
    } catch (error) {
      const full = sqliteFailureOf(error) === 'full'
      return { outcome: full ? 'clean' : 'unknown', full, error: translateSqlite(error, 'checkpoint the metadata') }
    }
  }

  /** Frames in the write-ahead log that no checkpoint has reset. */
  logPages(): number {
    const row = this.#database.prepare('PRAGMA wal_checkpoint(NOOP)').get()
    return Math.max(0, Number(row?.['log'] ?? 0))
  }

  sizeBytes(): number {
    const pages = Number(this.#database.prepare('PRAGMA page_count').get()?.['page_count'] ?? 0)
    return (pages + this.logPages()) * pageSizeBytes
  }

  /** Copies the database, as of some moment during the call, into a new file. */
  async backup(path: string): Promise<void> {
    try {
      await backup(this.#database, path)
    } catch (error) {
      throw translateSqlite(error, `back up the metadata to ${path}`)
    }
  }

  close(): void {
    this.#database.close()
  }

  #configure(path: string, { cacheBytes, unsafeNoSync }: Omit<SqliteTableOptions, 'path' | 'logBytes'>): void {
    const database = this.#database
    database.exec(`
      PRAGMA locking_mode = EXCLUSIVE;
      PRAGMA page_size = ${pageSizeBytes};
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = ${unsafeNoSync ? 'OFF' : 'NORMAL'};
      PRAGMA cache_size = -${Math.ceil(cacheBytes / 1024)};
      PRAGMA mmap_size = 0;
      PRAGMA temp_store = MEMORY;
      PRAGMA wal_autocheckpoint = 0;
      BEGIN IMMEDIATE;`)
    const { version, owner, tables } = database
      .prepare(
        `SELECT (SELECT user_version FROM pragma_user_version) AS version,
          (SELECT application_id FROM pragma_application_id) AS owner, (SELECT count(*) FROM sqlite_schema) AS tables`,
      )
      .get() as { version: number; owner: number; tables: number }
    if (tables === 0 && owner === 0) {
      database.exec(`
        PRAGMA application_id = ${applicationId};
        PRAGMA user_version = ${formatVersion};
        CREATE TABLE kv (k BLOB PRIMARY KEY, v BLOB, c INTEGER) WITHOUT ROWID;`)
    } else if (owner !== applicationId) {
      throw new AshlarError('bad-store', `Cannot open the metadata ${path}: it is another program's database`)
    } else if (version > formatVersion) {
      throw new AshlarError(
        'version-unsupported',
        `Cannot open the metadata ${path}: its format ${version} is newer than ${formatVersion}; use a newer Ashlar`,
      )
    }
    database.exec('COMMIT')
  }

  #prepare(sql: string): StatementSync {
    const statement = this.#database.prepare(sql)
    statement.setReturnArrays(true)
    return statement
  }

  /** The key of a neighbour that was verified. */
  #atOrAbove(key: Uint8Array): string | undefined {
    return verifiedText(this.#exact.get(key) ?? this.#above.get(key))
  }

  #justAbove(key: Uint8Array): string | undefined {
    return verifiedText(this.#above.get(key))
  }

  #justBelow(key: Uint8Array): string | undefined {
    return verifiedText(this.#below.get(key))
  }

  #rollBack(error: unknown): CommitFailure {
    this.#gaps.forget()
    const failure = sqliteFailureOf(error)
    let clean = failure !== 'io' && (failure !== 'other' || error instanceof AshlarError)
    let cause = error
    try {
      // SQLite has rolled back by itself after some errors.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
    } catch (rollbackError) {
      clean = false
      cause = new AggregateError([error, rollbackError], 'the commit failed, and so did its rollback')
    }
    return {
      outcome: clean ? 'clean' : 'unknown',
      full: failure === 'full',
      error: translateSqlite(cause, 'commit to the metadata'),
    }
  }
}

/** Views of a row's key and value, once its checksum was found right. */
function verified(row: unknown): KeyValue {
  const [bytes, keyLength, checksum] = row as Row
  // A damaged row header changes the types of its columns too.
  const sound = bytes instanceof Uint8Array && keyLength !== null && (crc32(bytes) | 0) === checksum
  if (!sound) throw corrupt(bytes?.subarray(0, keyLength ?? 0))
  const both = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  return { key: both.subarray(0, keyLength), value: both.subarray(keyLength) }
}

function verifiedText(row: unknown): string | undefined {
  return row === undefined ? undefined : keyText(verified(row).key)
}

function corrupt(key: Uint8Array | null | undefined): AshlarError {
  const hex = key instanceof Uint8Array && key.length > 0 ? Buffer.from(key).toString('hex') : 'unreadable'
  return new AshlarError(
    'metadata-corrupt',
    `Cannot read metadata key ${hex}: its record does not match its checksum; restore it from a copy`,
    { details: { key: hex } },
  )
}

function outOfOrder(key: Uint8Array): AshlarError {
  const hex = Buffer.from(key).toString('hex')
  return new AshlarError(
    'metadata-corrupt',
    `Cannot read metadata key ${hex}: it is out of order; restore it from a copy`,
    {
      details: { key: hex },
    },
  )
}

function isSameKey(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}

/** Signed, since SQLite stores that in four bytes. */
function checksumOf(key: Uint8Array, value: Uint8Array): number {
  return crc32(value, crc32(key)) | 0
}

/** An empty bound would be bound as NULL; the least key is one zero byte. */
function keyBytes(text: string): Buffer {
  return text === '' ? nul : Buffer.from(text, 'latin1')
}

/**
 * The public API: what `connect()` gives. It has the shape of `node:fs/promises`; what only the store adds is in the
 * second half. The command line, the HTTP doors and `ashlar/testing` are written against these interfaces alone.
 *
 * Everywhere:
 * - a path is absolute (`/a/b`), `/` is the root; names are kept byte for byte and never normalised. A name that cannot
 *   be stored is `invalid-name`, before anything is sent.
 * - a file can also be named as an object: `objectPath('bucket', 'key')`, which is `s3://bucket/key`. Any key is exact
 *   (`a//b`, `../x`, `a/`), missing directories are made and go again with their last entry, and a file `a` may stand
 *   beside a directory `a/`, which is then what `/bucket/a/` names. Calls that change a file in place do not take it.
 * - a mutation that resolved is durable on every member of its group, and visible to whoever asks next.
 * - every failure is an `AshlarError`: `applied: 'no'` guarantees that nothing changed.
 * - every method takes `signal`; aborting rejects with `cancelled`, whose `applied` says what is known.
 * - while no master answers, calls wait and try again until `timeoutMs`, then reject with `unavailable`.
 * @module
 */
import type { Readable, Writable } from 'node:stream'
import type { ReadableStream, WritableStream } from 'node:stream/web'
import type { ChunkId, ClusterId, ServerId } from '../base/ids.ts'
import type { ClusterStatus } from '../wire/methods/cluster-methods.ts'
import type { ClusterMap, NodeStatus } from '../wire/types/cluster-map.ts'
import type { Backups } from './backup-calls.ts'
import type { Duties } from './duty-calls.ts'
import type { DirectoryEntry, FileStats } from './file-stats.ts'
import type { Insight } from './insight-calls.ts'
import type {
  AppendOptions,
  CallOptions,
  CopyOptions,
  CopyTreeOptions,
  FileData,
  ListObjectsOptions,
  ListOptions,
  LockOptions,
  MakeDirectoryOptions,
  OpenOptions,
  ReadDirectoryOptions,
  ReadRange,
  RemoveOptions,
  RenameOptions,
  StatOptions,
  TruncateOptions,
  UndeleteOptions,
  VersionOptions,
  WriteOptions,
} from './options.ts'
import type { Versions } from './versions.ts'

/**
 * Files and directories, as Node's own module has them.
 *
 * Whole paths are resolved inside the master's transaction: a file is never made in a directory that was just removed.
 */
export interface FileSystem {
  /**
   * The whole file, verified end to end. Memory for all of it: use a stream for what is large.
   * @throws {AshlarError} `not-found`, `is-a-directory`, `too-large` (past what one buffer holds), `chunk-missing`, `corrupt`
   */
  readFile(path: string, options?: CallOptions): Promise<Buffer>
  readFile(
    path: string,
    options: BufferEncoding | (CallOptions & { readonly encoding: BufferEncoding }),
  ): Promise<string>

  /**
   * Makes the file, or replaces all of its content in one step: a reader sees the old bytes or the new ones, whole. What
   * was replaced goes to trash. `data` must not change until the promise settles.
   * @throws {AshlarError} `already-exists` (`ifAbsent`), `changed` (`ifVersion`), `not-found` (a parent, without
   *   `makeParents`), `is-a-directory`, `no-space` (`details.reasons` lists each server)
   */
  writeFile(path: string, data: FileData, options?: WriteOptions): Promise<FileStats>

  /**
   * Adds bytes to the end; makes the file when there is none. With `expectedLength`, appends only to a file of exactly that length.
   * Without it, a lost race is tried again. However long, the bytes of one call are seen together or not at all.
   * @throws {AshlarError} `changed` — `expectedLength` did not hold; `too-large` — more than `limits.extentsPerAppend` chunks at once;
   *   nothing was appended
   */
  appendFile(path: string, data: FileData, options?: AppendOptions): Promise<FileStats>

  /**
   * A Node stream of one version of the file: `start` and `end` are inclusive, as in `node:fs`. Errors as of {@link readFile}, through the stream.
   * Each piece is the consumer's for good; {@link FileHandle.pieces} costs a third, where bytes only pass.
   */
  createReadStream(path: string, options?: ReadRange): Readable
  /** A Node stream into a new file. The file appears, whole, when the stream has finished; destroyed before that, it never does. */
  createWriteStream(path: string, options?: WriteOptions): Writable

  /**
   * Opens one version of a file for reads: what replaces it later does not disturb them, while its chunks last (the trash time).
   * Of a file of very many chunks some extents are asked for later: once it was replaced, those reads end with `changed`.
   */
  open(path: string, options?: OpenOptions): Promise<FileHandle>

  /**
   * What the path holds. Nothing is cached.
   * @throws {AshlarError} `not-found`, `not-a-directory`
   */
  stat(path: string, options?: StatOptions): Promise<FileStats>
  /** @returns false only when the store said that nothing is there; any doubt is thrown. */
  exists(path: string, options?: CallOptions): Promise<boolean>
  /** Resolves when the path exists. @throws {AshlarError} `not-found` */
  access(path: string, options?: CallOptions): Promise<void>

  /** Names in a directory (with `recursive`: paths relative to it), ordered by their bytes. For large ones use {@link Store.list}. */
  readdir(path: string, options: ReadDirectoryOptions & { readonly withFileTypes: true }): Promise<DirectoryEntry[]>
  readdir(path: string, options?: ReadDirectoryOptions): Promise<string[]>

  /**
   * Makes a directory; with `recursive` its missing parents too, and an existing one is no error.
   * @returns `path` when this call made it, undefined when it was there
   */
  mkdir(path: string, options?: MakeDirectoryOptions): Promise<string | undefined>
  /** Atomic, files and directories. As in POSIX an existing file at `to` is replaced (it goes to trash), unless `replace: false`. */
  rename(from: string, to: string, options?: RenameOptions): Promise<FileStats>
  /**
   * To trash, in one step however large the tree is.
   * @returns the trash id, for {@link Store.undelete}; undefined when nothing was there (`force`)
   */
  rm(path: string, options?: RemoveOptions): Promise<number | undefined>
  /** As {@link rm}, of a file only. */
  unlink(path: string, options?: CallOptions): Promise<void>
  /** As {@link rm}, of an empty directory only. */
  rmdir(path: string, options?: CallOptions): Promise<void>

  /** Copies a file inside the store without moving bytes; replaces an existing one, unless `ifAbsent`. */
  copyFile(from: string, to: string, options?: CopyOptions): Promise<FileStats>
  /** Copies a file, or with `recursive` a tree, inside the store, file by file: each is whole, the tree is not one step. */
  cp(from: string, to: string, options?: CopyTreeOptions): Promise<void>

  /** Cuts a file to `length` bytes. Longer than it is: `invalid-argument`, there are no holes. */
  truncate(path: string, length?: number, options?: TruncateOptions): Promise<FileStats>
  /** Sets times: a Date, or milliseconds since 1970. */
  utimes(
    path: string,
    times: { readonly accessed?: Date | number; readonly modified?: Date | number } & CallOptions,
  ): Promise<void>
  /** POSIX permission bits: kept and shown, not enforced. */
  chmod(path: string, mode: number, options?: CallOptions): Promise<void>
  /** Names, not numbers: kept and shown, not enforced. Absent ones stay. */
  chown(path: string, owner: { readonly owner?: string; readonly ownerGroup?: string } & CallOptions): Promise<void>
}

/** What the store adds to a file system. */
export interface Store {
  /** As {@link FileSystem.createReadStream}, a web stream. */
  readStream(path: string, options?: ReadRange): ReadableStream<Uint8Array>
  /** As {@link FileSystem.createWriteStream}, a web stream: `close()` resolves when the file is durable and linked. */
  writeStream(path: string, options?: WriteOptions): WritableStream<Uint8Array>

  /**
   * Entries of a directory, page by page in order of their names (a directory's counts with `/` at its end): memory for one page.
   * Each page is one transaction; an entry that exists throughout is never skipped or repeated.
   */
  list(path: string, options?: ListOptions): AsyncIterableIterator<DirectoryEntry>

  /**
   * The keys below a bucket (a directory at the top) in the order of their bytes, as S3 lists them, page by page as
   * {@link list}: a directory made by hand is the key `dir/`, one that holds no key shows nowhere.
   * @throws {AshlarError} `not-found` — no such bucket
   */
  listObjects(bucket: string, options?: ListObjectsOptions): AsyncIterableIterator<ListedObject>

  /** Moves the bytes of `sources`, in order, to the end of the file `path`, without copying; the sources are gone then. At most 256. */
  concat(path: string, sources: readonly string[], options?: CallOptions): Promise<FileStats>

  /** @throws {AshlarError} `not-found` — no file there, or no such attribute */
  getXattr(path: string, name: string, options?: CallOptions): Promise<Buffer>
  setXattr(path: string, name: string, value: Uint8Array | string, options?: VersionOptions): Promise<void>
  listXattrs(path: string, options?: CallOptions): Promise<string[]>
  /** An absent one is no error. */
  removeXattr(path: string, name: string, options?: VersionOptions): Promise<void>

  /** The policy of what is written below a directory from now on. */
  setPolicy(path: string, policy: string, options?: CallOptions): Promise<void>

  /** Files, directories and bytes at and below a path (du). Counted in steps: what changes meanwhile may or may not be in. */
  summarize(path: string, options?: CallOptions): Promise<Summary>

  /** What was deleted or replaced at or below `path`, newest first per path. */
  listTrash(path?: string, options?: CallOptions): AsyncIterableIterator<TrashEntry>
  /** Brings back what last had `path` (or the one that `trashId` names), there or at `to`. @throws {AshlarError} `not-found`, `already-exists` */
  undelete(path: string, options?: UndeleteOptions): Promise<{ readonly path: string; readonly stats: FileStats }>
  /** Returns the space of trash at or below `path` within seconds. Cannot be undone. */
  emptyTrash(
    path?: string,
    options?: CallOptions & { readonly trashId?: number | undefined },
  ): Promise<{ readonly entries: number; readonly lengthBytes: number }>

  /**
   * Takes a named lock that lives as long as this client's session.
   * @throws {AshlarError} `locked` — not free within `waitMs`
   */
  lock(name: string, options?: LockOptions): Promise<Lock>
  /**
   * Runs `work` while holding a named lock, and releases it. When the lock is lost meanwhile, `lock.signal` aborts: stop then.
   * Whoever writes elsewhere under the lock passes `lock.fencingToken` on, so that a former holder can be refused.
   * @throws {AshlarError} `locked`; `session-ended` — the lock was lost before `work` ended; what `work` throws
   */
  withLock<T>(name: string, work: (lock: Lock) => Promise<T>, options?: LockOptions): Promise<T>

  /** Versions of what was replaced or removed, where a bucket keeps them, and their locks. */
  readonly versions: Versions

  /** The checksum of a file's bytes as lower-case hex. `crc32` is known without reading the file, mostly; the others read it. */
  checksum(path: string, algorithm: 'crc32' | 'md5' | 'sha256', options?: CallOptions): Promise<string>
  /** The chunks of a file, in order, and who holds them. */
  describeChunks(path: string, options?: CallOptions): AsyncIterableIterator<ChunkReport>
  /** What one server holds of a chunk; `md5` is computed there by reading it. @throws {AshlarError} `chunk-missing`, `corrupt`, `unavailable` */
  describeReplica(
    chunkId: ChunkId,
    serverId: ServerId,
    options?: CallOptions & { readonly md5?: boolean },
  ): Promise<ReplicaReport>
}

/** An object, or all keys that begin alike. */
export type ListedObject = { readonly key: string; readonly stats: FileStats } | { readonly prefix: string }

/** The cluster itself. */
export interface ClusterView {
  /** Each chunk server, at most 2 s old. */
  nodes(options?: CallOptions): Promise<readonly NodeStatus[]>
  status(options?: CallOptions): Promise<ClusterStatus>
  /** The current cluster map, asked for anew. */
  map(options?: CallOptions): Promise<ClusterMap>
  /** Settings by name, as text. */
  settings(options?: CallOptions): Promise<Readonly<Record<string, string>>>
  setSetting(name: string, value: string, options?: CallOptions): Promise<void>
  /** Drain, maintenance, plans. */
  readonly duties: Duties
  /** fsck, the byte ledger, events, explanations. */
  readonly insight: Insight
  /** Since the client was connected: reads of chunks up to 64 KiB that its memory of chunks answered, and those that it did not. */
  readonly chunkCacheReads: { readonly hits: number; readonly misses: number }
  /** Copies of the metadata on the chunk servers. */
  readonly backups: Backups
}

/** A connected client. Many calls at once are fine: they share connections, allocations and one memory budget. */
export interface AshlarClient extends FileSystem, Store, ClusterView, AsyncDisposable {
  readonly clusterId: ClusterId
  /** Gives unused chunk ids back and ends the session: locks are released. Calls under way reject with `closed`. Idempotent. */
  close(): Promise<void>
}

/** One version of a file, open for reads. */
export interface FileHandle extends AsyncDisposable {
  readonly path: string
  /** As of the moment of opening. */
  readonly stats: FileStats
  /**
   * Fills `buffer` from `position` on. It belongs to the client until the promise settles.
   * @returns bytes read: fewer than asked for only at the end of the file
   */
  read(buffer: Uint8Array, position: number, options?: CallOptions): Promise<number>
  /** All of it, or the range, in one buffer. */
  readFile(range?: ReadRange): Promise<Buffer>
  createReadStream(options?: ReadRange): Readable
  readStream(options?: ReadRange): ReadableStream<Uint8Array>
  /**
   * The bytes as they come, each piece at most 1 MiB and valid only until the next is asked for: then its memory is used again.
   * The cheapest way to pass bytes on; streams give memory away, which has to be collected.
   */
  pieces(options?: ReadRange): AsyncIterable<Uint8Array>
  close(): Promise<void>
}

/** A lock that is held. `await using` releases it. */
export interface Lock extends AsyncDisposable {
  readonly name: string
  /** Rises with every holder of this name. */
  readonly fencingToken: number
  /** Aborts when the lock is lost: the session ended, or could not be kept alive in time. */
  readonly signal: AbortSignal
  /** Idempotent. @returns false when it was lost before */
  release(): Promise<boolean>
}

export interface Summary {
  readonly files: number
  readonly directories: number
  readonly lengthBytes: number
  /** Older versions and delete markers, beside the files. */
  readonly versions: number
  readonly versionBytes: number
}

export interface TrashEntry {
  readonly trashId: number
  readonly path: string
  readonly stats: FileStats
  readonly deletedMs: number
  /** From now on; 0: due. */
  readonly keptForMs: number
  readonly reason: 'removed' | 'replaced'
}

/** An extent of a file and its chunk. Lengths in bytes; `crc` is CRC-32 of the whole chunk. */
export interface ChunkReport {
  readonly chunkId: ChunkId
  /** Where the extent begins in the file. */
  readonly position: number
  /** Where it begins in the chunk. */
  readonly offset: number
  readonly length: number
  readonly chunkLength: number
  readonly crc: number
  readonly group: number
  readonly policy?: string | undefined
  /** Replicas short of the policy. */
  readonly missing: number
  readonly replicas: readonly {
    readonly serverId: ServerId
    readonly address: string
    readonly state: 'ok' | 'missing' | 'unknown'
  }[]
}

export interface ReplicaReport {
  readonly length: number
  readonly crc: number
  /** Lower-case hex. */
  readonly md5?: string
}

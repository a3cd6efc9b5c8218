/**
 * ChunkStore: the replicas that one chunk server holds. What stands behind it (files on a disk, memory, later a cloud)
 * is not visible; one contract suite (`test/contract/chunk-store.ts`) runs on each.
 *
 * Promises:
 * - `put` and `delete` resolve only when a power cut can no longer undo them.
 * - A chunk is visible whole and right, or not at all. An id never changes its bytes.
 * - Bytes that fail their checksum are never returned: the replica is quarantined (kept aside, not deleted) and reported.
 * - After a failed sync the store is *fenced*: every later call is refused with `disk-failed` until it is opened again.
 * - Used + reserved never passes the capacity, to the byte (chunk bytes; formats and padding do not count).
 * @module
 */
import type { ChunkDigest, ChunkFacts } from '../base/digest.ts'
import type { ChunkId, GroupId } from '../base/ids.ts'

/** What a replica's footer or record says. */
export interface ReplicaInfo extends ChunkFacts {
  /** CRC-32 of each block of `limits.blockBytes`; the last block may be shorter. They combine to `crc`. */
  readonly blockCrcs: Uint32Array
}

export interface SpaceUse {
  /** Chunk bytes that the store may hold. */
  readonly capacityBytes: number
  readonly usedBytes: number
  /** Declared by writes that have begun. */
  readonly reservedBytes: number
  /** What a write may still declare: the smaller of capacity − used − reserved and the disk beneath (promise P8). */
  readonly freeBytes: number
  readonly chunks: number
  readonly quarantinedChunks: number
  readonly quarantinedBytes: number
  /** Why writes are refused now, if they are. */
  readonly refusal?: 'capacity' | 'disk-full' | 'fenced' | undefined
}

export interface CommitRequest {
  readonly expectedCrc?: number
  readonly readBack?: boolean
}

/** One chunk being written. Use it from one place at a time; end it by `commit` or `abort`. */
export interface ChunkWriter {
  /**
   * Appends bytes. It resolves when the next bytes may come: awaiting it is the back-pressure.
   * @param release called when nothing reads the bytes any more. Without it they are copied (or written) before it resolves.
   *   Where it rejects, nothing reads them once `abort` has resolved: the caller sees to them then
   * @throws {AshlarError} `too-large` — past the declared length; `disk-failed`; `no-space`
   */
  append(bytes: Uint8Array, release?: () => void): Promise<void>
  /**
   * Makes the chunk durable and visible. Exactly the declared length must have been appended.
   * @param options.readBack first reads what was written from the medium: it is visible only once that proved right
   * @throws {AshlarError} `corrupt` — the bytes' crc is not `expectedCrc`, nothing was stored; `chunk-conflict` — the id exists with other bytes
   */
  commit(options: CommitRequest): Promise<ReplicaInfo>
  /** Drops the bytes and gives the reservation back. Idempotent; does nothing after `commit`. */
  abort(): Promise<void>
}

export interface ReadRange {
  /** First byte; the store aligns it down to a block. */
  readonly offset: number
  /** At least 1; the range ends within the chunk. */
  readonly length: number
}

/** A part of a chunk in whole blocks, each verified against its checksum. */
export interface ReplicaSlice {
  /** Offset of `bytes[0]` in the chunk: a multiple of the block size. */
  readonly offset: number
  readonly bytes: Buffer
  /** Gives pooled memory back; call it exactly once, when the kernel or socket is done with `bytes`. */
  release(): void
}

/** An open replica. It pins the bytes: compaction and deletes wait or keep them readable until `close`. */
export interface ChunkReader {
  readonly info: ReplicaInfo
  /**
   * Reads the whole blocks that cover `range`, at most 1 MiB of them (the caller asks again for the rest).
   * @throws {AshlarError} `corrupt` — quarantined; `disk-failed`
   */
  read(range: ReadRange): Promise<ReplicaSlice>
  close(): Promise<void>
}

export interface PageDigest {
  readonly page: number
  readonly digest: ChunkDigest
}

/** A folder of replicas that was looked through. */
export interface SweptFolder {
  /** Its name, for the next step. */
  readonly folder: string
  readonly files: number
  readonly setAside: number
}

export interface ChunkStore {
  /**
   * Reserves `length` bytes and starts a write.
   * @throws {AshlarError} `no-space` (nothing was written; `details` is {@link SpaceUse}); `chunk-conflict` — the id exists (a put of the same bytes again: `commit` tells); `busy`
   */
  begin(id: ChunkId, length: number): Promise<ChunkWriter>
  /** The fast path for a chunk that is in memory whole: `begin`, `append`, `commit`. An identical chunk that is there already: its info. */
  put(id: ChunkId, bytes: Uint8Array, options: { readonly expectedCrc?: number }): Promise<ReplicaInfo>
  /** @throws {AshlarError} `chunk-missing`, also when the replica is quarantined */
  open(id: ChunkId): Promise<ChunkReader>
  /** Undefined: not here (or quarantined). Never reads the bytes. */
  info(id: ChunkId): Promise<ReplicaInfo | undefined>
  /** Deletes chunks durably, all with one sync; absent ones are no error. Works when the disk is full. @returns how many were there */
  delete(ids: readonly ChunkId[]): Promise<number>
  /** Chunks with `first` ≤ id ≤ `last`, in order, at most `limit`; complete up to the last one returned, or the call fails. */
  list(options: { readonly first: ChunkId; readonly last: ChunkId; readonly limit: number }): Promise<ChunkFacts[]>
  /** The digests of all pages of a group that hold a chunk, in order of page. */
  digests(group: GroupId): Promise<PageDigest[]>
  /** Groups that hold a chunk. */
  groups(): Promise<GroupId[]>
  /** A number that rises with every put and delete of the group: heartbeats send digests of groups that changed. */
  changeCount(group: GroupId): number
  /** Groups that had a put or delete since the store was opened: those whose {@link changeCount} is not 0. */
  changedGroups(): Iterable<GroupId>
  space(): SpaceUse
  /** Reads all bytes of a replica and verifies them; a bad one is quarantined. @throws {AshlarError} `corrupt`, `chunk-missing` */
  verify(id: ChunkId): Promise<ReplicaInfo>
  /**
   * Sets a replica aside whose bytes agree with its own checksums, but not with what the metadata names. Absent: false.
   * @param reason for the log
   */
  quarantine(id: ChunkId, reason: string): Promise<boolean>
  /**
   * Looks through the next folder of replicas for what the store does not know, and sets that aside: one step of a walk over all.
   * @param after the `folder` of the step before
   * @returns undefined: the walk is over
   */
  sweep(after?: string): Promise<SweptFolder | undefined>
  /** MD5 of a replica's bytes, verified while read. */
  md5(id: ChunkId): Promise<Buffer>
  /** Changes the declared capacity; below what is used it is refused with `invalid-argument`. */
  setCapacity(capacityBytes: number): Promise<void>
  /** Called with each replica that was put into quarantine. */
  onQuarantine(listener: (id: ChunkId) => void): void
  /** Durably keeps a small fact of the server (highest leader epoch, committed log position); `undefined`: none kept. */
  getFact(name: string): Promise<Buffer | undefined>
  setFact(name: string, value: Uint8Array): Promise<void>
  /** Work under way settles first; the lock is released. Idempotent. */
  close(): Promise<void>
}

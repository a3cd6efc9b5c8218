/**
 * Reading replicas: whole blocks, each verified against its checksum before it is returned.
 *
 * A chunk file's footer, and a record's head, must name the id and the put that the index expects: a file under
 * another's name is damage too. What fails is reported to the store, which sets the replica aside.
 * Measured (`bench/store.ts`, 64 in flight; 2 cores at a load of 5 to 10): 6,300 to 21,300 4 KiB replicas a second from the
 * page cache, each one `pread`.
 * Chunk files and segments are read through the page cache; `verify` asks for direct I/O of both, so that it tests the medium.
 * @module
 */
import { AshlarError, isAshlarError } from '../base/errors.ts'
import type { ChunkId, ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { RecentMap } from '../base/recent-map.ts'
import type { Disk, File } from '../env/disk.ts'
import { findBadBlock } from './block-sums.ts'
import { type BufferPool, type Lease, streamBufferBytes } from './buffer-pool.ts'
import {
  alignUp,
  type ChunkFooter,
  decodeFooter,
  footerBytes,
  footerMaxBytes,
  type StoredChunk,
} from './chunk-file-format.ts'
import type { LiveChunk, RecordPlace } from './chunk-state.ts'
import type { ChunkReader, ReadRange, ReplicaInfo, ReplicaSlice } from './chunk-store.ts'
import type { DirectRanges, ReadableFile } from './direct-ranges.ts'
import type { FileHandles } from './file-handles.ts'
import { decodeRecordHead, putHeadBytes, segmentSeed } from './segment-format.ts'

const { blockBytes } = limits

export interface ReplicaSource {
  readonly disk: Disk
  readonly pool: BufferPool
  readonly handles: FileHandles
  readonly directRanges: DirectRanges
  readonly server: ServerId
  readonly footers: RecentMap<ChunkId, ChunkFooter>
  /** Sets a damaged replica aside; resolves when it is. */
  readonly onDamage: (chunk: LiveChunk, what: string) => Promise<void>
}

/** What an opened replica is read from. */
interface Opened {
  readonly source: ReplicaSource
  readonly chunk: LiveChunk
  readonly info: ReplicaInfo
  readonly file: ReadableFile
  /** Offset of the chunk's first byte in the file. */
  readonly dataOffset: number
  readonly close: () => Promise<void>
}

/**
 * Opens a chunk file.
 * @param options.direct past the page cache, with a handle of its own
 * @throws {AshlarError} `corrupt` — set aside; `not-found` — no such file; `disk-failed`
 */
export async function openChunkFile(
  source: ReplicaSource,
  chunk: LiveChunk,
  options: { readonly path: string; readonly direct?: boolean },
): Promise<ChunkReader> {
  const { path, direct = false } = options
  const handle = direct ? await openDirect(source.disk, path) : await openShared(source.handles, path)
  try {
    const footer =
      (direct ? undefined : knownFooter(source, chunk)) ??
      (await readFooter(source.pool, handle.file, chunk.storedLength))
    if (footer === undefined || !isSame(footer, chunk)) throw await damaged(source, chunk, 'its footer is damaged')
    if (!direct) source.footers.set(chunk.id, footer)
    return new VerifiedReader({
      source,
      chunk,
      info: { id: chunk.id, length: footer.length, crc: footer.crc, blockCrcs: footer.blockCrcs },
      file: handle.file,
      dataOffset: 0,
      close: handle.close,
    })
  } catch (error) {
    await handle.close()
    throw error
  }
}

/**
 * Opens a record of a segment, which the caller has pinned; `close` gives the pin back.
 * @param options.direct past the page cache, with a handle of its own
 * @throws {AshlarError} `corrupt` — set aside; `not-found` — no such segment; `disk-failed`
 */
export async function openRecord(
  source: ReplicaSource,
  chunk: LiveChunk,
  options: {
    readonly place: RecordPlace
    readonly path: string
    readonly unpin: () => void
    readonly direct?: boolean
  },
): Promise<ChunkReader> {
  const { place, path, unpin, direct = false } = options
  let handle: OpenedFile | undefined
  const close = async () => {
    await handle?.close()
    unpin()
  }
  try {
    handle = direct ? await openDirectRanges(source, path) : await openShared(source.handles, path)
    const { storedLength } = chunk
    const headBytes = putHeadBytes(chunk)
    // Most small chunks are one block, and are opened to be read: head and block come in one read, and one thread is woken.
    const ahead = storedLength <= blockBytes ? storedLength : 0
    const lease = await source.pool.lease(headBytes + ahead)
    try {
      const count = await handle.file.read(lease.bytes.subarray(0, headBytes + ahead), place.offset)
      const seed = segmentSeed({ server: source.server, number: place.segment })
      const record = decodeRecordHead(lease.bytes.subarray(0, Math.min(count, headBytes)), {
        seed,
        offset: place.offset,
      })
      if (record === undefined || record.kind !== 'put' || !isSame(record, chunk)) {
        throw await damaged(source, chunk, 'the head of its record is damaged')
      }
      const isRead = ahead > 0 && count === headBytes + ahead
      if (!isRead) lease.release()
      return new VerifiedReader(
        {
          source,
          chunk,
          info: { id: chunk.id, length: chunk.length, crc: chunk.crc, blockCrcs: record.blockCrcs },
          file: handle.file,
          dataOffset: place.offset + headBytes,
          close,
        },
        isRead ? { bytes: lease.bytes.subarray(headBytes, headBytes + ahead), release: lease.release } : undefined,
      )
    } catch (error) {
      lease.release()
      throw error
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** Reads the footer of a file that stores `storedLength` bytes; undefined: damaged, or too short a file. */
export async function readFooter(pool: BufferPool, file: File, storedLength: number): Promise<ChunkFooter | undefined> {
  const length = footerBytes(storedLength)
  const lease = await pool.lease(Math.min(length, footerMaxBytes))
  try {
    const count = await file.read(lease.bytes.subarray(0, length), alignUp(storedLength))
    return count === length ? decodeFooter(lease.bytes.subarray(0, length)) : undefined
  } finally {
    lease.release()
  }
}

interface OpenedFile<F extends ReadableFile = ReadableFile> {
  readonly file: F
  readonly close: () => Promise<void>
}

async function openShared(handles: FileHandles, path: string): Promise<OpenedFile<File>> {
  const handle = await handles.acquire(path)
  return { file: handle.file, close: async () => handle.release() }
}

async function openDirect(disk: Disk, path: string): Promise<OpenedFile<File>> {
  const file = await disk.open(path, { mode: 'read', direct: true })
  return { file, close: () => file.close() }
}

async function openDirectRanges({ disk, directRanges }: ReplicaSource, path: string): Promise<OpenedFile> {
  const { file, close } = await openDirect(disk, path)
  return { file: directRanges.of(file), close }
}

function knownFooter({ footers }: ReplicaSource, chunk: LiveChunk): ChunkFooter | undefined {
  const footer = footers.get(chunk.id)
  return footer?.sequence === chunk.sequence ? footer : undefined
}

/** Whether what the disk says is what the index expects. */
function isSame(found: StoredChunk, expected: StoredChunk): boolean {
  return (
    found.id === expected.id &&
    found.sequence === expected.sequence &&
    found.length === expected.length &&
    found.crc === expected.crc &&
    found.storedLength === expected.storedLength &&
    found.storedCrc === expected.storedCrc
  )
}

/** Sets the replica aside. @returns the error to throw */
async function damaged({ onDamage }: ReplicaSource, chunk: LiveChunk, what: string): Promise<AshlarError> {
  await onDamage(chunk, what)
  return new AshlarError('corrupt', `Cannot read chunk ${chunk.id}: ${what}; the replica was put into quarantine`)
}

class VerifiedReader implements ChunkReader {
  readonly info: ReplicaInfo
  readonly #opened: Opened
  /** Bytes of the whole chunk that came with its head; the first read takes them. */
  #ahead: Lease | undefined
  #reading = 0
  #closed = false
  #idle: (() => void) | undefined

  constructor(opened: Opened, ahead?: Lease) {
    this.#opened = opened
    this.#ahead = ahead
    this.info = opened.info
  }

  async read({ offset, length }: ReadRange): Promise<ReplicaSlice> {
    const { source, chunk, file, dataOffset } = this.#opened
    const { storedLength } = chunk
    if (this.#closed) throw new AshlarError('closed', `Cannot read chunk ${chunk.id}: its reader was closed`)
    if (!(offset >= 0 && length >= 1 && offset + length <= storedLength)) {
      throw new AshlarError(
        'invalid-argument',
        `Cannot read chunk ${chunk.id}: ${length} bytes at ${offset} are not within its ${storedLength}`,
      )
    }
    const ahead = this.#ahead
    if (ahead !== undefined) {
      this.#ahead = undefined
      if (findBadBlock(ahead.bytes, this.info.blockCrcs, 0) < 0) return { offset: 0, ...ahead }
      ahead.release()
    }
    const start = Math.floor(offset / blockBytes) * blockBytes
    const wantedEnd = Math.ceil((offset + length) / blockBytes) * blockBytes
    const end = Math.min(wantedEnd, start + streamBufferBytes, storedLength)
    this.#reading++
    try {
      const lease = await source.pool.lease(end - start)
      try {
        return await this.#verified(lease, { start, end, file, dataOffset })
      } catch (error) {
        lease.release()
        throw error
      }
    } finally {
      this.#reading--
      if (this.#reading === 0) this.#idle?.()
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#ahead?.release()
    this.#ahead = undefined
    if (this.#reading > 0) await new Promise<void>((resolve) => (this.#idle = resolve))
    await this.#opened.close()
  }

  async #verified(
    lease: Lease,
    range: { readonly start: number; readonly end: number; readonly file: ReadableFile; readonly dataOffset: number },
  ): Promise<ReplicaSlice> {
    const { start, end, file, dataOffset } = range
    const { source, chunk, info } = this.#opened
    const length = end - start
    // Direct I/O takes whole pages; the zeros up to the page are there.
    const target = lease.bytes.subarray(0, file.direct ? alignUp(length) : length)
    const count = await file.read(target, dataOffset + start)
    const bytes = lease.bytes.subarray(0, length)
    const firstBlock = start / blockBytes
    const bad = count < length ? firstBlock : findBadBlock(bytes, info.blockCrcs, firstBlock)
    if (bad >= 0) throw await damaged(source, chunk, `block ${bad} does not match its checksum`)
    return { offset: start, bytes, release: lease.release }
  }
}

/** Whether opening failed because the place is gone: compaction or a delete was faster; look the chunk up again. */
export function isGone(error: unknown): boolean {
  return isAshlarError(error, 'not-found')
}

/**
 * The three ways in which a declared write ends: as a chunk file, as a record, or as the proof that the chunk is
 * there already. What was reserved for it is given back exactly once.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import type { ChunkId } from '../base/ids.ts'
import { BlockSums } from './block-sums.ts'
import type { Lease } from './buffer-pool.ts'
import { type ChunkCommits, checkCrc } from './chunk-commits.ts'
import type { ChunkFileWriter } from './chunk-file-writer.ts'
import type { LiveChunk } from './chunk-state.ts'
import type { ChunkWriter, CommitRequest, ReplicaInfo } from './chunk-store.ts'
import type { Reservation } from './space-ledger.ts'

/** Where the bytes of a write go. */
export interface WriteTarget {
  /** As {@link ChunkWriter.append}. */
  append(bytes: Uint8Array, release?: () => void): Promise<void>
  commit(request: CommitRequest): Promise<ReplicaInfo>
  abort(): Promise<void>
}

export interface DeclaredWriteOptions {
  readonly id: ChunkId
  readonly length: number
  readonly target: WriteTarget
  /** Called exactly once, when the write has ended. */
  readonly onEnd: () => void
}

/** Holds a write to its declared length. */
export class DeclaredWrite implements ChunkWriter {
  readonly #options: DeclaredWriteOptions
  #appendedBytes = 0
  #state: 'open' | 'ended' = 'open'

  constructor(options: DeclaredWriteOptions) {
    this.#options = options
  }

  async append(bytes: Uint8Array, release?: () => void): Promise<void> {
    const { id, length, target } = this.#options
    this.#checkOpen()
    if (this.#appendedBytes + bytes.length > length) {
      throw new AshlarError('too-large', `Cannot append to chunk ${id}: more than the ${length} bytes declared`)
    }
    this.#appendedBytes += bytes.length
    await target.append(bytes, release)
  }

  async commit(request: CommitRequest): Promise<ReplicaInfo> {
    const { id, length, target, onEnd } = this.#options
    this.#checkOpen()
    if (this.#appendedBytes !== length) {
      throw new AshlarError(
        'invalid-argument',
        `Cannot commit chunk ${id}: ${this.#appendedBytes} bytes came, where ${length} were declared`,
      )
    }
    this.#state = 'ended'
    try {
      return await target.commit(request)
    } finally {
      onEnd()
    }
  }

  async abort(): Promise<void> {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    try {
      await this.#options.target.abort()
    } finally {
      this.#options.onEnd()
    }
  }

  #checkOpen(): void {
    if (this.#state === 'open') return
    throw new AshlarError('closed', `Cannot write chunk ${this.#options.id}: its writer has ended`)
  }
}

type InfoOf = (chunk: LiveChunk) => Promise<ReplicaInfo>

export function fileTarget(
  id: ChunkId,
  parts: {
    readonly commits: ChunkCommits
    readonly writer: ChunkFileWriter
    readonly reservation: Reservation
    readonly infoOf: InfoOf
  },
): WriteTarget {
  const { commits, writer, reservation, infoOf } = parts
  return {
    append: (bytes, release) => writer.append(bytes, release),
    commit: (request) => commits.putFile(id, writer, { ...request, reservation, infoOf }),
    abort: () => writer.discard(),
  }
}

/** Collects a small chunk in a pooled buffer. */
export function recordTarget(
  id: ChunkId,
  parts: {
    readonly commits: ChunkCommits
    readonly lease: Lease
    readonly length: number
    readonly reservation: Reservation
    readonly infoOf: InfoOf
  },
): WriteTarget {
  const { commits, lease, length, reservation, infoOf } = parts
  let filledBytes = 0
  return {
    async append(bytes, release) {
      lease.bytes.set(bytes, filledBytes)
      filledBytes += bytes.length
      release?.()
    },
    async commit(request) {
      try {
        return await commits.putSmall(id, lease.bytes.subarray(0, length), { ...request, reservation, infoOf })
      } finally {
        lease.release()
      }
    },
    async abort() {
      lease.release()
    },
  }
}

/** Compares the bytes with the chunk that exists; stores nothing and needs no room. */
export function compareTarget(
  existing: LiveChunk,
  parts: { readonly current: () => Promise<LiveChunk | undefined>; readonly infoOf: InfoOf },
): WriteTarget {
  const { id, length } = existing
  const sums = new BlockSums(length)
  return {
    async append(bytes, release) {
      sums.append(bytes)
      release?.()
    },
    async commit({ expectedCrc }) {
      const { crc, blockCrcs } = sums.finish()
      checkCrc(id, crc, expectedCrc)
      const chunk = await parts.current()
      if (chunk === undefined) {
        throw new AshlarError(
          'busy',
          `Cannot store chunk ${id}: it was there and was deleted meanwhile; write it again`,
        )
      }
      const info = await parts.infoOf(chunk)
      if (info.crc === crc && info.blockCrcs.every((other, index) => other === blockCrcs[index])) return info
      throw new AshlarError('chunk-conflict', `Cannot store chunk ${id}: it exists with other bytes`)
    },
    async abort() {
      // Nothing was taken.
    },
  }
}

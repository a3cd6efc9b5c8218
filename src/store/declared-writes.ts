/**
 * How chunks come in: of a declared length, for which room is reserved before the first byte; in pieces, or at once. A chunk that is there
 * already is compared and takes no room.
 *
 * Invariant: what was reserved is given back exactly once, when the write has ended, however it ends.
 * @module
 */
import { AshlarError, isAshlarError } from '../base/errors.ts'
import type { ChunkId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { ChunkCommits } from './chunk-commits.ts'
import { ChunkFileWriter } from './chunk-file-writer.ts'
import { checkChunkLength } from './chunk-length.ts'
import type { LiveChunk } from './chunk-state.ts'
import type { ChunkWriter, ReplicaInfo, SpaceUse } from './chunk-store.ts'
import {
  compareTarget,
  DeclaredWrite,
  type DeclaredWriteOptions,
  fileTarget,
  recordTarget,
  type WriteTarget,
} from './chunk-writers.ts'
import type { SpaceGauge } from './space-gauge.ts'
import type { Reservation } from './space-ledger.ts'
import type { StoreParts } from './store-parts.ts'
import type { WorkGate } from './work-gate.ts'

export interface DeclaredWritesOptions {
  readonly parts: StoreParts
  readonly commits: ChunkCommits
  readonly gauge: SpaceGauge
  readonly gate: WorkGate
  readonly space: () => SpaceUse
  readonly infoOf: (chunk: LiveChunk) => Promise<ReplicaInfo>
}

interface PutOptions {
  readonly expectedCrc?: number
}

export class DeclaredWrites {
  readonly #options: DeclaredWritesOptions
  #temporaries = 0

  constructor(options: DeclaredWritesOptions) {
    this.#options = options
  }

  /** As `begin` of a store. */
  begin(id: ChunkId, length: number): Promise<ChunkWriter> {
    return this.#options.gate.change(async () => {
      const { parts, gauge, space } = this.#options
      checkChunkLength(id, length)
      const existing = await parts.index.find(id)
      if (existing !== undefined) return this.#compare(existing, length)
      await parts.keeper.room()
      await gauge.refresh(length)
      const reservation = parts.ledger.reserve(length, space)
      try {
        const target = await this.#target(id, { length, reservation })
        return this.#counted({ id, length, target, onEnd: () => reservation.release() })
      } catch (error) {
        reservation.release()
        throw this.#explained(error)
      }
    })
  }

  /** As `put` of a store. */
  put(id: ChunkId, bytes: Uint8Array, options: PutOptions): Promise<ReplicaInfo> {
    return bytes.length >= limits.chunkFileMinBytes
      ? this.#putLarge(id, bytes, options)
      : this.#putSmall(id, bytes, options)
  }

  async #putLarge(id: ChunkId, bytes: Uint8Array, options: PutOptions): Promise<ReplicaInfo> {
    const writer = await this.begin(id, bytes.length)
    try {
      // Ours until this settles: nothing is to be released, and so nothing need be copied.
      await writer.append(bytes, () => undefined)
      return await writer.commit(options)
    } finally {
      await writer.abort()
    }
  }

  /** One function, and no wait that is not needed: each costs as much as the checksum of such a chunk. */
  async #putSmall(id: ChunkId, bytes: Uint8Array, options: PutOptions): Promise<ReplicaInfo> {
    const { parts, commits, gauge, gate, space, infoOf } = this.#options
    const { index, keeper, ledger } = parts
    gate.begin()
    let reservation: Reservation | undefined
    try {
      checkChunkLength(id, bytes.length)
      const found = index.find(id)
      const existing = found instanceof Promise ? await found : found
      if (existing !== undefined) return await this.#putExisting(existing, bytes, options)
      const room = keeper.room()
      if (room !== undefined) await room
      const measured = gauge.refresh(bytes.length)
      if (measured !== undefined) await measured
      reservation = ledger.reserve(bytes.length, space)
      return await commits.putSmall(id, bytes, { ...options, reservation, infoOf })
    } catch (error) {
      throw reservation === undefined ? error : this.#explained(error)
    } finally {
      reservation?.release()
      gate.end()
    }
  }

  async #putExisting(existing: LiveChunk, bytes: Uint8Array, options: PutOptions): Promise<ReplicaInfo> {
    const writer = this.#compare(existing, bytes.length)
    await writer.append(bytes)
    return await writer.commit(options)
  }

  async #target(
    id: ChunkId,
    { length, reservation }: { readonly length: number; readonly reservation: Reservation },
  ): Promise<WriteTarget> {
    const { parts, commits, infoOf } = this.#options
    const { pool, env, fence, layout } = parts
    const common = { commits, reservation, infoOf }
    if (length < limits.chunkFileMinBytes) {
      return recordTarget(id, { ...common, lease: await pool.lease(length), length })
    }
    const path = `${layout.temporary}/${id}-${++this.#temporaries}`
    const writer = await ChunkFileWriter.create({ disk: env.disk, pool, fence, path, length })
    return fileTarget(id, { ...common, writer })
  }

  #compare(existing: LiveChunk, length: number): ChunkWriter {
    const { id } = existing
    if (existing.length !== length) {
      throw new AshlarError('chunk-conflict', `Cannot store chunk ${id}: it exists with another length`)
    }
    const { parts, infoOf } = this.#options
    const target = compareTarget(existing, { current: () => parts.index.get(id), infoOf })
    return this.#counted({ id, length, target, onEnd: () => undefined })
  }

  /** A writer whose appends and commits count as work under way. */
  #counted(options: DeclaredWriteOptions): ChunkWriter {
    const { gate } = this.#options
    const write = new DeclaredWrite(options)
    return {
      append: (bytes, release) => gate.change(() => write.append(bytes, release)),
      commit: async (request) => {
        try {
          return await gate.change(() => write.commit(request))
        } catch (error) {
          throw this.#explained(error)
        }
      },
      abort: () => write.abort(),
    }
  }

  /** Adds the state of the room to a refusal of the disk itself. */
  #explained(error: unknown): unknown {
    if (!isAshlarError(error, 'no-space') || error.details['capacityBytes'] !== undefined) return error
    const { gauge, space } = this.#options
    gauge.distrust()
    return new AshlarError('no-space', 'Cannot store chunk: the disk beneath is full', {
      cause: error,
      details: { ...space() },
    })
  }
}

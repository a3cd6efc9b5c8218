/**
 * The chunk store on a disk: large chunks as files, small ones in segments, an index that follows.
 * This is the door; the work is done by its parts: `ChunkCommits` changes, `replica-reader` reads, `ChunkIndex` knows,
 * `SpaceLedger` counts, `Fence` stops everything when the disk fails. `openDiskStore` puts them together.
 * @module
 */
import { createHash } from 'node:crypto'
import { AshlarError, isAshlarError } from '../base/errors.ts'
import { type ChunkId, type GroupId, pageBounds } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { ChunkCommits } from './chunk-commits.ts'
import { ChunkFileWriter } from './chunk-file-writer.ts'
import { checkChunkLength } from './chunk-length.ts'
import type { LiveChunk } from './chunk-state.ts'
import type {
  ChunkReader,
  ChunkStore,
  ChunkWriter,
  PageDigest,
  ReplicaInfo,
  SpaceUse,
  SweptFolder,
} from './chunk-store.ts'
import { compareTarget, DeclaredWrite, fileTarget, recordTarget } from './chunk-writers.ts'
import type { Compactor } from './compactor.ts'
import { isGone, openChunkFile, openRecord, type ReplicaSource } from './replica-reader.ts'
import type { SpaceGauge } from './space-gauge.ts'
import type { Reservation } from './space-ledger.ts'
import { readFact, writeFact } from './store-facts.ts'
import { type StoreIdentity, writeIdentity } from './store-identity.ts'
import type { StoreParts } from './store-parts.ts'
import { sweepFolder } from './stray-files.ts'

export interface DiskStoreDuties {
  readonly commits: ChunkCommits
  readonly compactor: Compactor
  readonly gauge: SpaceGauge
  /** Ends background work and gives everything back; the lock last. */
  readonly shutDown: () => Promise<void>
}

/** Often an id moves just while it is looked up: by compaction, or a delete and a new put. */
const lookups = 3

export class DiskStore implements ChunkStore {
  readonly #parts: StoreParts
  readonly #duties: DiskStoreDuties
  readonly #commits: ChunkCommits
  readonly #source: ReplicaSource
  #identity: StoreIdentity
  #temporaries = 0
  #underWay = 0
  #onIdle: (() => void) | undefined
  #closing: Promise<void> | undefined

  constructor(parts: StoreParts, duties: DiskStoreDuties) {
    this.#parts = parts
    this.#duties = duties
    this.#identity = parts.identity
    this.#commits = duties.commits
    this.#source = {
      disk: parts.env.disk,
      pool: parts.pool,
      handles: parts.handles,
      directRanges: parts.directRanges,
      footers: parts.footers,
      server: parts.identity.server,
      onDamage: (chunk, what) => this.#commits.quarantine(chunk, what),
    }
  }

  get identity(): StoreIdentity {
    return this.#identity
  }

  async begin(id: ChunkId, length: number): Promise<ChunkWriter> {
    return await this.#changing(async () => {
      checkChunkLength(id, length)
      const existing = await this.#parts.index.find(id)
      if (existing !== undefined) return this.#compare(existing, length)
      await this.#parts.keeper.room()
      await this.#duties.gauge.refresh(length)
      const reservation = this.#parts.ledger.reserve(length, () => this.space())
      try {
        const { pool, env, fence, layout } = this.#parts
        const common = { commits: this.#commits, reservation, infoOf: this.#infoOf }
        this.#temporaries++
        const path = `${layout.temporary}/${id}-${this.#temporaries}`
        const target =
          length < limits.chunkFileMinBytes
            ? recordTarget(id, { ...common, lease: await pool.lease(length), length })
            : fileTarget(id, {
                ...common,
                writer: await ChunkFileWriter.create({ disk: env.disk, pool, fence, path, length }),
              })
        return this.#declared(id, { length, target, onEnd: () => reservation.release() })
      } catch (error) {
        reservation.release()
        throw this.#explained(error)
      }
    })
  }

  put(id: ChunkId, bytes: Uint8Array, options: { readonly expectedCrc?: number }): Promise<ReplicaInfo> {
    return bytes.length >= limits.chunkFileMinBytes
      ? this.#putLarge(id, bytes, options)
      : this.#putSmall(id, bytes, options)
  }

  async #putLarge(id: ChunkId, bytes: Uint8Array, options: { readonly expectedCrc?: number }): Promise<ReplicaInfo> {
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
  async #putSmall(id: ChunkId, bytes: Uint8Array, options: { readonly expectedCrc?: number }): Promise<ReplicaInfo> {
    const { index, keeper, ledger } = this.#parts
    this.#begin()
    let reservation: Reservation | undefined
    try {
      checkChunkLength(id, bytes.length)
      const found = index.find(id)
      const existing = found instanceof Promise ? await found : found
      if (existing !== undefined) return await this.#putExisting(existing, bytes, options)
      const room = keeper.room()
      if (room !== undefined) await room
      const measured = this.#duties.gauge.refresh(bytes.length)
      if (measured !== undefined) await measured
      reservation = ledger.reserve(bytes.length, () => this.space())
      return await this.#commits.putSmall(id, bytes, { ...options, reservation, infoOf: this.#infoOf })
    } catch (error) {
      throw reservation === undefined ? error : this.#explained(error)
    } finally {
      reservation?.release()
      this.#end()
    }
  }

  async open(id: ChunkId): Promise<ChunkReader> {
    this.#checkOpen()
    return await this.#open(id, { direct: false })
  }

  async info(id: ChunkId): Promise<ReplicaInfo | undefined> {
    this.#checkOpen()
    const chunk = await this.#parts.index.get(id)
    if (chunk === undefined) return undefined
    try {
      return await this.#infoOf(chunk)
    } catch (error) {
      if (isAshlarError(error, 'corrupt', 'chunk-missing')) return undefined
      throw error
    }
  }

  async delete(ids: readonly ChunkId[]): Promise<number> {
    return await this.#changing(() => this.#commits.delete(ids))
  }

  async list(options: { readonly first: ChunkId; readonly last: ChunkId; readonly limit: number }) {
    this.#checkServing()
    const chunks = await this.#parts.index.list(options)
    return chunks.map(({ id, length, crc }) => ({ id, length, crc }))
  }

  async digests(group: GroupId): Promise<PageDigest[]> {
    this.#checkServing()
    return await this.#parts.index.digests(group)
  }

  async groups(): Promise<GroupId[]> {
    this.#checkServing()
    const groups: GroupId[] = []
    for (const group of await this.#parts.index.knownGroups()) {
      const { first } = pageBounds(group, 0)
      const last = `${first.slice(0, 8)}ffff000fffffffffffff0000` as ChunkId
      if ((await this.#parts.index.list({ first, last, limit: 1 })).length > 0) groups.push(group)
    }
    return groups
  }

  changeCount(group: GroupId): number {
    return this.#parts.changes.of(group)
  }

  changedGroups(): Iterable<GroupId> {
    return this.#parts.changes.groups()
  }

  space(): SpaceUse {
    const { ledger, changes, quarantine, fence } = this.#parts
    this.#duties.gauge.noteAsked()
    return {
      capacityBytes: ledger.capacityBytes(),
      usedBytes: ledger.usedBytes,
      reservedBytes: ledger.reservedBytes,
      freeBytes: fence.isUp ? 0 : ledger.freeBytes(),
      chunks: changes.chunks,
      quarantinedChunks: quarantine.count,
      quarantinedBytes: quarantine.sizeBytes,
      refusal: fence.isUp ? 'fenced' : ledger.refusal(),
    }
  }

  async verify(id: ChunkId): Promise<ReplicaInfo> {
    return await this.#readAll(id, { direct: true, each: () => undefined })
  }

  async quarantine(id: ChunkId, reason: string): Promise<boolean> {
    return await this.#changing(async () => {
      const chunk = await this.#parts.index.get(id)
      if (chunk === undefined) return false
      await this.#commits.quarantine(chunk, reason)
      return true
    })
  }

  async sweep(after?: string): Promise<SweptFolder | undefined> {
    return await this.#changing(() => sweepFolder(this.#parts, after))
  }

  async md5(id: ChunkId): Promise<Buffer> {
    const hash = createHash('md5')
    await this.#readAll(id, { direct: false, each: (bytes) => hash.update(bytes) })
    return hash.digest()
  }

  async setCapacity(capacityBytes: number): Promise<void> {
    await this.#changing(async () => {
      const { ledger, env, layout, fence } = this.#parts
      if (!Number.isSafeInteger(capacityBytes) || capacityBytes < 0) {
        throw new AshlarError('invalid-argument', `Cannot set the capacity to ${capacityBytes}: it is not a size`)
      }
      const identity = { ...this.#identity, capacityBytes }
      ledger.setCapacity(capacityBytes)
      await fence.guard(() => writeIdentity(env.disk, layout, identity))
      this.#identity = identity
    })
  }

  onQuarantine(listener: (id: ChunkId) => void): void {
    this.#parts.quarantine.onQuarantine(listener)
  }

  async getFact(name: string): Promise<Buffer | undefined> {
    this.#checkServing()
    return await readFact(this.#parts.env.disk, this.#parts.layout, name)
  }

  async setFact(name: string, value: Uint8Array): Promise<void> {
    const { env, layout, fence } = this.#parts
    await this.#changing(() => fence.guard(() => writeFact(env.disk, layout, { name, value })))
  }

  /** Compacts now what is worth it; it happens by itself after checkpoints. */
  async compact(): Promise<void> {
    await this.#changing(async () => {
      await this.#parts.keeper.checkpoint()
      await this.#duties.compactor.run()
    })
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    if (this.#underWay > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve))
    await this.#duties.shutDown()
  }

  /** Runs one change; `close` waits for it. */
  async #changing<T>(work: () => Promise<T>): Promise<T> {
    this.#begin()
    try {
      return await work()
    } finally {
      this.#end()
    }
  }

  #begin(): void {
    this.#checkServing()
    this.#underWay++
  }

  #end(): void {
    this.#underWay--
    if (this.#underWay === 0) this.#onIdle?.()
  }

  /** A writer whose commits count as work under way. */
  #declared(
    id: ChunkId,
    options: {
      readonly length: number
      readonly target: ConstructorParameters<typeof DeclaredWrite>[0]['target']
      readonly onEnd: () => void
    },
  ): ChunkWriter {
    const write = new DeclaredWrite({ id, ...options })
    return {
      append: (bytes, release) => this.#changing(() => write.append(bytes, release)),
      commit: async (commitOptions) => {
        try {
          return await this.#changing(() => write.commit(commitOptions))
        } catch (error) {
          throw this.#explained(error)
        }
      },
      abort: () => write.abort(),
    }
  }

  #compare(existing: LiveChunk, length: number): ChunkWriter {
    const { id } = existing
    if (existing.length !== length) {
      throw new AshlarError('chunk-conflict', `Cannot store chunk ${id}: it exists with another length`)
    }
    const target = compareTarget(existing, { current: () => this.#parts.index.get(id), infoOf: this.#infoOf })
    return this.#declared(id, { length, target, onEnd: () => undefined })
  }

  async #putExisting(
    existing: LiveChunk,
    bytes: Uint8Array,
    options: { readonly expectedCrc?: number },
  ): Promise<ReplicaInfo> {
    const writer = this.#compare(existing, bytes.length)
    await writer.append(bytes)
    return await writer.commit(options)
  }

  readonly #infoOf = async (chunk: LiveChunk): Promise<ReplicaInfo> => {
    const { id, length, crc, storedLength, storedCrc } = chunk
    if (storedLength <= limits.blockBytes) return { id, length, crc, blockCrcs: Uint32Array.of(storedCrc) }
    const reader = await this.#open(id, { direct: false })
    await reader.close()
    return reader.info
  }

  async #open(id: ChunkId, options: { readonly direct: boolean }): Promise<ChunkReader> {
    const { index, table, layout } = this.#parts
    let chunk = await index.get(id)
    for (let attempt = 1; chunk !== undefined; attempt++) {
      const { location } = chunk
      try {
        if (location.kind === 'file') {
          return await openChunkFile(this.#source, chunk, { path: layout.chunkFile(id), ...options })
        }
        const unpin = table.pin(location.segment)
        if (unpin !== undefined) {
          return await openRecord(this.#source, chunk, {
            place: location,
            path: layout.segment(location.segment),
            unpin,
            ...options,
          })
        }
      } catch (error) {
        if (!isGone(error)) throw error
        if (attempt === lookups) await this.#commits.quarantine(chunk, 'the file that held it is missing')
      }
      if (attempt === lookups) break
      chunk = await index.get(id)
    }
    throw new AshlarError('chunk-missing', `Cannot read chunk ${id}: there is no replica of it here`)
  }

  async #readAll(
    id: ChunkId,
    options: { readonly direct: boolean; readonly each: (bytes: Buffer) => void },
  ): Promise<ReplicaInfo> {
    this.#checkOpen()
    const reader = await this.#open(id, options)
    try {
      const { length } = reader.info
      for (let offset = 0; offset < length; ) {
        const slice = await reader.read({ offset, length: length - offset })
        options.each(slice.bytes)
        offset += slice.bytes.length
        slice.release()
      }
      return reader.info
    } finally {
      await reader.close()
    }
  }

  /** Adds the state of the room to a refusal of the disk itself. */
  #explained(error: unknown): unknown {
    if (!isAshlarError(error, 'no-space') || error.details['capacityBytes'] !== undefined) return error
    this.#duties.gauge.distrust()
    return new AshlarError('no-space', 'Cannot store chunk: the disk beneath is full', {
      cause: error,
      details: { ...this.space() },
    })
  }

  #checkServing(): void {
    this.#checkOpen()
    this.#parts.fence.check()
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new AshlarError('closed', 'Cannot use store: it was closed')
  }
}

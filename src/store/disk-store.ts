/**
 * The chunk store on a disk: large chunks as files, small ones in segments, an index that follows.
 * This is the door; the work is done by its parts: `DeclaredWrites` takes chunks, `ChunkCommits` changes, `replica-reader` reads,
 * `ChunkIndex` knows, `SpaceLedger` counts, `WorkGate` says what may begin, `Fence` stops everything when the disk fails. `openDiskStore`
 * puts them together.
 * @module
 */
import { createHash } from 'node:crypto'
import { AshlarError, isAshlarError } from '../base/errors.ts'
import { type ChunkId, type GroupId, pageBounds } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { ChunkCommits } from './chunk-commits.ts'
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
import type { Compactor } from './compactor.ts'
import { DeclaredWrites } from './declared-writes.ts'
import { isGone, openChunkFile, openRecord, type ReplicaSource } from './replica-reader.ts'
import type { SpaceGauge } from './space-gauge.ts'
import { readFact, writeFact } from './store-facts.ts'
import { type StoreIdentity, writeIdentity } from './store-identity.ts'
import type { StoreParts } from './store-parts.ts'
import { sweepFolder } from './stray-files.ts'
import { WorkGate } from './work-gate.ts'

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
  readonly #gate: WorkGate
  readonly #writes: DeclaredWrites
  #identity: StoreIdentity
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
    this.#gate = new WorkGate(parts.fence)
    this.#writes = new DeclaredWrites({
      ...{ parts, commits: duties.commits, gauge: duties.gauge, gate: this.#gate },
      ...{ space: () => this.space(), infoOf: this.#infoOf },
    })
  }

  get identity(): StoreIdentity {
    return this.#identity
  }

  begin(id: ChunkId, length: number): Promise<ChunkWriter> {
    return this.#writes.begin(id, length)
  }

  put(id: ChunkId, bytes: Uint8Array, options: { readonly expectedCrc?: number }): Promise<ReplicaInfo> {
    return this.#writes.put(id, bytes, options)
  }

  async open(id: ChunkId): Promise<ChunkReader> {
    this.#gate.checkOpen()
    return await this.#open(id, { direct: false })
  }

  async info(id: ChunkId): Promise<ReplicaInfo | undefined> {
    this.#gate.checkOpen()
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
    return await this.#gate.change(() => this.#commits.delete(ids))
  }

  async list(options: { readonly first: ChunkId; readonly last: ChunkId; readonly limit: number }) {
    this.#gate.checkServing()
    const chunks = await this.#parts.index.list(options)
    return chunks.map(({ id, length, crc }) => ({ id, length, crc }))
  }

  async digests(group: GroupId): Promise<PageDigest[]> {
    this.#gate.checkServing()
    return await this.#parts.index.digests(group)
  }

  async groups(): Promise<GroupId[]> {
    this.#gate.checkServing()
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
    return await this.#gate.change(async () => {
      const chunk = await this.#parts.index.get(id)
      if (chunk === undefined) return false
      await this.#commits.quarantine(chunk, reason)
      return true
    })
  }

  async sweep(after?: string): Promise<SweptFolder | undefined> {
    return await this.#gate.change(() => sweepFolder(this.#parts, after))
  }

  async md5(id: ChunkId): Promise<Buffer> {
    const hash = createHash('md5')
    await this.#readAll(id, { direct: false, each: (bytes) => hash.update(bytes) })
    return hash.digest()
  }

  async setCapacity(capacityBytes: number): Promise<void> {
    await this.#gate.change(async () => {
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
    this.#gate.checkServing()
    return await readFact(this.#parts.env.disk, this.#parts.layout, name)
  }

  async setFact(name: string, value: Uint8Array): Promise<void> {
    const { env, layout, fence } = this.#parts
    await this.#gate.change(() => fence.guard(() => writeFact(env.disk, layout, { name, value })))
  }

  /** Compacts now what is worth it; it happens by itself after checkpoints. */
  async compact(): Promise<void> {
    await this.#gate.change(async () => {
      await this.#parts.keeper.checkpoint()
      await this.#duties.compactor.run()
    })
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#gate.close()
    await this.#duties.shutDown()
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
    this.#gate.checkOpen()
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
}

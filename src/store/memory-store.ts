/**
 * The chunk store in memory: the same interface and the same contract suite as the disk store, for tests and
 * `ashlar/testing`. What it holds lies in an image that outlives the store, as a disk outlives the process; so a test
 * can restart a chunk server. Reads verify block checksums, so that damage done on purpose is found as on a disk.
 * @module
 */
import { createHash } from 'node:crypto'
import { assert } from '../base/assert.ts'
import { addDigest, type ChunkDigest, digestOf, emptyDigest } from '../base/digest.ts'
import { AshlarError } from '../base/errors.ts'
import { type ChunkId, type ClusterId, type GroupId, groupOf, pageOf, type ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { DiskSpace } from '../env/disk.ts'
import { findBadBlock } from './block-sums.ts'
import { ChangeCounts } from './change-counts.ts'
import { checkChunkLength } from './chunk-length.ts'
import type { ChunkReader, ChunkStore, ChunkWriter, PageDigest, ReplicaInfo, SpaceUse } from './chunk-store.ts'
import { DeclaredWrite } from './chunk-writers.ts'
import { putRecord } from './segment-format.ts'
import { type Reservation, SpaceLedger } from './space-ledger.ts'
import { checkFact } from './store-facts.ts'
import { checkIdentity, type StoreIdentity } from './store-identity.ts'

interface Replica {
  readonly info: ReplicaInfo
  readonly bytes: Buffer
}

/** What a memory store holds; make it with {@link createMemoryStoreImage}. */
export interface MemoryStoreImage {
  readonly server: ServerId
  readonly cluster: ClusterId
  capacityBytes: number
  readonly replicas: Map<ChunkId, Replica>
  readonly quarantined: Replica[]
  readonly facts: Map<string, Buffer>
  isOpen: boolean
}

export interface MemoryStore extends ChunkStore {
  readonly identity: StoreIdentity
  /** Flips a bit of a stored chunk, as a bad disk would. */
  damage(id: ChunkId, offset: number): void
  /** Takes the free room of the "disk beneath" (P8): writes are refused while there is none. */
  setDiskRoom(freeBytes: number): void
}

const noMark = { usedFraction: 1, freeBytes: 0 }

export function createMemoryStoreImage(
  identity: Required<Pick<StoreIdentity, 'server' | 'cluster'>> & { readonly capacityBytes: number },
): MemoryStoreImage {
  const { server, cluster, capacityBytes } = identity
  return { server, cluster, capacityBytes, replicas: new Map(), quarantined: [], facts: new Map(), isOpen: false }
}

/** @throws {AshlarError} `in-use`, `wrong-cluster`, `bad-store` */
export async function openMemoryStore(options: {
  readonly image: MemoryStoreImage
  readonly identity?: { readonly cluster?: ClusterId; readonly server?: ServerId }
}): Promise<MemoryStore> {
  const { image, identity = {} } = options
  checkIdentity('in memory', image, identity)
  if (image.isOpen) throw new AshlarError('in-use', 'Cannot open store in memory: it is open already')
  image.isOpen = true
  return new MemoryChunkStore(image)
}

class MemoryChunkStore implements MemoryStore {
  readonly #image: MemoryStoreImage
  readonly #ledger: SpaceLedger
  readonly #changes: ChangeCounts
  readonly #listeners: ((id: ChunkId) => void)[] = []
  #isClosed = false

  constructor(image: MemoryStoreImage) {
    this.#image = image
    this.#ledger = new SpaceLedger({ capacityBytes: image.capacityBytes, shareOf: 1, mark: noMark })
    this.setDiskRoom(Number.MAX_SAFE_INTEGER)
    let usedBytes = 0
    for (const { info } of image.replicas.values()) usedBytes += info.length
    this.#ledger.startWith(usedBytes)
    this.#changes = new ChangeCounts(image.replicas.size)
  }

  get identity(): StoreIdentity {
    const { server, cluster, capacityBytes } = this.#image
    return { server, cluster, capacityBytes }
  }

  damage(id: ChunkId, offset: number): void {
    const replica = this.#image.replicas.get(id)
    assert(replica !== undefined && offset < replica.bytes.length, 'nothing there to damage')
    replica.bytes[offset] = (replica.bytes[offset] as number) ^ 1
  }

  setDiskRoom(freeBytes: number): void {
    this.#ledger.measured({ totalBytes: Number.MAX_SAFE_INTEGER, freeBytes, device: 0 } satisfies DiskSpace)
  }

  async begin(id: ChunkId, length: number): Promise<ChunkWriter> {
    this.#checkOpen()
    checkChunkLength(id, length)
    const existing = this.#image.replicas.get(id)
    if (existing !== undefined && existing.info.length !== length) throw conflict(id)
    const reservation = existing === undefined ? this.#ledger.reserve(length, () => this.space()) : undefined
    const bytes = Buffer.allocUnsafe(length)
    let filledBytes = 0
    return new DeclaredWrite({
      id,
      length,
      onEnd: () => reservation?.release(),
      target: {
        append: async (piece, release) => {
          this.#checkOpen()
          bytes.set(piece, filledBytes)
          filledBytes += piece.length
          release?.()
        },
        commit: async ({ expectedCrc }) => this.#store({ id, bytes, expectedCrc, reservation }),
        abort: async () => undefined,
      },
    })
  }

  async put(id: ChunkId, bytes: Uint8Array, options: { readonly expectedCrc?: number }): Promise<ReplicaInfo> {
    const writer = await this.begin(id, bytes.length)
    try {
      await writer.append(bytes)
      return await writer.commit(options)
    } finally {
      await writer.abort()
    }
  }

  async open(id: ChunkId): Promise<ChunkReader> {
    this.#checkOpen()
    const replica = this.#image.replicas.get(id)
    if (replica === undefined) {
      throw new AshlarError('chunk-missing', `Cannot read chunk ${id}: there is no replica of it here`)
    }
    return this.#reader(id, replica)
  }

  async info(id: ChunkId): Promise<ReplicaInfo | undefined> {
    this.#checkOpen()
    return this.#image.replicas.get(id)?.info
  }

  async delete(ids: readonly ChunkId[]): Promise<number> {
    this.#checkOpen()
    return ids.filter((id) => this.#remove(id) !== undefined).length
  }

  async list(options: { readonly first: ChunkId; readonly last: ChunkId; readonly limit: number }) {
    this.#checkOpen()
    const { first, last, limit } = options
    return [...this.#image.replicas.values()]
      .map(({ info: { id, length, crc } }) => ({ id, length, crc }))
      .filter(({ id }) => id >= first && id <= last)
      .sort((a, b) => (a.id < b.id ? -1 : 1))
      .slice(0, limit)
  }

  async digests(group: GroupId): Promise<PageDigest[]> {
    this.#checkOpen()
    const pages = new Map<number, ChunkDigest>()
    for (const { info } of this.#image.replicas.values()) {
      if (groupOf(info.id) !== group) continue
      const page = pageOf(info.id)
      pages.set(page, addDigest(pages.get(page) ?? emptyDigest, digestOf(info)))
    }
    return [...pages].sort(([a], [b]) => a - b).map(([page, digest]) => ({ page, digest }))
  }

  async groups(): Promise<GroupId[]> {
    this.#checkOpen()
    return [...new Set([...this.#image.replicas.keys()].map(groupOf))].sort((a, b) => a - b)
  }

  changeCount(group: GroupId): number {
    return this.#changes.of(group)
  }

  changedGroups(): Iterable<GroupId> {
    return this.#changes.groups()
  }

  space(): SpaceUse {
    const { quarantined } = this.#image
    return {
      capacityBytes: this.#ledger.capacityBytes(),
      usedBytes: this.#ledger.usedBytes,
      reservedBytes: this.#ledger.reservedBytes,
      freeBytes: this.#ledger.freeBytes(),
      chunks: this.#changes.chunks,
      quarantinedChunks: quarantined.length,
      quarantinedBytes: quarantined.reduce((sum, { bytes }) => sum + bytes.length, 0),
      refusal: this.#ledger.refusal(),
    }
  }

  async verify(id: ChunkId): Promise<ReplicaInfo> {
    const reader = await this.open(id)
    const replica = this.#image.replicas.get(id) as Replica
    this.#check(replica, { from: 0, to: replica.bytes.length })
    return reader.info
  }

  async quarantine(id: ChunkId): Promise<boolean> {
    this.#checkOpen()
    return this.#setAside(id)
  }

  /** There are no files here. */
  async sweep(): Promise<undefined> {
    this.#checkOpen()
  }

  async md5(id: ChunkId): Promise<Buffer> {
    await this.verify(id)
    return createHash('md5')
      .update((this.#image.replicas.get(id) as Replica).bytes)
      .digest()
  }

  async setCapacity(capacityBytes: number): Promise<void> {
    this.#checkOpen()
    this.#ledger.setCapacity(capacityBytes)
    this.#image.capacityBytes = capacityBytes
  }

  onQuarantine(listener: (id: ChunkId) => void): void {
    this.#listeners.push(listener)
  }

  async getFact(name: string): Promise<Buffer | undefined> {
    this.#checkOpen()
    return this.#image.facts.get(name)
  }

  async setFact(name: string, value: Uint8Array): Promise<void> {
    this.#checkOpen()
    checkFact(name, value)
    this.#image.facts.set(name, Buffer.from(value))
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#image.isOpen = false
  }

  #store(write: {
    readonly id: ChunkId
    readonly bytes: Buffer
    readonly expectedCrc: number | undefined
    readonly reservation: Reservation | undefined
  }): ReplicaInfo {
    this.#checkOpen()
    const { id, bytes, expectedCrc, reservation } = write
    const { length, crc, blockCrcs } = putRecord(id, { bytes, sequence: 0 })
    if (expectedCrc !== undefined && crc !== expectedCrc) {
      throw new AshlarError('corrupt', `Cannot store chunk ${id}: its bytes do not have the expected checksum`)
    }
    const existing = this.#image.replicas.get(id)
    if (existing !== undefined) {
      if (existing.bytes.equals(bytes)) return existing.info
      throw conflict(id)
    }
    if (reservation === undefined) {
      throw new AshlarError('busy', `Cannot store chunk ${id}: it was deleted meanwhile; write it again`)
    }
    const info = { id, length, crc, blockCrcs }
    this.#image.replicas.set(id, { info, bytes })
    reservation.use()
    this.#changes.note(id, 1)
    return info
  }

  #remove(id: ChunkId): Replica | undefined {
    const replica = this.#image.replicas.get(id)
    if (replica === undefined) return undefined
    this.#image.replicas.delete(id)
    this.#ledger.free(replica.info.length)
    this.#changes.note(id, -1)
    return replica
  }

  #reader(id: ChunkId, replica: Replica): ChunkReader {
    const { length } = replica.info
    let isClosed = false
    return {
      info: replica.info,
      read: async (range) => {
        if (isClosed) throw new AshlarError('closed', `Cannot read chunk ${id}: its reader was closed`)
        if (!(range.offset >= 0 && range.length >= 1 && range.offset + range.length <= length)) {
          throw new AshlarError('invalid-argument', `Cannot read chunk ${id}: the range is not within it`)
        }
        const { blockBytes } = limits
        const from = Math.floor(range.offset / blockBytes) * blockBytes
        const wanted = Math.ceil((range.offset + range.length) / blockBytes) * blockBytes
        const to = Math.min(wanted, from + limits.framePayloadBytes, length)
        this.#check(replica, { from, to })
        return { offset: from, bytes: replica.bytes.subarray(from, to), release: () => undefined }
      },
      close: async () => {
        isClosed = true
      },
    }
  }

  #check({ info, bytes }: Replica, { from, to }: { readonly from: number; readonly to: number }): void {
    if (findBadBlock(bytes.subarray(from, to), info.blockCrcs, from / limits.blockBytes) < 0) return
    this.#setAside(info.id)
    throw new AshlarError('corrupt', `Cannot read chunk ${info.id}: a block does not match its checksum`)
  }

  #setAside(id: ChunkId): boolean {
    const removed = this.#remove(id)
    if (removed === undefined) return false
    this.#image.quarantined.push(removed)
    for (const listener of this.#listeners) listener(id)
    return true
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new AshlarError('closed', 'Cannot use store: it was closed')
  }
}

function conflict(id: ChunkId): AshlarError {
  return new AshlarError('chunk-conflict', `Cannot store chunk ${id}: it exists with other bytes`)
}

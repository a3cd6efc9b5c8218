/**
 * A disk store on a disk and an index in memory, with power cuts, faults and a look at what must always hold.
 * @module
 */
import assert from 'node:assert/strict'
import { AshlarError } from '../../src/base/errors.ts'
import { type ChunkId, type ClusterId, type GroupId, groupOf, type ServerId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/env/clock.ts'
import {
  createMemoryDisk,
  type DiskOperation,
  type MemoryDisk,
  type UnsyncedChange,
} from '../../src/env/memory-disk.ts'
import { createNodeEnv } from '../../src/env/node-env.ts'
import { createMemoryImage } from '../../src/kv/memory-image.ts'
import { createMemoryKV, type MemoryKV } from '../../src/kv/memory-kv.ts'
import { type OpenDiskStoreOptions, type OpenedStore, openDiskStore } from '../../src/store/open-disk-store.ts'
import { expectedDigests, readWhole } from '../contract/chunk-store.ts'

export const cluster = 'c'.repeat(32) as ClusterId
export const server = 'a'.repeat(32) as ServerId

const everyId = { first: '0'.repeat(32) as ChunkId, last: `${'f'.repeat(12)}000${'f'.repeat(13)}0000` as ChunkId }

export class StoreRig {
  readonly env = createNodeEnv({ log: 'silent' })
  readonly disk: MemoryDisk = createMemoryDisk({ clock: this.env.clock })
  readonly options: Partial<OpenDiskStoreOptions>
  #image = createMemoryImage()
  #kv: MemoryKV | undefined
  #store: OpenedStore | undefined
  #isCreated = false

  readonly #clock: Clock

  /** @param options.clock of the store alone; its disk and its index have the machine's */
  constructor({ clock, ...options }: Partial<OpenDiskStoreOptions> & { readonly clock?: Clock } = {}) {
    this.#clock = clock ?? this.env.clock
    this.options = { segmentBytes: 64 * 1024, reserveBytes: 64 * 1024, ...options }
  }

  get store(): OpenedStore {
    assert.ok(this.#store)
    return this.#store
  }

  /** Opens the store; the one before must be closed, or dead. */
  async open(): Promise<OpenedStore> {
    const { clock, random } = this.env
    this.#store = await openDiskStore({
      env: { ...this.env, clock: this.#clock, disk: this.disk.mount() },
      path: '/store',
      identity: { cluster, server },
      create: !this.#isCreated,
      capacityBytes: 2 ** 30,
      index: async () => {
        this.#kv = createMemoryKV({ clock, random, image: this.#image })
        return this.#kv
      },
      ...this.options,
    })
    this.#isCreated = true
    return this.#store
  }

  async reopen(): Promise<OpenedStore> {
    await this.store.close()
    return await this.open()
  }

  /** Cuts the power of disk and index together. */
  crash(keeps?: (change: UnsyncedChange) => boolean): void {
    this.disk.crash(keeps)
    this.#kv?.crash()
  }

  /** From the `count`-th operation of the disk on, everything is dead. @returns whether it came so far */
  crashAfter(count: number, keeps?: (change: UnsyncedChange) => boolean): () => boolean {
    let left = count
    let isDead = false
    this.disk.setFault(() => {
      left--
      if (left !== 0) return undefined
      isDead = true
      this.crash(keeps)
      return new AshlarError('closed', 'Cannot use disk: the power was cut')
    })
    return () => isDead
  }

  /** Fails the operations that `matches` chooses. */
  failWhen(matches: (operation: DiskOperation, path: string) => AshlarError | undefined): void {
    this.disk.setFault(matches)
  }

  heal(): void {
    this.disk.setFault(undefined)
  }

  loseIndex(): void {
    this.#image = createMemoryImage()
  }

  /** An index as it is now, to be put back later: as from a backup. */
  takeIndex() {
    return this.#image
  }

  putIndexBack(image: ReturnType<typeof createMemoryImage>): void {
    this.#image = image
  }

  async flip(path: string, offset: number): Promise<void> {
    const file = await this.disk.open(path, { mode: 'read-write' })
    const byte = Buffer.alloc(1)
    await file.read(byte, offset)
    byte[0] = (byte[0] as number) ^ 0x10
    await file.write([byte], offset)
    await file.sync()
    await file.close()
  }

  async lengthOf(path: string): Promise<number> {
    return (await this.disk.info(path)).lengthBytes
  }

  async list(folder: string): Promise<string[]> {
    return (await this.disk.list(`/store/${folder}`)).sort()
  }

  /** All that can be seen of a store, for comparing. */
  async snapshot(store = this.store) {
    const chunks = await store.list({ ...everyId, limit: 100_000 })
    const groups = await store.groups()
    const digests = new Map<GroupId, unknown>()
    for (const group of groups) digests.set(group, await store.digests(group))
    const { usedBytes, chunks: count } = store.space()
    return { chunks, groups, digests, usedBytes, count }
  }

  /** What must hold of any open store: sums, digests and groups are those of its chunks, each of which reads right. */
  async check(contents: ReadonlyMap<ChunkId, Buffer>): Promise<void> {
    const { store } = this
    const { chunks, groups, digests, usedBytes, count } = await this.snapshot()
    assert.deepEqual(
      chunks.map(({ id }) => id),
      [...contents.keys()].sort(),
    )
    assert.equal(count, chunks.length)
    assert.equal(
      usedBytes,
      chunks.reduce((sum, { length }) => sum + length, 0),
    )
    assert.deepEqual(groups, [...new Set(chunks.map(({ id }) => groupOf(id)))].sort())
    for (const group of groups) assert.deepEqual(digests.get(group), expectedDigests(chunks, group))
    for (const [id, bytes] of contents) assert.ok((await readWhole(store, id)).equals(bytes), `chunk ${id}`)
  }
}

/**
 * The machines of a test cluster: a master's and a chunk server's, in memory or on a temporary folder. They differ only in
 * their Env and in how metadata is opened; the servers on them are those of production.
 * @module
 */
import { join } from 'node:path'
import type { Env } from '../env/env.ts'
import { createMemoryDisk, type MemoryDisk } from '../env/memory-disk.ts'
import type { MemoryNetwork } from '../env/memory-network.ts'
import { makeTemporaryFolder, removeTemporaryFolder } from '../env/places.ts'
import type { ChangeFeed } from '../kv/change-feed.ts'
import { createMemoryImage } from '../kv/memory-image.ts'
import { createMemoryKV } from '../kv/memory-kv.ts'
import { openSqliteKV } from '../kv/sqlite-kv.ts'
import type { TxnKV } from '../kv/txn-kv.ts'
import {
  type IndexEngine,
  type OpenDiskStoreOptions,
  type OpenedStore,
  openDiskStore,
} from '../store/open-disk-store.ts'

export type StoreOptions = Pick<OpenDiskStoreOptions, 'identity' | 'capacityBytes' | 'create'>

/** Something that can die and start again on what it kept. */
export interface Machine {
  readonly name: string
  /** For the processes of one life; after {@link die} they reach nothing. */
  env(): Env
  openMetadata(onFatal: (error: Error) => void, feed?: ChangeFeed): Promise<TxnKV>
  openStore(options: StoreOptions): Promise<OpenedStore>
  /** Path under which {@link Machine.env} finds the store. */
  readonly storePath: string
  /** What was not synced is lost, where the machine can lose it. @returns whether the processes on it are gone with it */
  powerOff(): boolean
}

export interface MachineRoom {
  machine(name: string): Machine
  /** Removes everything. */
  clear(): Promise<void>
}

export function memoryRoom(base: Env, network: MemoryNetwork): MachineRoom {
  return { machine: (name) => new MemoryMachine(name, { base, network }), clear: async () => undefined }
}

class MemoryMachine implements Machine {
  readonly name: string
  readonly storePath = '/store'
  readonly #base: Env
  readonly #network: MemoryNetwork
  readonly #disk: MemoryDisk
  readonly #metadata = createMemoryImage()
  #index = createMemoryImage()
  #engines: { crash(): void }[] = []

  constructor(name: string, { base, network }: { readonly base: Env; readonly network: MemoryNetwork }) {
    this.name = name
    this.#base = base
    this.#network = network
    this.#disk = createMemoryDisk({ clock: base.clock })
  }

  env(): Env {
    return { ...this.#base, network: this.#network.at(this.name), disk: this.#disk.mount() }
  }

  async openMetadata(_: (error: Error) => void, feed?: ChangeFeed): Promise<TxnKV> {
    return this.#engine(this.#metadata, feed)
  }

  async openStore(options: StoreOptions): Promise<OpenedStore> {
    const index: IndexEngine = async () => this.#engine(this.#index)
    return await openDiskStore({ env: this.env(), path: this.storePath, index, ...options })
  }

  powerOff(): boolean {
    for (const engine of this.#engines) engine.crash()
    this.#engines = []
    this.#disk.crash()
    return true
  }

  #engine(image: ReturnType<typeof createMemoryImage>, feed?: ChangeFeed): TxnKV {
    const engine = createMemoryKV({ clock: this.#base.clock, random: this.#base.random, image, feed })
    this.#engines.push(engine)
    return engine
  }
}

export async function diskRoom(base: Env, network: MemoryNetwork): Promise<MachineRoom> {
  const root = await makeTemporaryFolder('ashlar-testing-')
  return {
    machine: (name) => new DiskMachine(name, { base, network, folder: join(root, name) }),
    clear: () => removeTemporaryFolder(root),
  }
}

class DiskMachine implements Machine {
  readonly name: string
  readonly storePath: string
  readonly #folder: string
  readonly #env: Env

  constructor(
    name: string,
    { base, network, folder }: { readonly base: Env; readonly network: MemoryNetwork; readonly folder: string },
  ) {
    this.name = name
    this.#folder = folder
    this.storePath = join(folder, 'store')
    this.#env = { ...base, network: network.at(name) }
  }

  env(): Env {
    return this.#env
  }

  async openMetadata(onFatal: (error: Error) => void, feed?: ChangeFeed): Promise<TxnKV> {
    const { clock, log, disk } = this.#env
    await disk.makeDirectory(this.#folder)
    return await openSqliteKV({ path: join(this.#folder, 'metadata.db'), clock, log, disk, onFatal, feed })
  }

  async openStore(options: StoreOptions): Promise<OpenedStore> {
    return await openDiskStore({ env: this.#env, path: this.storePath, ...options })
  }

  powerOff(): boolean {
    // Real files outlive their process; only a real power cut could lose what was not synced.
    return false
  }
}

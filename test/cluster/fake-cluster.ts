/**
 * A master over metadata in memory, fake chunk servers and a client, in one process, on a clock that tests advance.
 * @module
 */
import assert from 'node:assert/strict'
import { crc32 } from '../../src/base/crc.ts'
import type { AshlarError } from '../../src/base/errors.ts'
import { type ChunkId, type ClusterId, chunkId, type ServerId } from '../../src/base/ids.ts'
import type { Rising } from '../../src/base/rising.ts'
import type { Env } from '../../src/env/env.ts'
import { inlineHashes } from '../../src/env/hashes.ts'
import { createMemoryDisk } from '../../src/env/memory-disk.ts'
import { createMemoryNetwork, type MemoryNetwork } from '../../src/env/memory-network.ts'
import { silentLog } from '../../src/env/node-log.ts'
import { seededRandom } from '../../src/env/seeded-random.ts'
import { createMemoryKV, type MemoryKV } from '../../src/kv/memory-kv.ts'
import { type Master, type MasterOptions, startMaster } from '../../src/master/master.ts'
import { connectPeer } from '../../src/wire/connect.ts'
import type { Credentials } from '../../src/wire/credentials.ts'
import { deriveKeys } from '../../src/wire/keys.ts'
import type { Method } from '../../src/wire/method.ts'
import { register, type SpaceReport } from '../../src/wire/methods/cluster-methods.ts'
import { emptyTrash, remove } from '../../src/wire/methods/file-methods.ts'
import { getMap, openSession } from '../../src/wire/methods/session-methods.ts'
import { allocate, commitFile } from '../../src/wire/methods/write-methods.ts'
import type { Peer } from '../../src/wire/peer.ts'
import type { Group } from '../../src/wire/types/cluster-map.ts'
import type { Allocation, Receipt } from '../../src/wire/types/extent.ts'
import { FakeChunkServer } from './fake-chunk-server.ts'
import { ManualClock } from './manual-clock.ts'

export interface FakeClusterOptions {
  /** Of each chunk server. */
  readonly capacities?: readonly number[]
  /** Of server by server. Default: a host each. */
  readonly domains?: readonly string[]
  readonly settings?: MasterOptions['settings']
  readonly seed?: number
}

export const emptySpace: SpaceReport = {
  capacityBytes: 100,
  usedBytes: 0,
  reservedBytes: 0,
  freeBytes: 100,
  chunks: 0,
  quarantinedChunks: 0,
  quarantinedBytes: 0,
}

const masterHost = 'master'
const masterAddress = `${masterHost}:7600`
const secret = Buffer.alloc(32, 7)
const clusterId = 'c'.repeat(32) as ClusterId

export class FakeCluster {
  readonly clock = new ManualClock()
  readonly servers: FakeChunkServer[] = []
  readonly fatal: AshlarError[] = []
  /** Made by {@link allocate}; nobody releases them but the test. */
  readonly allocations: Allocation[] = []
  readonly network: MemoryNetwork
  readonly #options: FakeClusterOptions
  readonly #byId = new Map<ServerId, FakeChunkServer>()
  #kv: MemoryKV
  #master: Master | undefined
  #client: Peer | undefined
  session = 0
  #sequence = 0
  #generation = 0

  private constructor(options: FakeClusterOptions) {
    this.#options = options
    this.network = createMemoryNetwork({ clock: this.clock, log: silentLog })
    this.#kv = this.#openKV()
  }

  /** Resolves when all chunk servers are registered and a client has a session. */
  static async start(options: FakeClusterOptions = {}): Promise<FakeCluster> {
    const cluster = new FakeCluster(options)
    await cluster.startMaster()
    for (const capacityBytes of options.capacities ?? [1e9, 1e9, 1e9]) cluster.addServer({ capacityBytes }).start()
    await cluster.allRegistered()
    await cluster.connect()
    return cluster
  }

  get master(): Master {
    if (this.#master === undefined) throw new Error('no master runs')
    return this.#master
  }

  server(index: number): FakeChunkServer {
    const server = this.servers[index]
    if (server === undefined) throw new Error(`no server ${index}`)
    return server
  }

  addServer({
    capacityBytes,
    like,
  }: {
    readonly capacityBytes: number
    readonly like?: FakeChunkServer
  }): FakeChunkServer {
    const index = this.servers.length
    const id = like?.id ?? ((index + 1).toString(16).padStart(2, '0').repeat(16) as ServerId)
    const host = `host-${index}`
    const domain = this.#options.domains?.[index] ?? host
    const server = new FakeChunkServer({
      env: this.env(host),
      id,
      clusterId,
      secret,
      masterAddress,
      domain,
      capacityBytes,
      others: this.#byId,
    })
    this.servers.push(server)
    if (like === undefined) this.#byId.set(id, server)
    return server
  }

  env(host: string): Env {
    const random = seededRandom((this.#options.seed ?? 1) + host.length * 1000 + this.servers.length)
    return {
      clock: this.clock,
      random,
      disk: createMemoryDisk({ clock: this.clock }),
      network: this.network.at(host),
      hashes: inlineHashes,
      log: silentLog,
      buggify: () => false,
    }
  }

  async startMaster(): Promise<void> {
    this.#master = await this.#start(masterAddress)
  }

  /** On the same metadata, as two processes would run by mistake. */
  startSecondMaster(): Promise<Master> {
    return this.#start(`${masterHost}:7601`)
  }

  #start(listenAddress: string): Promise<Master> {
    return this.clock.run(() =>
      startMaster({
        env: this.env(masterHost),
        kv: this.#kv,
        secret,
        clusterId,
        generation: this.#generation,
        listenAddress,
        onFatal: (error) => this.fatal.push(error),
        ...(this.#options.settings === undefined ? {} : { settings: this.#options.settings }),
      }),
    )
  }

  /** As SIGKILL and a new start on the same metadata. @param options.generation raised, as after a restore */
  async restartMaster({ generation = this.#generation }: { readonly generation?: number } = {}): Promise<void> {
    this.#generation = generation
    const old = this.master
    this.network.kill(masterHost)
    const { image } = this.#kv
    this.#kv.crash()
    await this.clock.run(() => old.close())
    this.#kv = createMemoryKV({ clock: this.clock, random: seededRandom(2), image })
    await this.startMaster()
    await this.allRegistered()
    await this.connect()
  }

  async allRegistered(): Promise<void> {
    const living = () => this.servers.filter(({ isAlive }) => isAlive)
    await this.clock.until(() => living().every(({ isRegistered }) => isRegistered), 'registration of all servers')
  }

  async connect(): Promise<void> {
    const credentials = this.master.clientCredentials
    this.#client = await this.clock.run(() =>
      connectPeer({ env: this.env('client'), address: masterAddress, credentials }),
    )
    if (this.session === 0) this.session = (await this.call(openSession, {})).session
  }

  async call<Request, Response>(method: Method<Request, Response>, request: Request): Promise<Response> {
    const client = this.#client
    if (client === undefined) throw new Error('no client is connected')
    return (await this.clock.run(() => client.call(method, request))).value
  }

  /** A registration without a server behind it, for tests that send heartbeats themselves. */
  async registerByHand(id: ServerId, { claim = id }: { readonly claim?: ServerId } = {}) {
    const credentials: Credentials = { role: 'chunkserver', clusterId, serverId: id, keys: deriveKeys(secret) }
    const peer = await this.clock.run(() =>
      connectPeer({ env: this.env('by-hand'), address: masterAddress, credentials }),
    )
    const incarnation = '01'.repeat(8)
    const request = { server: claim, incarnation, domain: 'by-hand', address: 'by-hand:1', httpAddress: 'by-hand:2' }
    const state = { space: emptySpace, digests: [], leaderEpochSeen: 0 as Rising, version: 'fake' }
    await this.clock.run(() => peer.call(register, { ...request, ...state }))
    return { peer, incarnation }
  }

  /** Names the next mutation. */
  request() {
    return { session: this.session, sequence: ++this.#sequence, acknowledged: 0 }
  }

  async allocate(path: string, chunkBytes: number, avoid: readonly Group['id'][] = []): Promise<Allocation> {
    const request = { session: this.session, path, count: 1, chunkBytes, avoid }
    const { allocation } = await this.call(allocate, request)
    assert.ok(allocation !== undefined)
    this.allocations.push(allocation)
    return allocation
  }

  async group(allocation: Allocation): Promise<Group> {
    const { map } = await this.call(getMap, {})
    return map?.groups.find(({ id }) => id === allocation.group) as Group
  }

  /** Writes the chunk of an allocation to the members that are alive, but those of `without`. */
  async write(allocation: Allocation, text: string, without: readonly FakeChunkServer[] = []): Promise<Receipt[]> {
    const chunk = firstChunk(allocation)
    const { members } = await this.group(allocation)
    const receipts: Receipt[] = []
    for (const { server: id, slot } of members) {
      const server = this.#byId.get(id)
      if (server?.isAlive !== true || without.includes(server)) continue
      receipts.push(server.put(chunk, Buffer.from(text), { epoch: allocation.epoch, slot }))
    }
    return receipts
  }

  async commit(
    path: string,
    allocation: Allocation,
    { text, receipts }: { text: string; receipts: readonly Receipt[] },
  ) {
    const length = Buffer.byteLength(text)
    const crc = crc32(Buffer.from(text))
    return this.call(commitFile, {
      request: this.request(),
      path,
      precondition: {},
      attributes: {},
      makeParents: true,
      extents: [{ chunk: firstChunk(allocation), offset: 0, length, chunkLength: length, crc }],
      receipts,
      allocations: [allocation.allocation],
    })
  }

  /** A small file, stored as a client does. @returns its chunk */
  async put(path: string, text: string): Promise<ChunkId> {
    const allocation = await this.allocate(path, Buffer.byteLength(text))
    await this.commit(path, allocation, { text, receipts: await this.write(allocation, text) })
    return firstChunk(allocation)
  }

  async remove(path: string): Promise<void> {
    await this.call(remove, { request: this.request(), path, recursive: true, precondition: {} })
  }

  async emptyTrash(): Promise<void> {
    await this.call(emptyTrash, { request: this.request(), path: '/' })
  }

  /** For tests that damage the metadata. */
  get kv(): MemoryKV {
    return this.#kv
  }

  /** Servers that hold a chunk. */
  holders(chunk: ChunkId): FakeChunkServer[] {
    return this.servers.filter(({ chunks }) => chunks.has(chunk))
  }

  async close(): Promise<void> {
    for (const server of this.servers) server.kill()
    this.#client?.close()
    await this.clock.run(() => this.master.close())
    await this.clock.run(() => this.#kv.close())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #openKV(): MemoryKV {
    return createMemoryKV({ clock: this.clock, random: seededRandom(1) })
  }
}

export function firstChunk({ group, generation, firstSequence }: Allocation): ChunkId {
  return chunkId({ group, generation, sequence: firstSequence })
}

/**
 * One chunk server of production over a store that the test chooses, between a fake master and real peers, on a network
 * in memory. Its HTTP door is on a real port, so that any HTTP client can be sent there.
 * @module
 */
import { crc32 } from '../../src/base/crc.ts'
import { type ChunkId, type ClusterId, chunkId, type GroupId, type ServerId } from '../../src/base/ids.ts'
import { type Rising, rising } from '../../src/base/rising.ts'
import { type ChunkServer, startChunkServer } from '../../src/chunkserver/chunk-server.ts'
import type { Env } from '../../src/env/env.ts'
import { createMemoryNetwork, type MemoryNetwork } from '../../src/env/memory-network.ts'
import { createNodeEnv } from '../../src/env/node-env.ts'
import type { ChunkStore } from '../../src/store/chunk-store.ts'
import { createMemoryStoreImage, openMemoryStore } from '../../src/store/memory-store.ts'
import { connectPeer } from '../../src/wire/connect.ts'
import type { Credentials } from '../../src/wire/credentials.ts'
import { deriveKeys } from '../../src/wire/keys.ts'
import { putChunk } from '../../src/wire/methods/chunk-methods.ts'
import type { Peer } from '../../src/wire/peer.ts'
import { mintToken, type TokenClaims } from '../../src/wire/token.ts'
import type { ClusterMap, Member } from '../../src/wire/types/cluster-map.ts'
import { FakeMaster } from './fake-master.ts'

export const clusterId = 'c'.repeat(32) as ClusterId
export const serverId = 'a'.repeat(32) as ServerId
export const strangerId = 'b'.repeat(32) as ServerId
export const secret = Buffer.alloc(32, 9)
export const keys = deriveKeys(secret)
export const groupId = 7 as GroupId
export const otherGroupId = 8 as GroupId
export const epoch = rising(0, 3)
/** The ids that {@link writeToken} allows. */
export const firstSequence = 100
export const idCount = 10

export function chunkAt(sequence: number, group: GroupId = groupId): ChunkId {
  return chunkId({ group, generation: 0, sequence })
}

export const chunk = chunkAt(firstSequence)

export function tokenOf(claims: Partial<TokenClaims>, key = keys.token): Buffer {
  const expiresAt = rising(0, 2_000_000)
  return mintToken(key, { cluster: clusterId, group: groupId, expiresAt, mayRead: false, ...claims })
}

export const range = { generation: 0, firstSequence, count: idCount, epoch }
export const writeToken = tokenOf({ write: range })
export const readToken = tokenOf({ mayRead: true })

export class ChunkServerRig {
  readonly base: Env = createNodeEnv({ log: 'silent' })
  readonly network: MemoryNetwork = createMemoryNetwork({ clock: this.base.clock, log: this.base.log })
  readonly image = createMemoryStoreImage({ server: serverId, cluster: clusterId, capacityBytes: 10_000_000 })
  readonly master: FakeMaster
  readonly #peers: Peer[] = []
  readonly #servers: ChunkServer[] = []
  readonly #openStore: () => Promise<ChunkStore>
  #server: ChunkServer | undefined

  constructor(openStore?: (rig: ChunkServerRig) => Promise<ChunkStore>) {
    this.#openStore = () => (openStore ?? (({ image }) => openMemoryStore({ image })))(this)
    const env = this.env('master')
    this.master = new FakeMaster({ env, address: 'master:7600', clusterId, secret, map: mapOf('in') })
  }

  static async start(openStore?: (rig: ChunkServerRig) => Promise<ChunkStore>): Promise<ChunkServerRig> {
    const rig = new ChunkServerRig(openStore)
    await rig.master.start()
    await rig.startServer()
    await rig.server.registered
    return rig
  }

  get server(): ChunkServer {
    if (this.#server === undefined) throw new Error('no chunk server runs')
    return this.#server
  }

  get store(): ChunkStore {
    return this.server.store
  }

  get url(): string {
    return `http://${this.server.httpAddress}`
  }

  env(host: string): Env {
    const { serveHttp } = this.base.network
    return { ...this.base, network: { ...this.network.at(host), serveHttp } }
  }

  async startServer(options: { readonly store?: ChunkStore; readonly host?: string } = {}): Promise<ChunkServer> {
    const { store = await this.#openStore(), host = 'chunkserver' } = options
    this.#server = await startChunkServer({
      env: this.env(host),
      store,
      serverId,
      clusterId,
      keys,
      masterAddress: this.master.address,
      listenAddress: `${host}:0`,
      httpListenAddress: '127.0.0.1:0',
      domain: 'host',
      version: 'test',
    })
    this.#servers.push(this.#server)
    return this.#server
  }

  /** In order, and started again on what it kept. */
  async restartServer(): Promise<void> {
    await this.server.close()
    await this.startServer()
  }

  /** By default a client. */
  async connect(
    credentials: Credentials = { role: 'client', clusterId, clientKey: keys.client },
    address = this.server.address,
  ): Promise<Peer> {
    const peer = await connectPeer({ env: this.env('client'), address, credentials })
    this.#peers.push(peer)
    return peer
  }

  /** What a client of the cluster would do: one small chunk. */
  async put(bytes: Buffer, id: ChunkId = chunk): Promise<void> {
    const peer = await this.connect()
    await peer.call(putChunk, { chunk: id, token: writeToken, epoch, crc: crc32(bytes) }, { payload: bytes })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of this.#peers) peer.close()
    for (const server of this.#servers) await server.close()
    await this.master.close()
  }
}

/** Two groups with this server as a member. */
export function mapOf(state: Member['state']): ClusterMap {
  const members = [{ server: serverId, slot: 1, state }]
  const address = 'elsewhere:1'
  return {
    version: rising(0, 10),
    generation: 0,
    servers: [{ id: serverId, address, httpAddress: address, domain: 'host', state: 'up' }],
    groups: [groupId, otherGroupId].map((id) => ({ id, epoch, policy: 'replicated-1', members })),
    policies: [{ name: 'replicated-1', kind: 'replicated', replicas: 1, minReplicas: 1, chunkSizeBytes: 8_388_608 }],
    defaultPolicy: 'replicated-1',
  }
}

export const olderEpoch = rising(0, 2)
export const newerEpoch = (epoch + 1) as Rising

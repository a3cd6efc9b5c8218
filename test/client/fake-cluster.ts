/**
 * A master and chunk servers that do just enough, in memory, for tests of the client: real frames over a memory network, and a
 * hook around every method, so that a test decides what fails, is slow, or gets lost.
 * It checks what a real master would: receipts from enough members, allocations that are open, request ids applied once.
 * @module
 */
import type { ClusterId, GroupId, ServerId } from '../../src/base/ids.ts'
import { type Rising, rising } from '../../src/base/rising.ts'
import { ClientCore } from '../../src/client/client-core.ts'
import { type ClusterFile, clientCredentials } from '../../src/client/cluster-file.ts'
import { connectClient } from '../../src/client/connect.ts'
import type { AshlarClient } from '../../src/client/filesystem.ts'
import type { ConnectOptions } from '../../src/client/options.ts'
import type { Env } from '../../src/env/env.ts'
import { createMemoryNetwork, type MemoryNetwork } from '../../src/env/memory-network.ts'
import { createNodeClock } from '../../src/env/node-clock.ts'
import { createNodeEnv } from '../../src/env/node-env.ts'
import { silentLog } from '../../src/env/node-log.ts'
import { seededRandom } from '../../src/env/seeded-random.ts'
import { listenForPeers, type PeerListener } from '../../src/wire/listen.ts'
import type { ClusterMap, ServerState } from '../../src/wire/types/cluster-map.ts'
import { FakeChunkServer } from './fake-chunk-server.ts'
import { FakeMaster } from './fake-master.ts'
import { type HookedService, keys } from './hooked-service.ts'

export const clusterId = '0123456789abcdef0123456789abcdef' as ClusterId
export const masterId = 'ff'.repeat(16) as ServerId

export interface FakeClusterOptions {
  readonly servers?: number
  readonly chunkSizeBytes?: number
  /** Groups: lists of server indexes. Default: one of the first three. */
  readonly groups?: readonly (readonly number[])[]
  readonly minReplicas?: number
}

export class FakeCluster implements AsyncDisposable {
  readonly network: MemoryNetwork
  readonly #clock = createNodeClock()
  readonly servers: FakeChunkServer[] = []
  readonly master: FakeMaster
  readonly #listeners: PeerListener[] = []
  readonly #clients: AshlarClient[] = []
  readonly states: ServerState[] = []
  epoch = 1
  mapVersion = 1
  address = ''
  readonly options: Required<FakeClusterOptions>

  constructor(options: FakeClusterOptions = {}) {
    this.network = createMemoryNetwork({ clock: this.#clock, log: silentLog })
    this.options = { servers: 3, chunkSizeBytes: 1024 * 1024, groups: [[0, 1, 2]], minReplicas: 2, ...options }
    this.master = new FakeMaster(this)
  }

  static async start(options: FakeClusterOptions = {}): Promise<FakeCluster> {
    const cluster = new FakeCluster(options)
    for (let index = 0; index < cluster.options.servers; index++) {
      const server = new FakeChunkServer((index + 1).toString(16).padStart(2, '0').repeat(16) as ServerId)
      cluster.servers.push(server)
      cluster.states.push('up')
      server.address = await cluster.listen(`cs${index}`, server, server.id)
    }
    cluster.address = await cluster.listen('master', cluster.master, masterId)
    return cluster
  }

  env(host: string): Env {
    const base = createNodeEnv({ log: silentLog })
    return { ...base, clock: this.#clock, random: seededRandom(host.length), network: this.network.at(host) }
  }

  async listen(host: string, hooked: HookedService, serverId: ServerId): Promise<string> {
    const role = serverId === masterId ? 'master' : 'chunkserver'
    const listener = await listenForPeers({
      env: this.env(host),
      address: `${host}:0`,
      credentials: { role, clusterId, serverId, keys },
      service: hooked.service,
    })
    this.#listeners.push(listener)
    return listener.address
  }

  get clusterFile(): ClusterFile {
    return { clusterId, address: this.address, secret: keys.client.toString('base64') }
  }

  async connect(options: ConnectOptions = {}): Promise<AshlarClient> {
    const client = await connectClient({
      cluster: this.clusterFile,
      env: this.env('client'),
      timeoutMs: 5_000,
      ...options,
    })
    this.#clients.push(client)
    return client
  }

  /** The inside of a client, for tests of its parts. The caller closes it. */
  core(): ClientCore {
    return new ClientCore({
      env: this.env('client'),
      clusterId,
      address: this.address,
      credentials: clientCredentials(this.clusterFile),
      timeoutMs: 5_000,
      chunkSizeBytes: 2 ** 27,
      bufferBytes: 64 * 2 ** 20,
    })
  }

  /** Changes what the master believes of a server. */
  setState(index: number, state: ServerState): void {
    this.states[index] = state
    this.mapVersion++
  }

  get map(): ClusterMap {
    const { groups, chunkSizeBytes, minReplicas } = this.options
    return {
      version: rising(1, this.mapVersion),
      generation: 1,
      servers: this.servers.map((server, index) => ({
        id: server.id,
        address: server.address,
        httpAddress: server.address,
        domain: `host${index}`,
        state: this.states[index] as ServerState,
      })),
      groups: groups.map((members, index) => ({
        id: (index + 1) as GroupId,
        epoch: this.groupEpoch,
        policy: 'replicated-3',
        members: members.map((server, slot) => ({
          server: (this.servers[server] as FakeChunkServer).id,
          slot,
          state: 'in' as const,
        })),
      })),
      policies: [{ name: 'replicated-3', kind: 'replicated' as const, replicas: 3, minReplicas, chunkSizeBytes }],
      defaultPolicy: 'replicated-3',
    }
  }

  get groupEpoch(): Rising {
    return rising(1, this.epoch)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()))
    await Promise.all(this.#listeners.map((listener) => listener.close()))
  }
}

/** Bytes that differ everywhere. */
export function testBytes(length: number, seed = 1): Buffer {
  return seededRandom(seed).bytes(length)
}

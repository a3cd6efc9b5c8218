/**
 * Starts a master and chunk servers of production in this process, each on a machine of its own: its own disk, and a host
 * on a network in memory. Only the doors that a test opens for others (HTTP) use real sockets.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import type { ClusterId, ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { backupFolderOf } from '../chunkserver/backup-shelf.ts'
import { startChunkServer } from '../chunkserver/chunk-server.ts'
import type { AshlarClient, ClusterFile } from '../client/index.ts'
import { connect as connectClient } from '../client/index.ts'
import type { Env } from '../env/env.ts'
import { createMemoryNetwork, type MemoryNetwork } from '../env/memory-network.ts'
import { createNodeEnv } from '../env/node-env.ts'
import { seededRandom } from '../env/seeded-random.ts'
import { ChangeFeed } from '../kv/change-feed.ts'
import type { TxnKV } from '../kv/txn-kv.ts'
import type { BackupPlan } from '../master/backups.ts'
import { type Master, startMaster } from '../master/master.ts'
import { positionKey } from '../namespace/keys.ts'
import { deriveKeys } from '../wire/keys.ts'
import { serverKeyOf } from '../wire/server-identity.ts'
import { flipStoredByte } from './flip-byte.ts'
import { diskRoom, type Machine, type MachineRoom, memoryRoom } from './machines.ts'
import { TestChunkServer } from './test-chunk-server.ts'
import type { TestCluster, TestClusterOptions, TestS3Access } from './test-cluster.ts'

const defaultCapacityBytes = 2 ** 30
const masterHost = 'master'
const clientHost = 'client'
const version = 'testing'

/**
 * A cluster in this process, ready for reads and writes.
 * @throws {AshlarError} `invalid-argument` — a policy that the servers do not allow
 */
export async function startTestCluster(options: TestClusterOptions): Promise<TestCluster> {
  const { chunkServers = 3, policy } = options
  const copies = Number(policy?.slice('replicated-'.length) ?? 1)
  if (chunkServers < copies) {
    throw new AshlarError(
      'invalid-argument',
      `Cannot start a cluster: ${policy} needs ${copies} chunk servers, and it would have ${chunkServers}`,
    )
  }
  const base = createNodeEnv({ log: options.log ?? 'silent' })
  const env = options.seed === undefined ? base : { ...base, random: seededRandom(options.seed) }
  const network = createMemoryNetwork({ clock: env.clock, log: env.log })
  const room = options.storage === 'disk' ? await diskRoom(env, network) : memoryRoom(env, network)
  const cluster = new LocalTestCluster(options, { env, network, room })
  try {
    await cluster.start()
    return cluster
  } catch (error) {
    await cluster.close()
    throw error
  }
}

interface Surroundings {
  readonly env: Env
  readonly network: MemoryNetwork
  readonly room: MachineRoom
}

class LocalTestCluster implements TestCluster {
  readonly #options: TestClusterOptions
  readonly #env: Env
  readonly #network: MemoryNetwork
  readonly #room: MachineRoom
  readonly #clusterId: ClusterId
  readonly #secret: Buffer
  readonly #servers: TestChunkServer[] = []
  readonly #clients: AshlarClient[] = []
  /** Slowed down or cut off at some time. */
  readonly #faultyHosts = new Set<string>()
  readonly #masterMachine: Machine
  #kv: TxnKV | undefined
  #master: Master | undefined
  #client: AshlarClient | undefined
  #http: { readonly url: string; readonly token: string; close(): Promise<void> } | undefined
  #s3: (TestS3Access & { close(): Promise<void> }) | undefined
  #closing: Promise<void> | undefined

  constructor(options: TestClusterOptions, { env, network, room }: Surroundings) {
    this.#options = options
    this.#env = env
    this.#network = network
    this.#room = room
    this.#clusterId = env.random.bytes(16).toString('hex') as ClusterId
    this.#secret = env.random.bytes(32)
    this.#masterMachine = room.machine(masterHost)
  }

  get client(): AshlarClient {
    return this.#client as AshlarClient
  }

  get chunkServers(): readonly TestChunkServer[] {
    return this.#servers
  }

  get http(): { readonly url: string; readonly token: string } | undefined {
    return this.#http
  }

  get s3(): TestS3Access | undefined {
    return this.#s3
  }

  get clusterFile(): ClusterFile {
    const keys = deriveKeys(this.#secret)
    return {
      clusterId: this.#clusterId,
      address: (this.#master as Master).address,
      secret: keys.client.toString('base64'),
      serverKey: serverKeyOf(keys).toString('base64'),
    }
  }

  async start(): Promise<void> {
    const { chunkServers = 3, capacityBytes = defaultCapacityBytes } = this.#options
    await this.#startMaster(`${masterHost}:0`)
    const capacities = Array.from({ length: chunkServers }, (_, index) =>
      typeof capacityBytes === 'number' ? capacityBytes : (capacityBytes[index] ?? defaultCapacityBytes),
    )
    await Promise.all(capacities.map((capacity, index) => this.#addServer(index, capacity)))
    this.#client = await this.connect()
    if (this.#options.http) await this.#openHttp()
    if (this.#options.s3) await this.#openS3()
  }

  async connect(options: Parameters<TestCluster['connect']>[0] = {}): Promise<AshlarClient> {
    const env = { ...this.#env, network: this.#network.at(clientHost) }
    const client = await connectClient({ ...options, cluster: this.clusterFile, env })
    this.#clients.push(client)
    return client
  }

  async addChunkServer({
    capacityBytes = defaultCapacityBytes,
  }: {
    readonly capacityBytes?: number
  } = {}): Promise<TestChunkServer> {
    return await this.#addServer(this.#servers.length, capacityBytes)
  }

  async restartMaster(): Promise<void> {
    const address = (this.#master as Master).address
    this.#network.kill(masterHost)
    const isGone = this.#masterMachine.powerOff()
    await this.#master?.close()
    if (!isGone) await this.#kv?.close()
    await this.#startMaster(address)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(): Promise<void> {
    // Clients first: they give back what they hold. Whatever fails, the rest is closed too.
    const stages: readonly (() => Promise<unknown>)[] = [
      async () => this.#undoFaults(),
      async () => this.#http?.close(),
      async () => this.#s3?.close(),
      () => Promise.all(this.#clients.map((client) => client.close())),
      () => Promise.all(this.#servers.map((server) => server.close())),
      async () => this.#master?.close(),
      async () => this.#kv?.close(),
      () => this.#room.clear(),
    ]
    const failures: unknown[] = []
    for (const stage of stages) await stage().catch((error: unknown) => failures.push(error))
    if (failures.length > 0) throw failures[0]
  }

  /** What a test slowed down or cut off must not be waited for: what is still on its way there is dropped. */
  #undoFaults(): void {
    this.#network.heal()
    for (const host of this.#faultyHosts) {
      this.#network.setDelay(host, 0)
      this.#network.kill(host)
    }
  }

  async #startMaster(listenAddress: string): Promise<void> {
    const { chunkServers = 3, chunkSizeBytes, trashKeepMs, deadAfterMs } = this.#options
    const policy = this.#options.policy ?? (`replicated-${Math.min(3, chunkServers)}` as const)
    const onFatal = (error: Error) => this.#env.log.error('the master ended', { error })
    const env = this.#masterMachine.env()
    const backups = this.#options.backups === true ? backupPlan(env) : undefined
    this.#kv = await this.#masterMachine.openMetadata(onFatal, backups?.feed)
    this.#master = await startMaster({
      env,
      backups,
      kv: this.#kv,
      secret: this.#secret,
      clusterId: this.#clusterId,
      generation: 0,
      listenAddress,
      settings: {
        defaultPolicy: policy,
        ...(chunkSizeBytes === undefined ? {} : { chunkSizeBytes }),
        ...(trashKeepMs === undefined ? {} : { trashKeepMs }),
        ...(deadAfterMs === undefined ? {} : { deadAfterMs }),
      },
      onFatal,
      version,
    })
  }

  async #addServer(index: number, capacityBytes: number): Promise<TestChunkServer> {
    const machine = this.#room.machine(`chunkserver-${index + 1}`)
    let create = true
    let serverId: ServerId | undefined
    const host = {
      name: machine.name,
      start: async () => {
        const store = await machine.openStore({
          identity: { cluster: this.#clusterId, server: serverId },
          create,
          capacityBytes,
        })
        create = false
        serverId = store.identity.server
        return await startChunkServer({
          env: machine.env(),
          store,
          serverId,
          clusterId: this.#clusterId,
          keys: deriveKeys(this.#secret),
          masterAddress: (this.#master as Master).address,
          listenAddress: `${machine.name}:0`,
          httpListenAddress: `${machine.name}:0`,
          domain: machine.name,
          version,
          backupFolder: backupFolderOf(machine.storePath),
        })
      },
      die: async (server: Awaited<ReturnType<typeof startChunkServer>>) => {
        this.#network.kill(machine.name)
        const isGone = machine.powerOff()
        // A process that has lost its disk cannot end in order, and has nothing left to save.
        await server.close().catch((error: unknown) => {
          if (!isGone) throw error
        })
      },
      setDelay: (delayMs: number) => {
        this.#faultyHosts.add(machine.name)
        this.#network.setDelay(machine.name, delayMs)
      },
      partition: () => {
        this.#faultyHosts.add(machine.name)
        for (const other of this.#hostsBut(machine.name)) this.#network.partition(machine.name, other)
      },
      heal: () => {
        for (const other of this.#hostsBut(machine.name)) this.#network.heal(machine.name, other)
      },
      flipByte: flipStoredByte(machine),
    }
    const server = await host.start()
    await server.registered
    const testServer = new TestChunkServer(host, server)
    this.#servers[index] = testServer
    return testServer
  }

  #hostsBut(name: string): string[] {
    const hosts = [masterHost, clientHost, ...this.#servers.map((_, index) => `chunkserver-${index + 1}`)]
    return hosts.filter((host) => host !== name)
  }

  /** Doors are a third of all modules: loaded where a test opens one. */
  async #openS3(): Promise<void> {
    const { StoredAccounts } = await import('../gateway/s3/auth/stored-accounts.ts')
    const { startS3Gateway } = await import('../gateway/s3/s3-gateway.ts')
    const accessKeyId = `ASHL${this.#env.random.bytes(8).toString('hex').toUpperCase()}`
    const secretAccessKey = this.#env.random.bytes(30).toString('base64')
    const region = 'us-east-1'
    const env = createNodeEnv({ log: this.#env.log })
    const door = await startS3Gateway({
      env,
      client: this.client,
      listenAddress: '127.0.0.1:0',
      accounts: new StoredAccounts({ env, client: this.client, root: { accessKeyId, secretAccessKey } }),
      region,
      encryptionKeys: [env.random.bytes(32)],
    })
    const endpoint = `http://localhost:${door.address.slice(door.address.lastIndexOf(':') + 1)}`
    this.#s3 = { endpoint, accessKeyId, secretAccessKey, region, close: () => door.close() }
  }

  async #openHttp(): Promise<void> {
    const { startHttpGateway } = await import('../gateway/http/http-gateway.ts')
    const { secret } = this.clusterFile
    const door = await startHttpGateway({
      env: createNodeEnv({ log: this.#env.log }),
      client: this.client,
      clientKey: Buffer.from(secret, 'base64'),
      listenAddress: '127.0.0.1:0',
    })
    this.#http = { url: `http://${door.address}`, token: secret, close: () => door.close() }
  }
}

function backupPlan({ clock }: Env): BackupPlan {
  const maxBytes = limits.backupFeedBytes
  const feed = new ChangeFeed({ positionKey, generation: 0, maxBytes, wallMs: () => clock.wallMs() })
  return { feed, everyMs: limits.backupEveryMs, attachments: async () => [] }
}

/**
 * The programs of production as simulated machines run them: started with the Env of their machine, on what earlier
 * lives left behind; ended without a word.
 * @module
 */

import type { ChunkId, ClusterId, ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { type ChunkServer, startChunkServer } from '../chunkserver/chunk-server.ts'
import { type AshlarClient, connect } from '../client/index.ts'
import type { Env } from '../env/env.ts'
import { ChangeFeed } from '../kv/change-feed.ts'
import { createMemoryImage, type MemoryImage } from '../kv/memory-image.ts'
import { createMemoryKV, type MemoryFaults, type MemoryKV } from '../kv/memory-kv.ts'
import { type Master, startMaster } from '../master/master.ts'
import { chunkOf, positionKey } from '../namespace/keys.ts'
import { chunkRow } from '../namespace/rows.ts'
import { type IndexEngine, type OpenedStore, openDiskStore } from '../store/open-disk-store.ts'
import { deriveKeys } from '../wire/keys.ts'
import type { Chronicle, WatchedImage } from './chronicle.ts'
import { backupFolder, restoreMetadata, type ServerDisk } from './master-restore.ts'
import type { SimCluster, SimServer } from './script.ts'
import type { Program } from './sim-host.ts'
import type { MetadataLoss } from './world.ts'

/** What all of a cluster's programs know. */
export interface ClusterSecrets {
  readonly clusterId: ClusterId
  readonly secret: Buffer
}

export const masterAddress = 'master:7600'
const version = 'simulated'

export interface MasterProgramOptions {
  readonly secrets: ClusterSecrets
  /** Where the chunk servers keep what a new master is built from. */
  readonly serverDisks: () => readonly ServerDisk[]
  readonly chronicle: Chronicle
}

export class MasterProgram implements Program {
  readonly #cluster: SimCluster
  readonly #secrets: ClusterSecrets
  readonly #serverDisks: () => readonly ServerDisk[]
  readonly #chronicle: Chronicle
  #image: WatchedImage
  #generation = 0
  #isDiskLost = false
  #lives = 0
  /** Of the metadata, over all lives. */
  readonly faults: MemoryFaults = { conflict: 0, unknown: 0, tooLarge: 0, delayMs: 0 }
  master: Master | undefined
  kv: MemoryKV | undefined

  constructor(cluster: SimCluster, { secrets, serverDisks, chronicle }: MasterProgramOptions) {
    this.#cluster = cluster
    this.#secrets = secrets
    this.#serverDisks = serverDisks
    this.#chronicle = chronicle
    this.#image = chronicle.newImage()
    this.#image.isWatched = true
  }

  get generation(): number {
    return this.#generation
  }

  /** As the metadata have them, durable or not. */
  liveChunks(): MetadataLoss['chunks'] {
    const chunks: { readonly id: ChunkId; readonly version: number }[] = []
    for (const [, { key, value }] of this.#image.ascending('C', 'D')) {
      const { tombstonedMs, version, content } = chunkRow.decode(value)
      if (tombstonedMs === undefined) chunks.push({ id: chunkOf(key), version: version ?? content })
    }
    return chunks
  }

  /** The next start finds nothing, and builds the metadata anew. */
  loseDisk(): void {
    this.#isDiskLost = true
  }

  async start(env: Env, fail: (error: unknown) => void): Promise<void> {
    const life = ++this.#lives
    if (this.#isDiskLost) {
      const options = { ...this.#secrets, generationSeen: this.#generation }
      const image = this.#chronicle.newImage()
      const { generation, position } = await restoreMetadata(env, this.#serverDisks(), { ...options, image })
      // It reads what no process owns, and goes on after the end of its own.
      if (life !== this.#lives) return
      this.#image = image
      image.isWatched = true
      this.#chronicle.noteRestored(position)
      this.#generation = generation
      this.#isDiskLost = false
    }
    const { policy, chunkSizeBytes, trashKeepMs, deadAfterMs, syncDelayMs, scrubWithinMs } = this.#cluster
    const { clock, random } = env
    const generation = this.#generation
    const feed = this.#cluster.backups === true ? feedOf(env, generation) : undefined
    this.kv = createMemoryKV({ clock, random, image: this.#image, faults: this.faults, syncDelayMs, feed })
    this.master = await startMaster({
      env,
      kv: this.kv,
      ...this.#secrets,
      generation,
      backups: feed && { feed, everyMs: limits.backupEveryMs, attachments: async () => [] },
      listenAddress: masterAddress,
      settings: {
        ...{ defaultPolicy: policy, chunkSizeBytes, trashKeepMs, deadAfterMs },
        ...(scrubWithinMs === undefined ? {} : { scrubWithinMs }),
      },
      onFatal: fail,
      version,
    })
  }

  ended(): void {
    this.#lives++
    this.kv?.crash()
    this.kv = undefined
    this.master = undefined
  }
}

function feedOf({ clock }: Env, generation: number): ChangeFeed {
  return new ChangeFeed({ positionKey, generation, maxBytes: limits.backupFeedBytes, wallMs: () => clock.wallMs() })
}

const defaultCapacityBytes = 2 ** 30
/** Of a store, for deletes on a full disk: each start writes it. */
const reserveBytes = 256 * 1024
export const storePath = '/store'

export interface ServerProgramOptions {
  readonly secrets: ClusterSecrets
  readonly syncDelayMs: number
  /** At which a segment is full: a small one, so that there is something to compact. */
  readonly segmentBytes: number
}

export class ServerProgram implements Program {
  readonly domain: string
  readonly #capacityBytes: number
  readonly #segmentBytes: number
  readonly #secrets: ClusterSecrets
  readonly #indexes: SimIndexes
  /** Replicas that it put into quarantine, in all its lives. */
  readonly setAside = new Set<ChunkId>()
  #isMade = false
  serverId: ServerId | undefined
  store: OpenedStore | undefined
  server: ChunkServer | undefined

  constructor(name: string, { rack, capacityBytes = defaultCapacityBytes }: SimServer, options: ServerProgramOptions) {
    const { secrets, syncDelayMs, segmentBytes } = options
    this.#segmentBytes = segmentBytes
    this.domain = rack ?? name
    this.#capacityBytes = capacityBytes
    this.#secrets = secrets
    this.#indexes = new SimIndexes(syncDelayMs)
  }

  /** Its disk is another one, and empty: from the next start on it is another server. @returns which one it was */
  forgetDisk(): ServerId | undefined {
    const former = this.serverId
    this.#isMade = false
    this.serverId = undefined
    return former
  }

  async start(env: Env, fail: (error: unknown) => void): Promise<void> {
    const { clusterId, secret } = this.#secrets
    const store = await openDiskStore({
      env,
      path: storePath,
      identity: { cluster: clusterId, server: this.serverId },
      create: !this.#isMade,
      capacityBytes: this.#capacityBytes,
      reserveBytes,
      segmentBytes: this.#segmentBytes,
      index: this.#indexes.engine(env),
    })
    this.#isMade = true
    this.serverId = store.identity.server
    store.onQuarantine((chunk) => this.setAside.add(chunk))
    const server = await startChunkServer({
      env,
      store,
      serverId: store.identity.server,
      clusterId,
      keys: deriveKeys(secret),
      masterAddress,
      listenAddress: 'any:7610',
      httpListenAddress: 'any:7611',
      domain: this.domain,
      backupFolder,
      version,
    })
    this.store = store
    this.server = server
    // It serves reads before the master knows it, and ends if the master turns it down for good.
    server.registered.catch(fail)
  }

  ended(): void {
    this.#indexes.crash()
    this.store = undefined
    this.server = undefined
  }
}

/**
 * The engines of a store's index: in memory, but bound to a file in the index's folder, so that a folder which is removed
 * takes the index with it.
 */
class SimIndexes {
  readonly #images = new Map<string, MemoryImage>()
  readonly #syncDelayMs: number
  #open: MemoryKV | undefined

  constructor(syncDelayMs: number) {
    this.#syncDelayMs = syncDelayMs
  }

  engine(env: Env): IndexEngine {
    return async ({ folder }) => {
      const path = `${folder}/engine`
      const name = await readName(env, path)
      const image = this.#images.get(name) ?? createMemoryImage()
      if (!this.#images.has(name)) {
        this.#images.clear()
        this.#images.set(name, image)
        await env.disk.writeSmall(path, Buffer.from(name))
      }
      this.#open = createMemoryKV({ clock: env.clock, random: env.random, image, syncDelayMs: this.#syncDelayMs })
      return this.#open
    }
  }

  crash(): void {
    this.#open?.crash()
    this.#open = undefined
  }
}

async function readName({ disk, random }: Env, path: string): Promise<string> {
  try {
    return (await disk.readSmall(path, 64)).toString('latin1')
  } catch {
    // None there, whatever the reason: an index is made anew out of the store.
    return random.bytes(8).toString('hex')
  }
}

export class ClientProgram implements Program {
  readonly #secrets: ClusterSecrets
  client: AshlarClient | undefined

  constructor(secrets: ClusterSecrets) {
    this.#secrets = secrets
  }

  async start(env: Env): Promise<void> {
    const { clusterId, secret } = this.#secrets
    const cluster = { clusterId, address: masterAddress, secret: deriveKeys(secret).client.toString('base64') }
    this.client = await connect({ cluster, env })
  }

  ended(): void {
    this.client = undefined
  }
}

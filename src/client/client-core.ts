/**
 * What every part of a client shares: one master link, one session, one map, one pool, one budget.
 * Made once by `connect`, closed once, in the order that leaves nothing half done.
 * @module
 */
import type { ClusterId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Env } from '../env/env.ts'
import type { Credentials } from '../wire/credentials.ts'
import { AllocationPool } from './allocation-pool.ts'
import { Background } from './background.ts'
import { BufferBudget } from './buffer-budget.ts'
import { ChunkCache } from './chunk-cache.ts'
import { ChunkReader } from './chunk-reader.ts'
import { ChunkWriter } from './chunk-writer.ts'
import { MapCache } from './map-cache.ts'
import { MasterLink } from './master-link.ts'
import { ReadTokens } from './read-tokens.ts'
import { ServerPool } from './server-pool.ts'
import { Session } from './session.ts'

export interface ClientCoreOptions {
  readonly env: Env
  readonly clusterId: ClusterId
  readonly address: string
  readonly locate?: (() => Promise<string>) | undefined
  readonly credentials: Credentials
  readonly timeoutMs: number
  /** Of large files; at most what the policy says. */
  readonly chunkSizeBytes: number
  readonly bufferBytes: number
  /** 0: chunks that were read are not kept. */
  readonly chunkCacheBytes?: number | undefined
}

export class ClientCore {
  readonly env: Env
  readonly clusterId: ClusterId
  readonly timeoutMs: number
  readonly background: Background
  readonly budget: BufferBudget
  readonly link: MasterLink
  readonly maps: MapCache
  readonly session: Session
  readonly pool: ServerPool
  readonly tokens: ReadTokens
  readonly allocations: AllocationPool
  readonly writer: ChunkWriter
  readonly chunkCache: ChunkCache
  readonly chunks: ChunkReader
  readonly #chunkSizeBytes: number
  #closing: Promise<void> | undefined

  constructor(options: ClientCoreOptions) {
    const { env, credentials, timeoutMs } = options
    this.env = env
    this.clusterId = options.clusterId
    this.timeoutMs = timeoutMs
    this.#chunkSizeBytes = options.chunkSizeBytes
    this.background = new Background(env.log)
    this.budget = new BufferBudget(options.bufferBytes, env.clock)
    this.link = new MasterLink({ env, address: options.address, locate: options.locate, credentials, timeoutMs })
    this.maps = new MapCache(this.link)
    this.session = new Session({
      env,
      link: this.link,
      background: this.background,
      onKept: (mapVersion) => {
        this.allocations.tidy()
        this.noticeMapVersion(mapVersion)
      },
    })
    this.pool = new ServerPool({ env, credentials, maps: this.maps })
    this.tokens = new ReadTokens({ link: this.link, clock: env.clock })
    this.allocations = new AllocationPool(this)
    this.writer = new ChunkWriter(this)
    this.chunkCache = new ChunkCache(options.chunkCacheBytes ?? 0)
    this.chunks = new ChunkReader(this)
  }

  /** Chunks of a file at `path` are no longer than this: what any policy it may have allows. */
  async chunkSizeBytes(signal: AbortSignal | undefined): Promise<number> {
    const { map } = this.maps.known ?? (await this.maps.current(signal))
    let sizeBytes = Math.min(this.#chunkSizeBytes, limits.chunkSizeMaxBytes)
    for (const policy of map.policies) sizeBytes = Math.min(sizeBytes, policy.chunkSizeBytes)
    return Math.max(1, sizeBytes)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.session.close()
    this.link.close()
    this.pool.close()
    await this.background.settled()
  }

  /** An answer named the map's version: a newer one than ours is fetched beside the work. */
  noticeMapVersion(mapVersion: number): void {
    if (mapVersion > this.maps.version) this.background.run('fetch the newer cluster map', this.maps.refresh())
  }
}

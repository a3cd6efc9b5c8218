/**
 * Where the rounds of healing play: chunk servers started by hand, filled with files whose every byte is known, and who of them runs
 * now. Whatever is found wrong is told to it, and nothing that was told is lost.
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { isAshlarError } from '../../../src/base/errors.ts'
import { formatSize } from '../../../src/base/sizes.ts'
import { measureDiskRate } from '../../../src/cli/servers/disk-rate.ts'
import { type AshlarClient, type ClusterStatus, connect } from '../../../src/client/index.ts'
import { createNodeEnv } from '../../../src/env/node-env.ts'
import { HandCluster, master, type ServerName } from '../hand-cluster.ts'
import { bytesOf, isOf, lengthsOf, type Version } from './contents.ts'

export interface StageOptions {
  readonly files: number
  readonly bytes: number
  /** Of every choice that is not the machine's. Default 1. */
  readonly seed?: number
  /** Default: 30 s, as in production. */
  readonly deadAfter?: string
  readonly say?: (line: string) => void
}

export interface StageShape {
  /** Those that run at the beginning. */
  readonly servers: number
  /** More that may be started later. */
  readonly spares?: number
  readonly domainOf?: (name: ServerName) => string
  readonly masterArgs?: readonly string[]
}

const transfersAtOnce = 16
const wholeWithinMs = 600_000

export class Stage implements AsyncDisposable {
  readonly cluster: HandCluster
  readonly options: StageOptions
  /** What was found wrong: empty in the end. */
  readonly violations: string[] = []
  /** Every file that must be there, as it was acknowledged last. */
  readonly files = new Map<string, Version>()
  /** Writes without an answer: what they wrote may be there too. */
  readonly #doubts = new Map<string, Version>()
  readonly #root: string
  readonly #startedMs = performance.now()
  /** Of the one disk beneath all servers; 0 until it was measured. */
  diskBytesPerSecond = 0
  /** When somebody was last killed or started; infinite while that goes on. */
  changedMs = 0
  #client: AshlarClient | undefined

  private constructor(root: string, options: StageOptions, { servers, spares = 0, ...shape }: StageShape & Rates) {
    this.#root = root
    this.options = options
    this.diskBytesPerSecond = shape.diskBytesPerSecond
    const { domainOf, masterArgs = [] } = shape
    const share = Math.floor(shape.diskBytesPerSecond / (servers + spares))
    this.cluster = new HandCluster(join(root, 'cluster'), {
      chunkServers: servers + spares,
      capacity: formatCapacity(options.bytes),
      masterArgs: ['--dead-after', options.deadAfter ?? '30s', ...masterArgs],
      serverArgs: ['--disk-rate', String(share)],
      place: (name) => (domainOf === undefined || name === master ? {} : { domain: domainOf(name) }),
    })
  }

  /** A running cluster that holds the files, each acknowledged. */
  static async open(options: StageOptions, shape: StageShape): Promise<Stage> {
    const root = mkdtempSync(join(tmpdir(), 'ashlar-healing-'))
    const stage = new Stage(root, options, { ...shape, diskBytesPerSecond: await measureDisk(root) })
    try {
      await stage.#start(shape.servers)
      await stage.#fill()
      return stage
    } catch (error) {
      await stage[Symbol.asyncDispose]()
      throw error
    }
  }

  get client(): AshlarClient {
    if (this.#client === undefined) throw new Error('the stage is not set')
    return this.#client
  }

  get running(): readonly ServerName[] {
    return this.cluster.chunkServers.filter((name) => this.cluster.isRunning(name))
  }

  async kill(...names: readonly ServerName[]): Promise<void> {
    this.changedMs = Number.POSITIVE_INFINITY
    await Promise.all(names.map((name) => this.cluster.end(name, 'SIGKILL')))
    this.changedMs = performance.now()
    this.say(`SIGKILL: ${names.join(', ')}`)
  }

  async startServers(...names: readonly ServerName[]): Promise<void> {
    this.changedMs = Number.POSITIVE_INFINITY
    await Promise.all(names.map((name) => this.cluster.startOne(name)))
    this.changedMs = performance.now()
    this.say(`started: ${names.join(', ')}`)
  }

  /** Another connection, for load of its own; whoever asks closes it. */
  connect(): Promise<AshlarClient> {
    return connect({ cluster: this.cluster.clusterPath, timeoutMs: 60_000 })
  }

  async write(version: Version, client = this.client): Promise<void> {
    try {
      await client.writeFile(version.path, bytesOf(version), { makeParents: true })
    } catch (error) {
      if (!isAshlarError(error) || error.applied !== 'no') this.#doubts.set(version.path, version)
      throw error
    }
    this.#doubts.delete(version.path)
    this.files.set(version.path, version)
  }

  /** Rewrites a file under the next version. */
  async rewrite(path: string, client = this.client): Promise<void> {
    const { version, length } = this.files.get(path) as Version
    const tried = this.#doubts.get(path)?.version ?? version
    await this.write({ path, version: tried + 1, length }, client)
  }

  async read(wanted: Version, client = this.client): Promise<void> {
    const found = await client.readFile(wanted.path)
    const doubt = this.#doubts.get(wanted.path)
    if (isOf(found, wanted) || (doubt !== undefined && isOf(found, doubt))) return
    this.tell(`wrong bytes: ${wanted.path} has ${found.length}, version ${wanted.version}`)
  }

  /** Reads all files, each whole. */
  async readAll(client = this.client): Promise<void> {
    await this.each([...this.files.values()], async (wanted) => {
      try {
        await this.read(wanted, client)
      } catch (error) {
        this.tell(`cannot read ${wanted.path}: ${String(error)}`)
      }
    })
  }

  async each<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
    const left = items.values()
    await Promise.all(
      Array.from({ length: transfersAtOnce }, async () => {
        for (const item of left) await work(item)
      }),
    )
  }

  /** Waits until `isSo` holds of the status; tells when it does not in time. @returns how long it took */
  async until(what: string, isSo: (status: ClusterStatus) => boolean | Promise<boolean>): Promise<number> {
    const startMs = performance.now()
    for (;;) {
      const status = await this.client.status()
      const tookMs = performance.now() - startMs
      if (await isSo(status)) return tookMs
      if (tookMs > wholeWithinMs) {
        this.tell(`waited in vain for ${what}: ${JSON.stringify(status)}`)
        return tookMs
      }
      await wait(100)
    }
  }

  /** Nothing is missing, corrupt or short of a copy, by the word of the chunk servers themselves. */
  async fsck({ verify = false } = {}): Promise<void> {
    const { changedMs } = this
    const { counts, isClean, findings } = await this.client.insight.fsck({ verify })
    // Who died meanwhile is missed rightly.
    if (!isClean && changedMs === this.changedMs)
      this.tell(`fsck: ${JSON.stringify({ counts, first: findings.slice(0, 3) })}`)
  }

  tell(violation: string): void {
    this.violations.push(violation)
    this.say(`VIOLATION: ${violation}`)
  }

  say(line: string): void {
    this.options.say?.(`${((performance.now() - this.#startedMs) / 1000).toFixed(1).padStart(6)} s  ${line}`)
  }

  /** After a new master. */
  async reconnect(): Promise<void> {
    await this.disconnect()
    this.#client = await this.connect()
  }

  /** Nobody is left who could write. */
  async disconnect(): Promise<void> {
    await this.#client?.close().catch((error: unknown) => this.say(`the old connection: ${String(error)}`))
    this.#client = undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster.killAll()
    await this.disconnect()
    rmSync(this.#root, { recursive: true, force: true })
  }

  async #start(servers: number): Promise<void> {
    await this.cluster.startOne(master)
    await Promise.all(this.cluster.chunkServers.slice(0, servers).map((name) => this.cluster.startOne(name)))
    this.changedMs = performance.now()
    this.#client = await this.connect()
  }

  async #fill(): Promise<void> {
    const { files, bytes } = this.options
    const startMs = performance.now()
    const versions = lengthsOf(files, bytes).map((length, index) => ({ path: pathOf(index), version: 1, length }))
    await this.each(versions, (version) => this.write(version))
    const seconds = (performance.now() - startMs) / 1000
    const stored = versions.reduce((sum, { length }) => sum + length, 0)
    this.say(`${files} files of ${formatSize(stored)} written in ${seconds.toFixed(1)} s`)
  }
}

interface Rates {
  readonly diskBytesPerSecond: number
}

/** In directories of a hundred. */
export function pathOf(index: number): string {
  return `/files/${Math.floor(index / 100)}/${index}`
}

/** Nobody is away whose replicas are not elsewhere, no chunk lacks one, and no repair is under way. */
export function isWhole({ underReplicatedChunks, serversMissed = 0, work = [] }: ClusterStatus): boolean {
  const isRepairing = work.some(({ duty, state }) => duty === 'repair' && state !== 'idle')
  return underReplicatedChunks === 0 && serversMissed === 0 && !isRepairing
}

/** And nothing is on its way for any other duty. */
export function isQuiet(status: ClusterStatus): boolean {
  return isWhole(status) && (status.work ?? []).every(({ state }) => state === 'idle')
}

async function measureDisk(root: string): Promise<number> {
  const env = createNodeEnv({ log: 'silent' })
  await env.disk.makeDirectory(join(root, 'tmp'))
  return await measureDiskRate(env, root, { shareOf: 1 })
}

/** Any of them may hold all of it, and as much again: room is another test's business. */
function formatCapacity(bytes: number): string {
  return `${Math.ceil((2 * bytes) / 2 ** 20) + 256}MiB`
}

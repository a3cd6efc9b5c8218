/**
 * `ashlar up`: a master and its chunk servers on this machine, each a process of its own, watched over.
 *
 * Order: the folder's lock, the plan, all processes at once (a chunk server opens its store while the master starts, and waits to be
 * told the address; the first time there is no cluster to open it for until the master leads), *ready* when every one is registered
 * and the doors are open, then watching until a signal.
 * The plan is written when the ports are known, so that later starts take the same ones.
 * @module
 */
import { join } from 'node:path'
import { AshlarError, isAshlarError } from '../../base/errors.ts'
import type { Disk } from '../../env/disk.ts'
import type { Env } from '../../env/env.ts'
import type { Output } from '../output.ts'
import type { RawS3Options } from '../s3/s3-process.ts'
import type { RawChunkServerOptions } from '../servers/chunkserver-process.ts'
import type { RawMasterOptions } from '../servers/master-process.ts'
import { type SupervisedOptions, SupervisedProcess } from './child-process.ts'
import { chunkServerFolder, replaceLost } from './lost-stores.ts'
import type { ChildReport } from './messages.ts'
import { readPlan, writePlan } from './plan-file.ts'
import { printReady, type ReadyState } from './ready.ts'
import { type AskedOptions, planUp, type UpPlan } from './up-options.ts'

/** A start that has not become ready by then says what it waits for, and goes on waiting. */
const slowStartMs = 15_000
const stopGraceMs = 10_000

export interface UpOptions {
  readonly env: Env
  readonly output: Output
  readonly dataFolder: string
  readonly asked: AskedOptions
  readonly restart: boolean
  readonly isTemporary: boolean
  /** Raise the generation: see `master --accept-older-metadata`. */
  readonly acceptOlderMetadata: boolean
  /** Asks a person, where there is one. @throws {AshlarError} `cancelled` — the answer was no */
  readonly confirm: (question: string) => Promise<void>
  /** Aborts on SIGTERM and Ctrl-C. */
  readonly stop: AbortSignal
}

/** Runs until `stop`. @throws {AshlarError} `in-use` (data folder or explicit port), `invalid-argument`, and what a server failed with */
export async function runUp(options: UpOptions): Promise<void> {
  const { env, dataFolder, asked } = options
  await makeDataFolder(env.disk, dataFolder)
  const lock = await env.disk.lock(join(dataFolder, 'up.lock'), `ashlar up, pid ${process.pid}`)
  try {
    const plan = await replaceLost(planUp(asked, await readPlan(env.disk, dataFolder)), {
      disk: env.disk,
      dataFolder,
      numbers: asked.replaced ?? [],
      confirm: options.confirm,
    })
    const cluster = new LocalCluster(options, plan)
    try {
      await cluster.run()
    } finally {
      await cluster.stop()
    }
  } finally {
    await lock.release()
  }
}

async function makeDataFolder(disk: Disk, path: string): Promise<void> {
  try {
    await disk.makeDirectory(path)
  } catch (error) {
    if (!isAshlarError(error, 'already-exists')) throw error
    throw new AshlarError('not-a-directory', `Cannot use data folder ${path}: it is a file. Name a folder`, {
      cause: error,
    })
  }
}

class LocalCluster {
  readonly #options: UpOptions
  #plan: UpPlan
  readonly #master: SupervisedProcess
  readonly #gateway: SupervisedProcess
  readonly #chunkServers: readonly SupervisedProcess[]
  readonly #registered = new Set<number>()
  readonly #ready = Promise.withResolvers<void>()
  #isOlderAccepted = false
  #masterAddress: string | undefined
  #httpAddress: string | undefined
  #s3Address: string | undefined
  #isReady = false

  constructor(options: UpOptions, plan: UpPlan) {
    this.#options = options
    this.#plan = plan
    this.#master = this.#supervise('the master', {
      role: 'master',
      options: () => this.#masterOptions(),
      onReport: (report) => this.#onMasterReport(report),
    })
    this.#gateway = this.#supervise('the S3 gateway', {
      role: 'gateway',
      options: () => this.#gatewayOptions(),
      onReport: (report) => this.#onGatewayReport(report),
    })
    this.#chunkServers = plan.servers.map((_, index) =>
      this.#supervise(`chunk server ${index + 1}`, {
        role: 'chunkserver',
        options: () => this.#chunkServerOptions(index),
        onReport: (report) => this.#onChunkServerReport(index, report),
      }),
    )
    // `run` awaits it; a failure may come before.
    this.#ready.promise.catch(() => undefined)
  }

  async run(): Promise<void> {
    const { env, output, dataFolder, stop } = this.#options
    // In the order in which they are waited for.
    this.#master.start()
    for (const chunkServer of this.#chunkServers) chunkServer.start()
    this.#gateway.start()
    const slow = env.clock.after(slowStartMs, () => output.note(`Still waiting for ${this.#missing()}`))
    const stopped = aborted(stop)
    try {
      await Promise.race([this.#ready.promise, stopped])
    } finally {
      slow.cancel()
    }
    if (stop.aborted) return
    this.#isReady = true
    await writePlan(env.disk, dataFolder, this.#plan)
    printReady(output, this.#state())
    await stopped
  }

  async stop(): Promise<void> {
    // Doors first, then chunk servers: the master then sees orderly ends.
    await this.#gateway.stop(stopGraceMs)
    await Promise.all(this.#chunkServers.map((chunkServer) => chunkServer.stop(stopGraceMs)))
    await this.#master.stop(stopGraceMs)
  }

  #supervise(
    name: string,
    { onReport, ...program }: Pick<SupervisedOptions, 'role' | 'options' | 'onReport'>,
  ): SupervisedProcess {
    const { env, output, restart } = this.#options
    let failure: AshlarError | undefined
    return new SupervisedProcess({
      name,
      clock: env.clock,
      // One that ends before all are ready ends the start as a whole.
      restart: () => restart && this.#isReady,
      ...program,
      onReport: (report) => {
        if (report.event === 'failed') failure = new AshlarError(report.code as AshlarError['code'], report.message)
        onReport(report)
      },
      onExit: ({ reason, willRestartMs }) => {
        if (!this.#isReady) {
          this.#ready.reject(failure ?? new AshlarError('unavailable', `Cannot start ${name}: it ${reason}`))
          return
        }
        const next =
          willRestartMs === undefined ? 'it stays down (--no-restart)' : `starting it again in ${willRestartMs} ms`
        const why = failure === undefined ? '' : ` (${failure.message})`
        output.note(`${name} ${reason}${why}; ${next}`)
        failure = undefined
      },
    })
  }

  #masterOptions(): RawMasterOptions {
    const { dataFolder, asked, isTemporary, acceptOlderMetadata } = this.#options
    const { host, masterPort, httpPort, policy, chunkSizeBytes, trashKeepMs, deadAfterMs, placement, backupEveryMs } =
      this.#plan
    return {
      supervised: true,
      data: join(dataFolder, 'master'),
      clusterFile: join(dataFolder, 'cluster.json'),
      host,
      port: masterPort,
      httpPort: String(httpPort),
      policy,
      chunkSize: String(chunkSizeBytes),
      trashKeep: `${trashKeepMs}ms`,
      deadAfter: `${deadAfterMs}ms`,
      ...(placement === undefined ? {} : { placement }),
      ...(backupEveryMs === undefined ? {} : { backupEvery: backupEveryMs === 0 ? 'off' : `${backupEveryMs}ms` }),
      // Once there was a cluster here, a master without its folder is a loss, and no reason for another cluster.
      existing: this.#plan.servers.some(({ serverId }) => serverId !== undefined),
      exactHttpPort: asked.httpPort !== undefined && asked.httpPort !== 0,
      // Only the first time: a master that is started again must be found where it was.
      anyPort: isTemporary && masterPort === 0,
      // Once: a master that dies and is started again has nothing more to give up.
      acceptOlderMetadata: acceptOlderMetadata && !this.#isOlderAccepted,
    }
  }

  #gatewayOptions(): RawS3Options {
    const { dataFolder, asked, isTemporary } = this.#options
    const { host, s3Port = 0 } = this.#plan
    const isExact = asked.s3Port !== undefined && asked.s3Port !== 0
    return {
      supervised: true,
      cluster: join(dataFolder, 'cluster.json'),
      ...(isExact ? { listen: `${host}:${s3Port}` } : { host, port: s3Port }),
      anyPort: (isTemporary || asked.s3Port === 0) && s3Port === 0,
      openBuckets: asked.openBuckets === true,
    }
  }

  #chunkServerOptions(index: number): RawChunkServerOptions {
    const { dataFolder, isTemporary } = this.#options
    const { host, servers } = this.#plan
    const { port, capacityBytes, serverId } = servers[index] as UpPlan['servers'][number]
    return {
      supervised: true,
      data: chunkServerFolder(dataFolder, index),
      cluster: join(dataFolder, 'master', 'join.json'),
      // Its HTTP port is the one after: a pair that is no longer free is left for the next.
      host,
      port,
      // Each is a domain of its own; the ready message says what that is worth on one machine.
      domain: `chunkserver-${index + 1}`,
      shareOf: servers.length,
      ...(capacityBytes === undefined ? {} : { capacity: String(capacityBytes) }),
      ...(serverId === undefined ? {} : { expectId: serverId }),
      anyPort: isTemporary && port === 0,
    }
  }

  #onMasterReport(report: ChildReport): void {
    if (report.event === 'leading') {
      this.#isOlderAccepted = true
      this.#masterAddress = report.address
      this.#plan = { ...this.#plan, masterPort: portOf(report.address) }
      for (const chunkServer of this.#chunkServers) chunkServer.tell({ masterAddress: report.address })
    }
    if (report.event === 'listening') {
      this.#httpAddress = report.httpAddress
      this.#plan = { ...this.#plan, httpPort: portOf(report.httpAddress) }
      this.#gateway.tell({ masterAddress: report.address })
      this.#checkReady()
    }
  }

  #onGatewayReport(report: ChildReport): void {
    if (report.event !== 'listening') return
    this.#s3Address = report.address
    this.#plan = { ...this.#plan, s3Port: portOf(report.address) }
    this.#checkReady()
  }

  #onChunkServerReport(index: number, report: ChildReport): void {
    if (report.event === 'listening') {
      const { address, httpAddress, serverId } = report
      const servers = this.#plan.servers.map((server, at) =>
        at === index ? { ...server, serverId, port: portOf(address), httpPort: portOf(httpAddress) } : server,
      )
      this.#plan = { ...this.#plan, servers }
    }
    if (report.event === 'registered') this.#registered.add(index)
    this.#checkReady()
  }

  #checkReady(): void {
    const hasDoors = this.#httpAddress !== undefined && this.#s3Address !== undefined
    if (hasDoors && this.#registered.size === this.#chunkServers.length) this.#ready.resolve()
  }

  #missing(): string {
    if (this.#httpAddress === undefined) return 'the master'
    if (this.#s3Address === undefined) return 'the S3 gateway'
    const missing = this.#chunkServers.flatMap((_, index) => (this.#registered.has(index) ? [] : [index + 1]))
    return `chunk server ${missing.join(', ')}`
  }

  #state(): ReadyState {
    const { dataFolder, isTemporary } = this.#options
    return {
      clusterPath: join(dataFolder, 'cluster.json'),
      isTemporary,
      master: this.#masterAddress as string,
      http: `http://${this.#httpAddress}`,
      s3: `http://${this.#s3Address}`,
      plan: this.#plan,
      processes: [
        { role: 'master' as const, pid: this.#master.pid as number, data: join(dataFolder, 'master') },
        { role: 'gateway' as const, pid: this.#gateway.pid as number },
        ...this.#chunkServers.map((chunkServer, index) => ({
          role: 'chunkserver' as const,
          id: this.#plan.servers[index]?.serverId as string,
          pid: chunkServer.pid as number,
          data: chunkServerFolder(dataFolder, index),
        })),
      ],
    }
  }
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1))
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

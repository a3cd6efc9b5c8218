/**
 * A whole cluster in one thread on virtual time: a master, chunk servers and clients of production, each on a simulated
 * machine of its own, and the faults that strike them. A world is a pure function of its cluster and seed, and of when
 * its controls are called in virtual time.
 * @module
 */
import { assert } from '../base/assert.ts'
import { AshlarError } from '../base/errors.ts'
import type { ClusterId } from '../base/ids.ts'
import type { AshlarClient } from '../client/index.ts'
import type { Clock } from '../env/clock.ts'
import { type SeededRandom, seededRandom } from '../env/seeded-random.ts'
import type { TxnKV } from '../kv/txn-kv.ts'
import type { Master } from '../master/master.ts'
import type { OpenedStore } from '../store/open-disk-store.ts'
import { beginFault, type FaultGround } from './apply-fault.ts'
import { Buggify } from './buggify.ts'
import { ClientProgram, type ClusterSecrets, MasterProgram, ServerProgram } from './programs.ts'
import { Scheduler } from './scheduler.ts'
import type { Fault, HostName, SimCluster } from './script.ts'
import { SimClock } from './sim-clock.ts'
import { SimDisk } from './sim-disk.ts'
import { type Program, SimHost } from './sim-host.ts'
import { SimNetwork } from './sim-network.ts'
import { SimWire } from './sim-wire.ts'

/** `running` → `paused` → `running`; `running` → `dead` (or `off`: without power) → `starting` → `running`. */
export type HostState = 'running' | 'paused' | 'dead' | 'off' | 'starting'

/** What the oracles may look at, past every interface. */
export interface WorldFacts {
  readonly master: {
    readonly state: HostState
    /** Undefined unless it runs. */
    readonly master: Master | undefined
    /** The metadata as they are, durable or not; undefined while the master is dead. Transactions on it move virtual time. */
    readonly kv: TxnKV | undefined
  }
  readonly servers: readonly {
    readonly name: HostName
    readonly state: HostState
    /** Undefined unless it runs. */
    readonly store: OpenedStore | undefined
    /** What it registered with; undefined before its first start. */
    readonly serverId: string | undefined
    readonly domain: string
    /** Bytes in files on its disk, in whole pages. */
    readonly diskUsedBytes: number
  }[]
}

export interface World {
  /** Of the observer: true virtual time, which no fault touches. 0 is when the cluster was ready. */
  readonly clock: Clock
  /** A stream of its own for whoever drives the world. */
  readonly random: SeededRandom
  /** The client `index` (from 0); undefined while its host is dead. After a restart it is another one. */
  client(index: number): AshlarClient | undefined
  /** Begins a fault now, whatever its `atMs`, and ends it after its duration. */
  apply(fault: Fault): void
  /** Ends all faults and starts every dead host; resolves when all hosts run (within a virtual bound). */
  healAll(): Promise<void>
  facts(): WorldFacts
  runFor(durationMs: number): Promise<void>
  /** Runs until `condition` holds, asked between events. @returns whether it did within `boundMs` */
  runUntil(condition: () => boolean, boundMs: number): Promise<boolean>
  /** Runs until `work` settles. @throws what it rejects with; `timeout` after `boundMs` of virtual time */
  runWhile<T>(work: Promise<T>, boundMs: number): Promise<T>
  /** 16 hex digits over everything that has happened. */
  traceHash(): string
  /** Events run so far. */
  readonly events: number
  /** Ends everything where it stands; nothing of it runs afterwards. Idempotent. */
  close(): Promise<void>
}

export interface WorldOptions {
  readonly cluster: SimCluster
  /** Unsigned, 32 bits. */
  readonly seed: number
  /** Sees each line that a process logs. */
  readonly onLog?: (line: LogLine) => void
  /** Sees each fault begin and end, each death and each start. */
  readonly onStory?: (line: StoryLine) => void
}

export interface LogLine {
  readonly atMs: number
  readonly host: HostName
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

export interface StoryLine {
  readonly atMs: number
  readonly host: HostName
  readonly what: string
}

/**
 * Boots a cluster; resolves when every server is registered and every client connected.
 * @throws {AshlarError} `timeout` — it did not come up within a virtual minute
 */
export async function createWorld(options: WorldOptions): Promise<World> {
  const world = new SimWorld(options)
  await world.boot()
  return world
}

/** Machines start within so long, faults aside. */
const startBoundMs = 120_000

class SimWorld implements World {
  readonly clock: Clock
  readonly random: SeededRandom
  readonly #options: WorldOptions
  readonly #scheduler: Scheduler
  readonly #wire: SimWire
  readonly #network: SimNetwork
  readonly #master: { readonly host: SimHost; readonly program: MasterProgram }
  readonly #servers: readonly { readonly host: SimHost; readonly program: ServerProgram }[]
  readonly #clients: readonly { readonly host: SimHost; readonly program: ClientProgram }[]
  readonly #ground: FaultGround
  readonly #buggify: Buggify
  /** What ends each fault in effect. */
  readonly #effects = new Set<() => void>()
  #readyMs = 0
  #processes = 0
  #isClosed = false

  constructor(options: WorldOptions) {
    const { cluster, seed } = options
    this.#options = options
    const random = seededRandom(seed)
    this.random = random.stream('driver')
    this.#scheduler = new Scheduler(random.stream('ties'))
    this.#wire = new SimWire(this.#scheduler, { random: random.stream('network'), delayMs: cluster.networkDelayMs })
    this.#network = new SimNetwork(this.#wire)
    this.#buggify = new Buggify(random.stream('buggify'), { enabled: cluster.buggify })
    this.clock = observerClock(this.#scheduler, () => this.#readyMs)

    const segmentBytes = random.stream('segments').weighted(segmentSizes, () => 1)
    const secrets = secretsOf(random.stream('secrets'))
    const host = (name: string, program: Program) => this.#newHost(name, program, random.stream(name))
    const master = new MasterProgram(cluster, secrets)
    this.#master = { host: host('master', master), program: master }
    this.#servers = cluster.servers.map((server, index) => {
      const name = `chunkserver-${index + 1}`
      const program = new ServerProgram(name, server, { secrets, syncDelayMs: cluster.syncDelayMs, segmentBytes })
      return { host: host(name, program), program }
    })
    this.#clients = Array.from({ length: cluster.clients }, (_, index) => {
      const program = new ClientProgram(secrets)
      return { host: host(`client-${index + 1}`, program), program }
    })
    this.#ground = {
      hosts: new Map(this.#hosts().map((machine) => [machine.name, machine])),
      servers: [this.#master.host, ...this.#servers.map((server) => server.host)],
      wire: this.#wire,
      network: this.#network,
      metadataFaults: master.faults,
    }
  }

  async boot(): Promise<void> {
    for (const host of this.#hosts()) host.start()
    await this.#startAll()
    const areKnown = () => {
      const nodes = this.#master.program.master?.nodes() ?? []
      return nodes.filter(({ state }) => state === 'up').length === this.#servers.length
    }
    await this.#reach('boot the cluster', areKnown)
    this.#readyMs = this.#scheduler.nowMs
  }

  get events(): number {
    return this.#scheduler.events
  }

  traceHash(): string {
    return this.#scheduler.trace.hex
  }

  client(index: number): AshlarClient | undefined {
    return this.#clients[index]?.program.client
  }

  apply(fault: Fault): void {
    assert(!this.#isClosed, 'the world was closed')
    this.#scheduler.trace.text(JSON.stringify(fault))
    const end = beginFault(fault, this.#ground)
    const host = 'host' in fault ? fault.host : 'from' in fault ? fault.from : 'master'
    this.#tell(host, `${fault.kind} begins`)
    if (!('durationMs' in fault)) return
    const effect = () => {
      if (!this.#effects.delete(effect)) return
      end()
      this.#tell(host, `${fault.kind} ends`)
    }
    this.#effects.add(effect)
    this.#scheduler.schedule(fault.durationMs, 'fault', undefined, effect)
  }

  async healAll(): Promise<void> {
    this.#buggify.stop()
    for (const effect of [...this.#effects]) effect()
    for (const host of this.#hosts()) host.start()
    await this.#startAll()
  }

  facts(): WorldFacts {
    const { host, program } = this.#master
    return {
      master: { state: host.state, master: program.master, kv: program.kv },
      servers: this.#servers.map((server) => ({
        name: server.host.name,
        state: server.host.state,
        store: server.program.store,
        serverId: server.program.serverId,
        domain: server.program.domain,
        diskUsedBytes: server.host.disk.usedBytes,
      })),
    }
  }

  async runFor(durationMs: number): Promise<void> {
    await this.#scheduler.run(this.#scheduler.nowMs + durationMs)
  }

  async runUntil(condition: () => boolean, boundMs: number): Promise<boolean> {
    return await this.#scheduler.run(this.#scheduler.nowMs + boundMs, condition)
  }

  async runWhile<T>(work: Promise<T>, boundMs: number): Promise<T> {
    let isSettled = false
    const settled = () => {
      isSettled = true
    }
    work.then(settled, settled)
    await this.#reach('finish in the simulated world', () => isSettled, boundMs)
    return await work
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const host of this.#hosts()) host.kill()
    this.#scheduler.clear()
  }

  #hosts(): SimHost[] {
    return [this.#master, ...this.#servers, ...this.#clients].map(({ host }) => host)
  }

  async #startAll(): Promise<void> {
    await this.#reach('start every machine', () => this.#hosts().every(({ state }) => state === 'running'))
  }

  async #reach(doing: string, condition: () => boolean, boundMs = startBoundMs): Promise<void> {
    if (await this.runUntil(condition, boundMs)) return
    throw new AshlarError('timeout', `Cannot ${doing}: not done after ${boundMs} ms of virtual time`)
  }

  #newHost(name: string, program: Program, random: SeededRandom): SimHost {
    const draws = random.stream('machine')
    const clock = new SimClock(this.#scheduler, {
      rate: 1 + (draws.fraction() - 0.5) * maxDrift * 2,
      uptimeMs: draws.below(1_000_000),
      wallOffsetMs: draws.below(2 * maxWallErrorMs) - maxWallErrorMs,
    })
    const disk = new SimDisk(this.#scheduler, {
      random: random.stream('disk'),
      syncMs: this.#options.cluster.syncDelayMs,
      device: this.#processes,
      wallMs: () => clock.wallMs(),
    })
    return new SimHost(name, program, {
      scheduler: this.#scheduler,
      network: this.#network,
      random,
      clock,
      disk,
      buggify: (site) => this.#buggify.happens(site),
      onLog: this.#options.onLog,
      tell: (host, what) => this.#tell(host, what),
      nextProcess: () => ++this.#processes,
    })
  }

  #tell(host: HostName, what: string): void {
    this.#options.onStory?.({ atMs: this.clock.monotonicMs(), host, what })
  }
}

const segmentSizes = [16 * 1024, 64 * 1024, 1024 * 1024]

/** Clocks of machines differ by up to 200 ppm and two seconds. */
const maxDrift = 200e-6
const maxWallErrorMs = 2_000

function secretsOf(random: SeededRandom): ClusterSecrets {
  return { clusterId: random.bytes(16).toString('hex') as ClusterId, secret: random.bytes(32) }
}

function observerClock(scheduler: Scheduler, readyMs: () => number): Clock {
  const nowMs = () => scheduler.nowMs - readyMs()
  return {
    monotonicMs: nowMs,
    wallMs: nowMs,
    after: (delayMs, callback) => {
      const event = scheduler.schedule(delayMs, 'timer', undefined, callback)
      return {
        cancel: () => scheduler.cancel(event),
      }
    },
    soon: (callback) => {
      scheduler.schedule(0, 'soon', undefined, callback)
    },
  }
}

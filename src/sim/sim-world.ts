/**
 * The world behind {@link createWorld}: makes the machines of a cluster, wires them to one scheduler and one network, and
 * keeps the faults that are in effect.
 * @module
 */
import { assert } from '../base/assert.ts'
import { AshlarError } from '../base/errors.ts'
import type { ClusterId, ServerId } from '../base/ids.ts'
import type { AshlarClient } from '../client/index.ts'
import type { Clock } from '../env/clock.ts'
import { type SeededRandom, seededRandom } from '../env/seeded-random.ts'
import { beginFault, type FaultGround } from './apply-fault.ts'
import { Buggify } from './buggify.ts'
import { Chronicle } from './chronicle.ts'
import { ClientProgram, type ClusterSecrets, MasterProgram, ServerProgram } from './programs.ts'
import { Scheduler } from './scheduler.ts'
import type { Fault, HostName } from './script.ts'
import { SimClock } from './sim-clock.ts'
import { SimDisk } from './sim-disk.ts'
import { type Program, SimHost } from './sim-host.ts'
import { SimNetwork } from './sim-network.ts'
import { SimWire } from './sim-wire.ts'
import type { World, WorldFacts, WorldOptions } from './world.ts'

/** Machines start within so long, faults aside. */
const startBoundMs = 120_000
/** Between two looks at whether all servers are registered, which cost more than most events. */
const bootLookMs = 0.5

export class SimWorld implements World {
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
    const { cluster, seed, chronicle = new Chronicle() } = options
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
    const serverDisks = () =>
      this.#servers.map((server) => ({ label: server.host.name, disk: server.host.disk.mount(undefined) }))
    const master = new MasterProgram(cluster, { secrets, serverDisks, chronicle })
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
      loseMasterDisk: () => this.#loseMasterDisk(),
    }
  }

  async boot(): Promise<void> {
    for (const host of this.#hosts()) host.start()
    await this.#startAll()
    let nextLookMs = 0
    const areKnown = () => {
      if (this.#scheduler.nowMs < nextLookMs) return false
      nextLookMs = this.#scheduler.nowMs + bootLookMs
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
    this.#tell(host, `${fault.kind} begins`, fault)
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

  replaceDisk(name: HostName): ServerId | undefined {
    const server = this.#servers.find(({ host }) => host.name === name)
    assert(server !== undefined, 'a chunk server')
    server.host.replaceDisk()
    this.#tell(name, 'gets an empty disk, and is another server from now on')
    return server.program.forgetDisk()
  }

  facts(): WorldFacts {
    const { host, program } = this.#master
    return {
      master: { state: host.state, master: program.master, kv: program.kv, generation: program.generation },
      servers: this.#servers.map((server) => ({
        name: server.host.name,
        state: server.host.state,
        store: server.program.store,
        serverId: server.program.serverId,
        domain: server.program.domain,
        setAside: server.program.setAside,
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

  #loseMasterDisk(): () => void {
    const { host, program } = this.#master
    const status = program.master?.backupStatus()
    if (host.state !== 'running' || status?.state !== 'current') return () => undefined
    // As its own clock has it, which may be slow.
    const lagMs = Math.max(promisedLagMs, status.lagMs) / Math.min(1, host.clock.rate)
    host.kill()
    program.loseDisk()
    this.#options.onLoss?.({ sinceMs: this.clock.monotonicMs() - lagMs, chunks: program.liveChunks() })
    return () => host.start()
  }

  async #startAll(): Promise<void> {
    await this.#reach('start every machine', () => this.#hosts().every(({ state }) => state === 'running'))
  }

  async #reach(doing: string, condition: () => boolean, boundMs = startBoundMs): Promise<void> {
    if (await this.runUntil(condition, boundMs)) return
    throw new AshlarError('timeout', `Cannot ${doing}: not done after ${boundMs} ms of virtual time`)
  }

  #newHost(name: string, program: Program, random: SeededRandom): SimHost {
    const { onLog } = this.#options
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
      onLog: onLog && ((line) => onLog({ ...line, atMs: this.clock.monotonicMs() })),
      tell: (host, what) => this.#tell(host, what),
      nextProcess: () => ++this.#processes,
    })
  }

  #tell(host: HostName, what: string, fault?: Fault): void {
    const line = { atMs: this.clock.monotonicMs(), host, what }
    this.#options.onStory?.(fault === undefined ? line : { ...line, fault })
  }
}

/** What the docs say that a lost disk of the master costs, while its backups are current. */
const promisedLagMs = 1_000
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

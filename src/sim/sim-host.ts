/**
 * One simulated machine: a clock, a disk, and one program that runs on it, dies, and is started again.
 *
 *     dead, off → starting → running ⇄ paused; any of them → dead (its process ended) or off (no power)
 *
 * A program that ends by itself, or cannot start, is started again a little later, as a supervisor does. Whoever ended
 * it starts it again.
 * @module
 */
import type { Clock } from '../env/clock.ts'
import type { Env } from '../env/env.ts'
import { inlineHashes } from '../env/hashes.ts'
import type { SeededRandom } from '../env/seeded-random.ts'
import type { Scheduler } from './scheduler.ts'
import type { SimClock } from './sim-clock.ts'
import type { SimDisk } from './sim-disk.ts'
import { type LogSink, simLog } from './sim-log.ts'
import type { SimNetwork } from './sim-network.ts'
import { SimProcess } from './sim-process.ts'
import type { HostState } from './world.ts'

/** What a machine runs. `started` is undefined until {@link Program.start} has resolved in this life. */
export interface Program {
  /** Boots it; resolves when it serves. `fail` ends the process at any later time. */
  start(env: Env, fail: (error: unknown) => void): Promise<void>
  /** The process is gone: forgets what it had, at once and without a word to it. */
  ended(): void
}

export interface HostParts {
  readonly scheduler: Scheduler
  readonly network: SimNetwork
  readonly random: SeededRandom
  readonly clock: SimClock
  readonly disk: SimDisk
  readonly buggify: (name: string) => boolean
  readonly onLog: LogSink | undefined
  readonly tell: (host: string, what: string) => void
  readonly nextProcess: () => number
}

const restartAfterMs = 1_000

export class SimHost {
  readonly name: string
  readonly disk: SimDisk
  readonly clock: SimClock
  readonly #parts: HostParts
  readonly #program: Program
  #process: SimProcess | undefined
  #isRunning = false
  #hasPower = true
  #lives = 0

  constructor(name: string, program: Program, parts: HostParts) {
    this.name = name
    this.disk = parts.disk
    this.clock = parts.clock
    this.#program = program
    this.#parts = parts
  }

  get state(): HostState {
    if (!this.#hasPower) return 'off'
    if (this.#process === undefined) return 'dead'
    if (this.#process.state === 'paused') return 'paused'
    return this.#isRunning ? 'running' : 'starting'
  }

  /** Gives it power and starts its program. Does nothing when it runs, or starts. */
  start(): void {
    const { scheduler, network, random } = this.#parts
    if (!this.#hasPower) {
      this.#hasPower = true
      network.powerBack(this.name)
    }
    if (this.#process !== undefined) return
    this.#lives++
    const owner = new SimProcess(scheduler, {
      index: this.#parts.nextProcess(),
      host: this.name,
      random: random.stream(`life ${this.#lives}`),
    })
    this.#process = owner
    const fail = (error: unknown) => this.#failed(owner, error)
    scheduler.schedule(0, 'fault', owner, () => {
      this.#program.start(this.#env(owner), fail).then(() => {
        this.#isRunning = true
        this.#parts.tell(this.name, 'runs')
      }, fail)
    })
  }

  /** SIGKILL. */
  kill(): void {
    const owner = this.#end()
    if (owner !== undefined) this.#parts.network.processEnded(owner)
    this.disk.endProcesses()
  }

  losePower(): void {
    const owner = this.#end()
    if (owner !== undefined) this.#parts.network.powerLost(owner)
    else this.#parts.network.hostOff(this.name)
    this.#hasPower = false
    this.disk.losePower()
  }

  /** Ends its program, and gives it an empty disk. */
  replaceDisk(): void {
    this.kill()
    this.disk.replace()
  }

  pause(): void {
    this.#process?.pause()
  }

  resume(): void {
    this.#process?.resume()
  }

  #end(): SimProcess | undefined {
    const owner = this.#process
    if (owner === undefined) return undefined
    owner.end()
    this.#process = undefined
    this.#isRunning = false
    this.#program.ended()
    return owner
  }

  /** By itself: outside of the event in which it said so. */
  #failed(owner: SimProcess, error: unknown): void {
    const { scheduler, tell, random } = this.#parts
    scheduler.schedule(0, 'fault', undefined, () => {
      if (this.#process !== owner) return
      tell(this.name, `ends by itself: ${error instanceof Error ? error.message : String(error)}`)
      this.kill()
      const life = this.#lives
      scheduler.schedule(restartAfterMs * (0.5 + random.fraction()), 'fault', undefined, () => {
        if (this.#lives === life && this.#hasPower) this.start()
      })
    })
  }

  #env(owner: SimProcess): Env {
    const { network, buggify, onLog, scheduler } = this.#parts
    const clock: Clock = this.clock.of(owner)
    const log = simLog({ host: this.name, scheduler, sink: onLog })
    return {
      clock,
      random: owner.random,
      disk: this.disk.mount(owner),
      network: network.at(owner, { clock, log }),
      hashes: inlineHashes,
      log,
      buggify,
    }
  }
}

/**
 * Simulated machines for tests whose own code runs in real time: virtual time goes on in the background, a little with
 * every turn of the event loop, until {@link BackgroundRig.stop}.
 * @module
 */

import type { Clock } from '../../src/env/clock.ts'
import type { Network } from '../../src/env/network.ts'
import { silentLog } from '../../src/env/node-log.ts'
import { seededRandom } from '../../src/env/seeded-random.ts'
import { Scheduler } from '../../src/sim/scheduler.ts'
import { SimClock } from '../../src/sim/sim-clock.ts'
import { SimDisk } from '../../src/sim/sim-disk.ts'
import { SimNetwork } from '../../src/sim/sim-network.ts'
import { SimProcess } from '../../src/sim/sim-process.ts'
import { SimWire } from '../../src/sim/sim-wire.ts'

const stepMs = 0.5

export interface RigHost {
  readonly process: SimProcess
  readonly machineClock: SimClock
  readonly clock: Clock
  readonly network: Network
  readonly disk: SimDisk
}

export class BackgroundRig {
  readonly scheduler: Scheduler
  readonly wire: SimWire
  readonly network: SimNetwork
  readonly #seed: number
  #hosts = 0
  #isStopped = false
  #running: Promise<void> = Promise.resolve()

  constructor(seed = 1) {
    this.#seed = seed
    const random = seededRandom(seed)
    this.scheduler = new Scheduler(random.stream('ties'))
    this.wire = new SimWire(this.scheduler, { random: random.stream('network'), delayMs: 0.2 })
    this.network = new SimNetwork(this.wire)
  }

  /** A machine with one process. */
  host(name: string): RigHost {
    const random = seededRandom(this.#seed).stream(name)
    const process = new SimProcess(this.scheduler, { index: ++this.#hosts, host: name, random })
    const machineClock = new SimClock(this.scheduler, { rate: 1, uptimeMs: 1000, wallOffsetMs: 0 })
    const clock = machineClock.of(process)
    const disk = new SimDisk(this.scheduler, {
      random: random.stream('disk'),
      syncMs: 1,
      device: this.#hosts,
      wallMs: () => machineClock.wallMs(),
    })
    return { process, machineClock, clock, disk, network: this.network.at(process, { clock, log: silentLog }) }
  }

  start(): this {
    this.#running = this.#run()
    return this
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#running
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      await this.scheduler.run(this.scheduler.nowMs + stepMs)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
}

/**
 * One life of a program on a simulated machine. After its end nothing of it runs: its timers, callbacks and promises stay
 * where they are. While it is stopped its events wait, and run in order when it goes on.
 *
 *     running ⇄ paused; running, paused → dead
 * @module
 */
import type { Random } from '../env/random.ts'
import type { Scheduler } from './scheduler.ts'
import type { EventOwner, SimEvent } from './sim-event.ts'

export class SimProcess implements EventOwner {
  readonly index: number
  readonly host: string
  /** Draws what happens inside it. */
  readonly random: Random
  readonly #scheduler: Scheduler
  #state: 'running' | 'paused' | 'dead' = 'running'
  #postponed: SimEvent[] = []

  constructor(scheduler: Scheduler, { index, host, random }: Pick<SimProcess, 'index' | 'host' | 'random'>) {
    this.#scheduler = scheduler
    this.index = index
    this.host = host
    this.random = random
  }

  get state(): 'running' | 'paused' | 'dead' {
    return this.#state
  }

  postpone(event: SimEvent): void {
    this.#postponed.push(event)
  }

  pause(): void {
    if (this.#state === 'running') this.#state = 'paused'
  }

  resume(): void {
    if (this.#state !== 'paused') return
    this.#state = 'running'
    const postponed = this.#postponed
    this.#postponed = []
    for (const event of postponed) this.#scheduler.putBack(event)
  }

  end(): void {
    this.#state = 'dead'
    this.#postponed = []
  }

  /** Runs `callback` as part of the present event, or when the process goes on; never, when it is dead. */
  enter(callback: () => void): void {
    if (this.#state === 'running') callback()
    else if (this.#state === 'paused') this.#scheduler.schedule(0, 'resumed', this, callback)
  }
}

/**
 * Events: what this master decided and what happened, told by whoever decides, written to the metadata in order.
 *
 * Telling takes no time and cannot fail: events wait in a bounded queue until the next step writes them, in one transaction. What
 * comes many times (chunks deleted, replicas copied) is told together. An event says what has happened: it is told after the
 * decision is durable, and a crash in between loses the event, never the decision.
 * @module
 */
import { limits } from '../base/limits.ts'
import type { Clock } from '../env/clock.ts'
import type { Leader } from '../namespace/namespace.ts'
import type { ClusterEvent, NewEvent } from '../wire/types/cluster-event.ts'
import type { StepResult } from './worker.ts'

type Queued = Omit<ClusterEvent, 'number'>

interface Gathered {
  count: number
  readonly tell: (count: number) => NewEvent
}

/** What comes many times is told at most so often. */
const gatherMs = 5_000

export class EventLog {
  readonly #leader: Pick<Leader, 'appendEvents'>
  readonly #clock: Clock
  readonly #queue: Queued[] = []
  readonly #gathered = new Map<string, Gathered>()
  #toldMs = Number.NEGATIVE_INFINITY
  #lost = 0
  #waiting = Promise.withResolvers<void>()
  /** Set by the owner: something waits to be written. */
  onTold: () => void = () => undefined

  constructor({ leader, clock }: { readonly leader: Pick<Leader, 'appendEvents'>; readonly clock: Clock }) {
    this.#leader = leader
    this.#clock = clock
  }

  tell(event: NewEvent): void {
    if (this.#queue.length >= limits.eventsQueued) {
      this.#lost++
      return
    }
    this.#queue.push({ ...event, atMs: Math.floor(this.#clock.wallMs()) })
    this.onTold()
  }

  /** Adds to what is told together with others of the same `name`. */
  gather(name: string, count: number, tell: (count: number) => NewEvent): void {
    if (count === 0) return
    const known = this.#gathered.get(name)
    if (known !== undefined) known.count += count
    else if (this.#gathered.size < limits.eventsQueued) this.#gathered.set(name, { count, tell })
  }

  /** Resolves when events were written after this call. */
  written(): Promise<void> {
    return this.#waiting.promise
  }

  async step(): Promise<StepResult> {
    if (this.#clock.monotonicMs() - this.#toldMs >= gatherMs) this.#tellGathered()
    await this.#write()
    return this.#queue.length > 0 ? 'more' : 'idle'
  }

  /** Writes what is known. */
  async flush(): Promise<void> {
    this.#tellGathered()
    while (this.#queue.length > 0) await this.#write()
  }

  #tellGathered(): void {
    if (this.#gathered.size === 0) return
    this.#toldMs = this.#clock.monotonicMs()
    const gathered = [...this.#gathered.values()]
    this.#gathered.clear()
    for (const { count, tell } of gathered) this.tell(tell(count))
  }

  async #write(): Promise<void> {
    if (this.#lost > 0 && this.#queue.length < limits.eventsQueued) {
      const count = this.#lost
      this.#lost = 0
      this.tell({ kind: 'events-lost', what: `${count} events were not written down`, count })
    }
    const some = this.#queue.slice(0, limits.eventsPerAnswer)
    if (some.length === 0) return
    await this.#leader.appendEvents(some)
    this.#queue.splice(0, some.length)
    this.#waiting.resolve()
    this.#waiting = Promise.withResolvers<void>()
  }
}

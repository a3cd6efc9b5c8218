/**
 * Virtual time: a queue of events, ordered by time and then by a seeded draw, of which one after the other runs in a turn
 * of its own. Between two events every promise that the first one settled has run its course, so nothing depends on real
 * time, and time costs nothing while nothing happens.
 *
 * Invariant: the order of events, and so everything, is a function of the seed and of what the events do.
 * Each event that runs goes into the trace hash with its time, its owner and its kind.
 * @module
 */
import { assert } from '../base/assert.ts'
import type { Random } from '../env/random.ts'
import { runTurns } from '../env/turns.ts'
import { EventHeap } from './event-heap.ts'
import type { EventKind, EventOwner, SimEvent } from './sim-event.ts'
import { TraceHash } from './trace-hash.ts'

const kinds: readonly EventKind[] = ['timer', 'soon', 'arrival', 'sent', 'dial', 'disk', 'fault', 'resumed']
const kindNumbers = new Map(kinds.map((kind, index) => [kind, index]))

export class Scheduler {
  readonly trace = new TraceHash()
  readonly #heap = new EventHeap()
  readonly #random: Random
  #nowMs = 0
  #sequence = 0
  #events = 0
  #putBacks = 0
  #cancelled = 0
  #isRunning = false

  constructor(random: Random) {
    this.#random = random
  }

  get nowMs(): number {
    return this.#nowMs
  }

  /** Run so far. */
  get events(): number {
    return this.#events
  }

  /** @param owner undefined: the world itself, which never dies */
  schedule(delayMs: number, kind: EventKind, owner: EventOwner | undefined, callback: () => void): SimEvent {
    assert(delayMs >= 0, `a delay of ${delayMs} ms`)
    const tie = this.#random.fraction()
    const event = { atMs: this.#nowMs + delayMs, tie, sequence: this.#sequence++, kind, owner, callback }
    this.#heap.push(event)
    return event
  }

  /** Its callback will not run. Idempotent. */
  cancel(event: SimEvent): void {
    if (event.callback === undefined) return
    event.callback = undefined
    // Most timers are deadlines that are never reached: they must not pile up.
    if (++this.#cancelled > 64 && 2 * this.#cancelled > this.#heap.size) {
      this.#heap.dropCancelled()
      this.#cancelled = 0
    }
  }

  /** Puts a postponed event back: it runs now, after those that were put back before it. */
  putBack(event: SimEvent): void {
    event.atMs = this.#nowMs
    event.tie = -1 / ++this.#putBacks
    this.#heap.push(event)
  }

  /**
   * Runs events until `isDone`, asked before each of them, or until `untilMs`, to which time then moves.
   * @returns whether `isDone` held
   * @throws what an event throws: in a process of its own it would have ended it
   */
  async run(untilMs: number, isDone: () => boolean = () => false): Promise<boolean> {
    assert(!this.#isRunning, 'the world runs already: one runFor, runUntil or runWhile at a time')
    this.#isRunning = true
    let held = false
    try {
      await runTurns(() => {
        if (isDone()) {
          held = true
          return false
        }
        if (this.#step(untilMs)) return true
        this.#nowMs = Math.max(this.#nowMs, untilMs)
        return false
      })
    } finally {
      this.#isRunning = false
    }
    return held
  }

  /** Forgets all events. */
  clear(): void {
    this.#heap.clear()
  }

  /** @returns false: nothing is left to run until then */
  #step(untilMs: number): boolean {
    for (let event = this.#heap.first; event !== undefined && event.atMs <= untilMs; event = this.#heap.first) {
      this.#heap.pop()
      const { callback, owner } = event
      if (callback === undefined || owner?.state === 'dead') continue
      if (owner?.state === 'paused') {
        owner.postpone(event)
        continue
      }
      this.#nowMs = event.atMs
      this.#events++
      this.trace.number(event.atMs)
      this.trace.integer(((owner?.index ?? 0) << 8) | (kindNumbers.get(event.kind) as number))
      event.callback = undefined
      callback()
      return true
    }
    return false
  }
}

/**
 * The clocks of one machine. Both run at the machine's own rate, which a fault may change; the wall clock may be wrong and
 * jump. Monotonic time never goes back, over restarts included.
 *
 * Timers belong to a process and die with it. A timer never fires early by the machine's own clock; after its rate went up
 * it may fire late, as on a busy machine.
 * @module
 */
import type { Clock, Timer } from '../env/clock.ts'
import type { Scheduler } from './scheduler.ts'
import type { SimEvent } from './sim-event.ts'
import type { SimProcess } from './sim-process.ts'

/** Virtual time 0, for people: 2030-01-01. */
const wallStartMs = 1_893_456_000_000
/** Shorter rests of a timer are errors of rounding. */
const roundingMs = 1e-6
/** What one callback of `soon` takes of a process's time, at most. */
const turnMs = 0.01

export class SimClock {
  readonly #scheduler: Scheduler
  /** Local time at `#sinceMs` of true time. */
  #localMs: number
  #sinceMs = 0
  #rate: number
  #wallOffsetMs: number

  constructor(
    scheduler: Scheduler,
    {
      rate,
      uptimeMs,
      wallOffsetMs,
    }: { readonly rate: number; readonly uptimeMs: number; readonly wallOffsetMs: number },
  ) {
    this.#scheduler = scheduler
    this.#rate = rate
    this.#localMs = uptimeMs
    this.#wallOffsetMs = wallStartMs + wallOffsetMs - uptimeMs
  }

  get rate(): number {
    return this.#rate
  }

  setRate(rate: number): void {
    this.#localMs = this.monotonicMs()
    this.#sinceMs = this.#scheduler.nowMs
    this.#rate = rate
  }

  jump(jumpMs: number): void {
    this.#wallOffsetMs += jumpMs
  }

  monotonicMs(): number {
    return this.#localMs + (this.#scheduler.nowMs - this.#sinceMs) * this.#rate
  }

  wallMs(): number {
    return Math.floor(this.#wallOffsetMs + this.monotonicMs())
  }

  /** The clock as one process sees it. */
  of(owner: SimProcess): Clock {
    let soonMs = 0
    return {
      monotonicMs: () => this.monotonicMs(),
      wallMs: () => this.wallMs(),
      after: (delayMs, callback) => this.#after(owner, delayMs, callback),
      soon: (callback) => {
        // In the order of their calling, each a little later than the one before.
        soonMs = Math.max(soonMs, this.#scheduler.nowMs) + owner.random.fraction() * turnMs
        this.#scheduler.schedule(soonMs - this.#scheduler.nowMs, 'soon', owner, callback)
      },
    }
  }

  /** By an error of rounding: else who waits for a moment would be woken before it, and set a timer too short to be one, for ever. */
  #advanceTo(localMs: number): void {
    this.#localMs = localMs
    this.#sinceMs = this.#scheduler.nowMs
  }

  #after(owner: SimProcess, delayMs: number, callback: () => void): Timer {
    const dueMs = this.monotonicMs() + delayMs
    let event: SimEvent
    const arm = (restMs: number) => {
      event = this.#scheduler.schedule(restMs / this.#rate, 'timer', owner, onTime)
    }
    const onTime = () => {
      const restMs = dueMs - this.monotonicMs()
      if (restMs > roundingMs) {
        arm(restMs)
        return
      }
      if (restMs > 0) this.#advanceTo(dueMs)
      callback()
    }
    arm(delayMs)
    return {
      cancel: () => this.#scheduler.cancel(event),
    }
  }
}

/**
 * One timer for many deadlines: it is set for the earliest of them only. A call under way costs no timer of its own;
 * when the timer fires, the owner goes through its calls.
 * @module
 */
import type { Clock, Timer } from '../env/clock.ts'

export class DeadlineTimer {
  readonly #clock: Clock
  readonly #expire: (nowMs: number) => number
  #timer: Timer | undefined
  #firesAtMs = Number.POSITIVE_INFINITY

  /** @param expire ends all that is due at `nowMs`; returns the earliest deadline left, or infinity */
  constructor(clock: Clock, expire: (nowMs: number) => number) {
    this.#clock = clock
    this.#expire = expire
  }

  /** Makes sure that `expire` runs soon after `deadlineMs` (monotonic). */
  include(deadlineMs: number): void {
    if (deadlineMs >= this.#firesAtMs) return
    this.#timer?.cancel()
    this.#firesAtMs = deadlineMs
    const delayMs = Math.max(0, deadlineMs - this.#clock.monotonicMs())
    this.#timer = this.#clock.after(delayMs, () => this.#fire(), { background: true })
  }

  cancel(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#firesAtMs = Number.POSITIVE_INFINITY
  }

  #fire(): void {
    this.#timer = undefined
    this.#firesAtMs = Number.POSITIVE_INFINITY
    const nextMs = this.#expire(this.#clock.monotonicMs())
    if (nextMs !== Number.POSITIVE_INFINITY) this.include(nextMs)
  }
}

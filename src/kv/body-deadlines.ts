/**
 * Gives up transaction bodies that take too long, where many run at the same time: one timer for all of them, since nearly
 * none is ever late.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import type { Clock } from '../env/clock.ts'

interface Running {
  readonly dueMs: number
  readonly giveUp: (error: AshlarError) => void
  isOver: boolean
}

export class BodyDeadlines {
  readonly #clock: Clock
  readonly #timeoutMs: number
  /** In the order of their deadlines; those that are over wait for the timer to be dropped. */
  #running: Running[] = []
  #isArmed = false

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock
    this.#timeoutMs = timeoutMs
  }

  /** As `work`, or rejects with `timeout` (applied: no); the body may go on after that: the caller ends its transaction. */
  within<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const running: Running = {
        dueMs: this.#clock.monotonicMs() + this.#timeoutMs,
        giveUp: reject,
        isOver: false,
      }
      this.#running.push(running)
      if (!this.#isArmed) this.#arm(this.#timeoutMs)
      work.then(
        (value) => {
          running.isOver = true
          resolve(value)
        },
        (error: unknown) => {
          running.isOver = true
          reject(error)
        },
      )
    })
  }

  #arm(delayMs: number): void {
    this.#isArmed = true
    this.#clock.after(delayMs, () => this.#check(), { background: true })
  }

  #check(): void {
    this.#isArmed = false
    const nowMs = this.#clock.monotonicMs()
    this.#running = this.#running.filter((running) => {
      if (running.isOver) return false
      if (running.dueMs > nowMs) return true
      running.giveUp(
        new AshlarError('timeout', `Cannot finish the body of a transaction: it took over ${this.#timeoutMs} ms`, {
          applied: 'no',
        }),
      )
      return false
    })
    const [next] = this.#running
    if (next !== undefined) this.#arm(Math.max(1, next.dueMs - nowMs))
  }
}

/**
 * Runs transaction bodies one at a time and gives up one that takes too long, so that a body which awaits something
 * other than its transaction cannot hold up all others for ever. One timer a batch, none a body.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import type { Clock, Timer } from '../env/clock.ts'
import type { Outcome } from './pending-transaction.ts'
import type { Transaction } from './txn-kv.ts'

export class BodyDeadline {
  readonly #clock: Clock
  readonly #timeoutMs: number
  #startedMs = 0
  #finish: ((outcome: Outcome) => void) | undefined
  #timer: Timer | undefined

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock
    this.#timeoutMs = timeoutMs
  }

  /** Before the first body of a batch; {@link disarm} after the last. */
  arm(): void {
    this.#timer = this.#clock.after(this.#timeoutMs, () => this.#check())
  }

  disarm(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  /** Never rejects; `timeout` is an outcome. The body may go on after that: the caller ends its transaction. */
  run(body: (tx: Transaction) => Promise<unknown>, tx: Transaction): Promise<Outcome> {
    this.#startedMs = this.#clock.monotonicMs()
    return new Promise<Outcome>((finish) => {
      this.#finish = finish
      try {
        body(tx).then(
          (value) => finish({ value }),
          (error: unknown) => finish({ error }),
        )
      } catch (error) {
        finish({ error })
      }
    })
  }

  #check(): void {
    const leftMs = this.#startedMs + this.#timeoutMs - this.#clock.monotonicMs()
    if (leftMs > 0) {
      this.#timer = this.#clock.after(leftMs, () => this.#check())
      return
    }
    const error = new AshlarError('timeout', `Cannot finish a transaction: its body took over ${this.#timeoutMs} ms`, {
      applied: 'no',
    })
    this.#finish?.({ error })
    this.#timer = this.#clock.after(this.#timeoutMs, () => this.#check())
  }
}

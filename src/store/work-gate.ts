/**
 * What may begin in a store, and what `close` waits for. Reads only ask whether it is open; a change also asks the fence, and counts as
 * under way until it ends.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import type { Fence } from './fence.ts'

export class WorkGate {
  readonly #fence: Fence
  #underWay = 0
  #onIdle: (() => void) | undefined
  #isClosed = false

  constructor(fence: Fence) {
    this.#fence = fence
  }

  /** Runs one change; {@link close} waits for it. */
  async change<T>(work: () => Promise<T>): Promise<T> {
    this.begin()
    try {
      return await work()
    } finally {
      this.end()
    }
  }

  /** {@link change} for who has no promise to spare: `end` belongs to each, whatever happens. */
  begin(): void {
    this.checkServing()
    this.#underWay++
  }

  end(): void {
    this.#underWay--
    if (this.#underWay === 0) this.#onIdle?.()
  }

  /** @throws {AshlarError} `closed`; `disk-failed` — it is fenced */
  checkServing(): void {
    this.checkOpen()
    this.#fence.check()
  }

  /** @throws {AshlarError} `closed` */
  checkOpen(): void {
    if (this.#isClosed) throw new AshlarError('closed', 'Cannot use store: it was closed')
  }

  /** Lets nothing more begin. Resolves when no change is under way. Called once. */
  async close(): Promise<void> {
    this.#isClosed = true
    if (this.#underWay > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve))
  }
}

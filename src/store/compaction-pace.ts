/**
 * How much of a store's time compaction takes. While there is room for much more, dead bytes hurt nobody, so it works a
 * tenth of the time: in one go it would hold the thread and the index for a second per 30,000 dead records, just when a
 * client writes the next ones. Hurried, it works all the time.
 * @module
 */
import type { Clock } from '../env/clock.ts'
import { sleep } from '../env/waiting.ts'

const restFactor = 9
const longestRestMs = 1_000

export class CompactionPace {
  readonly #clock: Clock
  readonly #mayRest: () => boolean
  readonly #hurried = new AbortController()
  #workingSinceMs: number

  /** @param mayRest asked before each rest */
  constructor(clock: Clock, mayRest: () => boolean) {
    this.#clock = clock
    this.#mayRest = mayRest
    this.#workingSinceMs = clock.monotonicMs()
  }

  /** To be called after each batch of records, with nothing locked. */
  async rest(): Promise<void> {
    if (!this.#hurried.signal.aborted && this.#mayRest()) {
      const workedMs = this.#clock.monotonicMs() - this.#workingSinceMs
      // Rejects when somebody is in a hurry: then there is no more rest.
      await sleep(this.#clock, Math.min(restFactor * workedMs, longestRestMs), this.#hurried.signal).catch(
        () => undefined,
      )
    }
    this.#workingSinceMs = this.#clock.monotonicMs()
  }

  /** Ends the rest under way, and all later ones. */
  hurry(): void {
    this.#hurried.abort()
  }
}

/**
 * How much of a store's time compaction takes. Dead bytes hurt nobody while there is room for much more, so it rests as many times
 * as long as it works as all segments would fit into what is free: it hurries by itself as dead bytes pile up. In one go it would
 * hold the thread and the index for a second per 30,000 dead records, just when a client writes the next ones; working a tenth of
 * the time it cost each file that was made beside it 100 µs on three chunk servers. Hurried, it works all the time.
 * @module
 */
import type { Clock } from '../env/clock.ts'
import { sleep } from '../env/waiting.ts'

/** So many times the bytes of all segments must be free for compaction to rest at all. */
export const roomyFactor = 4
/** However much is free: what is dead shall go one day. */
const mostRest = 49
const longestRestMs = 3_000

export class CompactionPace {
  readonly #clock: Clock
  readonly #roominess: () => number
  readonly #hurried = new AbortController()
  #workingSinceMs: number

  /** @param roominess how many times all segments would fit into what is free; asked before each rest */
  constructor(clock: Clock, roominess: () => number) {
    this.#clock = clock
    this.#roominess = roominess
    this.#workingSinceMs = clock.monotonicMs()
  }

  /** To be called after each batch of records, with nothing locked. */
  async rest(): Promise<void> {
    const roominess = this.#roominess()
    if (!this.#hurried.signal.aborted && roominess > roomyFactor) {
      const workedMs = this.#clock.monotonicMs() - this.#workingSinceMs
      const restMs = Math.min(Math.min(roominess, mostRest) * workedMs, longestRestMs)
      // Rejects when somebody is in a hurry: then there is no more rest.
      await sleep(this.#clock, restMs, this.#hurried.signal).catch(() => undefined)
    }
    this.#workingSinceMs = this.#clock.monotonicMs()
  }

  /** Ends the rest under way, and all later ones. */
  hurry(): void {
    this.#hurried.abort()
  }
}

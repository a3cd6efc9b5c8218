/**
 * Cluster time: milliseconds that only the leader advances, by its own monotonic clock. All expiry uses it.
 *
 * The store holds a time that will not be passed before it is written again (*ahead*), and a new leader begins there: so
 * time never goes back, whatever the clocks of two leaders say, and jumps forward at most `aheadMs` with each of them.
 * When the store does not take the next mark in time the clock stands still: nothing expires that should not.
 * @module
 */
import { limits } from '../base/limits.ts'
import { type Rising, rising } from '../base/rising.ts'
import type { Clock } from '../env/clock.ts'

const aheadMs = limits.clusterTimeAheadMs

export interface ClusterTimeOptions {
  readonly clock: Clock
  readonly generation: number
  /** What the store holds. */
  readonly startMs: number
  /** Makes a new mark durable. */
  readonly persist: (timeMs: number) => Promise<void>
}

export class ClusterTime {
  readonly #options: ClusterTimeOptions
  readonly #startedMs: number
  #markMs: number

  constructor(options: ClusterTimeOptions) {
    this.#options = options
    this.#startedMs = options.clock.monotonicMs()
    this.#markMs = options.startMs
  }

  now(): Rising {
    return rising(this.#options.generation, Math.min(this.#advancedMs(), this.#markMs))
  }

  /** Moves the mark when less than half of what lies ahead is left. Call it at least every `aheadMs / 4`. */
  async keepAhead(): Promise<void> {
    const nowMs = this.#advancedMs()
    if (this.#markMs - nowMs > aheadMs / 2) return
    await this.#options.persist(nowMs + aheadMs)
    this.#markMs = nowMs + aheadMs
  }

  #advancedMs(): number {
    return Math.floor(this.#options.startMs + this.#options.clock.monotonicMs() - this.#startedMs)
  }
}

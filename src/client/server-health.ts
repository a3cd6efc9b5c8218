/**
 * How well one chunk server answers this client: moving averages of its latency and how much that varies, after
 * RFC 6298, and a pause after failures. Reads go to the server with the lowest score; hedges start where an answer is
 * later than almost all were.
 * @module
 */
import type { Clock } from '../env/clock.ts'

const latencyWeight = 1 / 8
const deviationWeight = 1 / 4
/** Mean plus four deviations: about the 95th percentile of what was seen, or later. */
const deviationsLate = 4
const firstLatencyMs = 5
const leastHedgeMs = 50
const mostHedgeMs = 2_000
const firstPenaltyMs = 500
const longestPenaltyMs = 10_000

export class ServerHealth {
  readonly #clock: Clock
  #latencyMs = firstLatencyMs
  #deviationMs = firstLatencyMs
  #inFlight = 0
  #failures = 0
  #avoidUntilMs = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Lower is better: what the next request is likely to wait. */
  get score(): number {
    return this.#latencyMs * (1 + this.#inFlight)
  }

  /** Failed just now: the last choice, but still one. */
  get isFailing(): boolean {
    return this.#failures > 0 && this.#clock.monotonicMs() < this.#avoidUntilMs
  }

  /** After so long without an answer, another server is asked too. */
  get hedgeAfterMs(): number {
    return Math.min(mostHedgeMs, Math.max(leastHedgeMs, this.#latencyMs + deviationsLate * this.#deviationMs))
  }

  started(): void {
    this.#inFlight++
  }

  /** Ends what {@link started} began, without a verdict. */
  ended(): void {
    this.#inFlight--
  }

  answered(latencyMs: number): void {
    this.#failures = 0
    const error = latencyMs - this.#latencyMs
    this.#latencyMs += latencyWeight * error
    this.#deviationMs += deviationWeight * (Math.abs(error) - this.#deviationMs)
  }

  /** No answer when a hedge was due: it is at least that slow, which its answer may tell only much later. */
  late(): void {
    this.#latencyMs = Math.max(this.#latencyMs, this.hedgeAfterMs)
  }

  failed(): void {
    const penaltyMs = Math.min(longestPenaltyMs, firstPenaltyMs * 2 ** Math.min(this.#failures, 10))
    this.#failures++
    this.#avoidUntilMs = this.#clock.monotonicMs() + penaltyMs
  }
}

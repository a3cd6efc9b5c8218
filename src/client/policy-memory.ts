/**
 * Which policy a directory had when this client last wrote below it, for a few seconds: so that ids in hand are used
 * only where they fit. The master judges each commit, so a stale memory costs a refusal, never a wrong policy.
 * @module
 */
import { RecentMap } from '../base/recent-map.ts'
import type { Clock } from '../env/clock.ts'

const keptMs = 10_000
const directoriesKept = 1_024

export class PolicyMemory {
  readonly #clock: Clock
  readonly #known = new RecentMap<string, { readonly policy: string; readonly untilMs: number }>(directoriesKept)

  constructor(clock: Clock) {
    this.#clock = clock
  }

  of(directory: string): string | undefined {
    const entry = this.#known.get(directory)
    return entry !== undefined && this.#clock.monotonicMs() < entry.untilMs ? entry.policy : undefined
  }

  learn(directory: string, policy: string): void {
    this.#known.set(directory, { policy, untilMs: this.#clock.monotonicMs() + keptMs })
  }
}

/**
 * Which sites of `env.buggify` misbehave in a run, and when: each is armed in one run of four, and an armed one strikes
 * one time in four. Every site draws from a stream of its own, so that a new site changes nothing in the others.
 * @module
 */
import type { SeededRandom } from '../env/seeded-random.ts'

const armedChance = 0.25
const strikeChance = 0.25

export class Buggify {
  readonly #random: SeededRandom
  /** Of armed sites; null: not armed. */
  readonly #sites = new Map<string, SeededRandom | null>()
  #enabled: boolean

  constructor(random: SeededRandom, { enabled }: { readonly enabled: boolean }) {
    this.#random = random
    this.#enabled = enabled
  }

  happens(site: string): boolean {
    if (!this.#enabled) return false
    let stream = this.#sites.get(site)
    if (stream === undefined) {
      const drawn = this.#random.stream(site)
      stream = drawn.fraction() < armedChance ? drawn : null
      this.#sites.set(site, stream)
    }
    return stream !== null && stream.fraction() < strikeChance
  }

  /** For good. */
  stop(): void {
    this.#enabled = false
  }
}

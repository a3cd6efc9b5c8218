/** Randomness: cryptographic in production, seeded in simulation. @module */

export interface Random {
  /** A fresh buffer of `length` random bytes, fit for ids, nonces and keys. */
  bytes(length: number): Buffer
  /** Uniform in [0, 1). */
  fraction(): number
  /** A uniform integer in [0, `bound`). */
  below(bound: number): number
  /** One of `items`, with the chances that `weightOf` gives; all weights zero: uniform. `items` is not empty. */
  weighted<T>(items: readonly T[], weightOf: (item: T) => number): T
  /** `items` in random order: a new array. */
  shuffled<T>(items: readonly T[]): T[]
}

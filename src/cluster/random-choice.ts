/**
 * The randomness that planners draw on, as an argument: the same snapshot and the same draws give the same plan.
 * `Random` of `env` is one; this folder is pure and does not import it.
 * @module
 */

export interface RandomChoice {
  /** A uniform integer in [0, `bound`). */
  below(bound: number): number
  /** One of `items`, with the chances that `weightOf` gives; all weights zero: uniform. `items` is not empty. */
  weighted<T>(items: readonly T[], weightOf: (item: T) => number): T
  /** `items` in random order: a new array. */
  shuffled<T>(items: readonly T[]): T[]
}

/**
 * What every {@link Random} does the same way, whatever its source: turns raw 32-bit numbers into fractions,
 * integers, weighted choices and shuffles, without bias that could be noticed.
 * @module
 */
import { assert } from '../base/assert.ts'
import type { Random } from './random.ts'

export interface RandomSource {
  /** Uniform in [0, 2^32). */
  uint32(): number
  bytes(length: number): Buffer
}

export function randomFrom(source: RandomSource): Random {
  /** 53 bits, as many as a number holds. */
  const fraction = () => ((source.uint32() >>> 5) * 2 ** 26 + (source.uint32() >>> 6)) / 2 ** 53

  const below = (bound: number) => {
    assert(Number.isSafeInteger(bound) && bound >= 1, `no integer is in [0, ${bound})`)
    return Math.floor(fraction() * bound)
  }

  const weighted = <T>(items: readonly T[], weightOf: (item: T) => number): T => {
    assert(items.length > 0, 'nothing to choose from')
    const weights = items.map(weightOf)
    const total = weights.reduce((sum, weight) => {
      assert(weight >= 0 && Number.isFinite(weight), `a weight of ${weight}`)
      return sum + weight
    }, 0)
    if (total === 0) return items[below(items.length)] as T
    let rest = fraction() * total
    for (const [index, weight] of weights.entries()) {
      if (rest < weight) return items[index] as T
      rest -= weight
    }
    // Rounding can leave a last crumb of `rest`: it belongs to the last item that has a chance at all.
    return items[weights.findLastIndex((weight) => weight > 0)] as T
  }

  const shuffled = <T>(items: readonly T[]): T[] => {
    const result = [...items]
    for (let end = result.length; end > 1; end--) {
      const chosen = below(end)
      const last = result[end - 1] as T
      result[end - 1] = result[chosen] as T
      result[chosen] = last
    }
    return result
  }

  return { bytes: (length) => source.bytes(length), fraction, below, weighted, shuffled }
}

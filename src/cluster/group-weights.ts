/**
 * Weights for a draw among sets of servers, so that each server is drawn as often as its amount (free bytes) asks for.
 *
 * Each server has a target: its part of the sum, times the size of a set, at most 1 (what is cut off there goes to the
 * others, by water-filling). A set weighs the product of one factor per member; the factors are fitted by generalized
 * iterative scaling until drawing by these weights meets the targets as well as the sets allow.
 * Weighting each set by itself (say, by its fullest member) does not do: small servers would fill long before large ones.
 * @see Darroch and Ratcliff, "Generalized Iterative Scaling for Log-Linear Models", 1972
 * @module
 */
import type { ServerId } from '../base/ids.ts'
import type { RandomChoice } from './random-choice.ts'

/** Past this many sets a random sample of them is drawn from, and one round of fitting must do: about 1 ms. */
const fittedSets = 512
const fittingRounds = 24

export interface WeightInput {
  /** Of one size each, distinct members. */
  readonly sets: readonly (readonly ServerId[])[]
  /** At least 0. */
  readonly amountOf: (id: ServerId) => number
}

export interface SetWeight {
  /** Of the set, in `sets`. */
  readonly index: number
  readonly weight: number
}

/** @returns the sets to draw from, with their weights; none when there are no sets */
export function fitWeights({ sets, amountOf }: WeightInput, random: RandomChoice): readonly SetWeight[] {
  const indexes = sets.length <= fittedSets ? [...sets.keys()] : sampled(sets.length, random)
  const chosen = indexes.map((index) => sets[index] as readonly ServerId[])
  const setSize = chosen[0]?.length ?? 0
  const targets = targetsOf(chosen, { setSize, amountOf })
  const factors = new Map(targets)
  const rounds = sets.length <= fittedSets ? fittingRounds : 1

  let weights = chosen.map((members) => productOf(members, factors))
  for (let round = 0; round < rounds; round++) {
    const drawn = marginals(chosen, weights)
    for (const [id, target] of targets) {
      const often = drawn.get(id) ?? 0
      if (often > 0) factors.set(id, (factors.get(id) ?? 0) * (target / often) ** (1 / setSize))
    }
    weights = chosen.map((members) => productOf(members, factors))
  }
  return indexes.map((index, position) => ({ index, weight: weights[position] as number }))
}

/** How often each server should be drawn, 0 to 1; together `setSize`, where that is possible. */
function targetsOf(
  sets: readonly (readonly ServerId[])[],
  { setSize, amountOf }: { readonly setSize: number; readonly amountOf: (id: ServerId) => number },
): Map<ServerId, number> {
  const targets = new Map<ServerId, number>()
  let open = [...new Set(sets.flat())].map((id) => ({ id, amount: amountOf(id) })).sort((a, b) => b.amount - a.amount)
  let draws = setSize
  let sum = open.reduce((total, { amount }) => total + amount, 0)
  while (open.length > 0) {
    const [largest, ...others] = open as [(typeof open)[number], ...typeof open]
    const isCut = sum > 0 && largest.amount * draws >= sum
    if (!isCut) break
    targets.set(largest.id, 1)
    draws -= 1
    sum -= largest.amount
    open = others
  }
  for (const { id, amount } of open) targets.set(id, sum > 0 ? (amount * draws) / sum : draws / open.length)
  return targets
}

function productOf(members: readonly ServerId[], factors: ReadonlyMap<ServerId, number>): number {
  let product = 1
  for (const id of members) product *= factors.get(id) ?? 0
  return product
}

/** How often each server is drawn when a set is drawn by `weights`. */
function marginals(sets: readonly (readonly ServerId[])[], weights: readonly number[]): Map<ServerId, number> {
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const drawn = new Map<ServerId, number>()
  if (total === 0) return drawn
  for (const [index, members] of sets.entries()) {
    const chance = (weights[index] as number) / total
    for (const id of members) drawn.set(id, (drawn.get(id) ?? 0) + chance)
  }
  return drawn
}

function sampled(count: number, random: RandomChoice): number[] {
  const indexes = new Set<number>()
  for (let draws = 0; draws < fittedSets; draws++) indexes.add(random.below(count))
  return [...indexes]
}

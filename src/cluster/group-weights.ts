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

/** Past this many sets a random sample of them is drawn from, and one round of fitting must do. */
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
  const rounds = sets.length <= fittedSets ? fittingRounds : 1
  const weights = fit(numbered(chosen, { setSize, targets }), rounds)
  return indexes.map((index, position) => ({ index, weight: weights[position] as number }))
}

/** The sets with servers as numbers: fitting looks each of them up some fifty times. */
interface NumberedSets {
  readonly setSize: number
  /** `setSize` servers for each set, one set after the other. */
  readonly members: Uint32Array
  /** Of each server. */
  readonly targets: Float64Array
}

function numbered(
  sets: readonly (readonly ServerId[])[],
  { setSize, targets }: { readonly setSize: number; readonly targets: ReadonlyMap<ServerId, number> },
): NumberedSets {
  const numbers = new Map([...targets.keys()].map((id, number) => [id, number]))
  const members = Uint32Array.from(sets.flat(), (id) => numbers.get(id) as number)
  return { setSize, members, targets: Float64Array.from(targets.values()) }
}

function fit({ setSize, members, targets }: NumberedSets, rounds: number): Float64Array {
  const factors = targets.slice()
  const weights = new Float64Array(setSize === 0 ? 0 : members.length / setSize)
  const drawn = new Float64Array(targets.length)
  weigh(weights, { setSize, members, factors })
  for (let round = 0; round < rounds; round++) {
    countDraws(drawn, { setSize, members, weights })
    for (let server = 0; server < targets.length; server++) {
      const often = drawn[server] as number
      if (often > 0)
        factors[server] = (factors[server] as number) * ((targets[server] as number) / often) ** (1 / setSize)
    }
    weigh(weights, { setSize, members, factors })
  }
  return weights
}

/** Each set's weight: the product of its members' factors. */
function weigh(
  weights: Float64Array,
  {
    setSize,
    members,
    factors,
  }: { readonly setSize: number; readonly members: Uint32Array; readonly factors: Float64Array },
): void {
  for (let set = 0, at = 0; set < weights.length; set++) {
    let product = 1
    for (const end = at + setSize; at < end; at++) product *= factors[members[at] as number] as number
    weights[set] = product
  }
}

/** How often each server is drawn when a set is drawn by `weights`. */
function countDraws(
  drawn: Float64Array,
  {
    setSize,
    members,
    weights,
  }: { readonly setSize: number; readonly members: Uint32Array; readonly weights: Float64Array },
): void {
  drawn.fill(0)
  let total = 0
  for (const weight of weights) total += weight
  if (total === 0) return
  for (let set = 0, at = 0; set < weights.length; set++) {
    const chance = (weights[set] as number) / total
    for (const end = at + setSize; at < end; at++) (drawn[members[at] as number] as number) += chance
  }
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

function sampled(count: number, random: RandomChoice): number[] {
  const indexes = new Set<number>()
  for (let draws = 0; draws < fittedSets; draws++) indexes.add(random.below(count))
  return [...indexes]
}

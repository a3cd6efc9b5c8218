/**
 * Sets of servers that share fate: if all of one die, what lies there is lost. Few of them make a loss rare, and large when it
 * comes; the part that is lost on average is the same however chunks are placed.
 * @see Cidon et al., "Copysets: Reducing the Frequency of Data Loss in Cloud Storage", USENIX ATC 2013
 * @module
 */
import type { RandomChoice } from '../../cluster/random-choice.ts'

export interface WeightedSet {
  /** Servers by index, distinct. */
  readonly members: readonly number[]
  /** Part of all chunks that lie on it. */
  readonly fraction: number
}

export interface LossEstimate {
  /** That at least one chunk is lost. */
  readonly probability: number
  /** Of the estimate; 0 where nothing was drawn. */
  readonly standardError: number
  /** Of all chunks, on average over the cases in which some are lost. */
  readonly lostFraction: number
}

export class Copysets {
  readonly count: number
  /** Distinct servers that one shares a set with, on average: they take part in its repair. */
  readonly partners: number
  readonly #servers: number
  /** Each set once, by its lowest server, in flat arrays: a server's own begin at `#firstOf[server]`. */
  readonly #firstOf: Uint32Array
  readonly #others: Uint32Array
  readonly #fractions: Float64Array
  readonly #othersPerSet: number

  constructor(sets: Iterable<WeightedSet>, servers: number) {
    const merged = mergeSets(sets)
    this.count = merged.length
    this.partners = meanPartners(merged, servers)
    this.#servers = servers
    this.#othersPerSet = (merged[0]?.members.length ?? 1) - 1
    this.#firstOf = new Uint32Array(servers + 1)
    this.#others = new Uint32Array(merged.length * this.#othersPerSet)
    this.#fractions = new Float64Array(merged.length)
    for (const [index, { members, fraction }] of merged.entries()) {
      this.#firstOf[(members[0] as number) + 1] = index + 1
      this.#others.set(members.slice(1), index * this.#othersPerSet)
      this.#fractions[index] = fraction
    }
    // Servers that are the lowest of no set begin where the one before ended.
    for (let server = 1; server <= servers; server++) {
      if (this.#firstOf[server] === 0) this.#firstOf[server] = this.#firstOf[server - 1] as number
    }
  }

  /** Kills `deaths` servers, drawn anew each time, and looks at every set. */
  estimateLoss(
    { deaths, trials }: { readonly deaths: number; readonly trials: number },
    random: RandomChoice,
  ): LossEstimate {
    const isDead = new Uint8Array(this.#servers)
    let losses = 0
    let lost = 0
    for (let trial = 0; trial < trials; trial++) {
      const dead = drawDistinct(deaths, this.#servers, random)
      for (const server of dead) isDead[server] = 1
      let fraction = 0
      for (const server of dead) fraction += this.#lostWith(server, isDead)
      for (const server of dead) isDead[server] = 0
      if (fraction > 0) losses++
      lost += fraction
    }
    const probability = losses / trials
    const standardError = Math.sqrt((probability * (1 - probability)) / trials)
    return { probability, standardError, lostFraction: losses === 0 ? 0 : lost / losses }
  }

  /** What lies on sets whose lowest server is this one, and which are dead altogether. */
  #lostWith(server: number, isDead: Uint8Array): number {
    const size = this.#othersPerSet
    const end = this.#firstOf[server + 1] as number
    let fraction = 0
    for (let set = this.#firstOf[server] as number; set < end; set++) {
      let dead = 0
      for (let at = set * size; at < (set + 1) * size; at++) dead += isDead[this.#others[at] as number] as number
      if (dead === size) fraction += this.#fractions[set] as number
    }
    return fraction
  }
}

/** Sets with the same members are one; ordered by their lowest server, members too. */
function mergeSets(sets: Iterable<WeightedSet>): readonly WeightedSet[] {
  const merged = new Map<string, WeightedSet>()
  for (const { members, fraction } of sets) {
    const ordered = members.toSorted((a, b) => a - b)
    const key = ordered.join()
    merged.set(key, { members: ordered, fraction: fraction + (merged.get(key)?.fraction ?? 0) })
  }
  return [...merged.values()].sort((a, b) => (a.members[0] as number) - (b.members[0] as number))
}

function meanPartners(sets: readonly WeightedSet[], servers: number): number {
  const partnersOf = Array.from({ length: servers }, () => new Set<number>())
  for (const { members } of sets) {
    for (const member of members) for (const other of members) if (other !== member) partnersOf[member]?.add(other)
  }
  return partnersOf.reduce((sum, partners) => sum + partners.size, 0) / servers
}

/** Of one set, that all of it is among `deaths` of `servers`: C(deaths, replicas) / C(servers, replicas). */
export function chanceOfSet(
  replicas: number,
  { deaths, servers }: { readonly deaths: number; readonly servers: number },
): number {
  let chance = 1
  for (let index = 0; index < replicas; index++) chance *= Math.max(0, deaths - index) / (servers - index)
  return chance
}

/** That at least one of so many sets is lost, each by itself. */
export function chanceOfAny(chance: number, sets: number): number {
  return -Math.expm1(sets * Math.log1p(-chance))
}

/**
 * Every chunk on servers of its own choice, in distinct domains: which of the sets that could be are lost is counted exactly
 * for each draw of dead servers, and the chance that some chunk lies on one follows from their number.
 * @param domainOf of each server, by index
 */
export function estimateRandomLoss(
  {
    domainOf,
    replicas,
    chunks,
  }: { readonly domainOf: readonly number[]; readonly replicas: number; readonly chunks: number },
  { deaths, trials }: { readonly deaths: number; readonly trials: number },
  random: RandomChoice,
): LossEstimate {
  const all = setsAcross(domainOf, replicas)
  let [sum, squares, lost] = [0, 0, 0]
  for (let trial = 0; trial < trials; trial++) {
    const dead = drawDistinct(deaths, domainOf.length, random).map((server) => domainOf[server] as number)
    const fraction = setsAcross(dead, replicas) / all
    const chance = fraction >= 1 ? 1 : chanceOfAny(fraction, chunks)
    sum += chance
    squares += chance * chance
    lost += fraction
  }
  const probability = sum / trials
  const standardError = Math.sqrt(Math.max(0, squares / trials - probability ** 2) / trials)
  return { probability, standardError, lostFraction: probability === 0 ? 0 : lost / trials / probability }
}

/** How many sets of `size` servers with distinct domains there are: the elementary symmetric polynomial of the domains' sizes. */
export function setsAcross(domains: readonly number[], size: number): number {
  const counts = new Map<number, number>()
  for (const domain of domains) counts.set(domain, (counts.get(domain) ?? 0) + 1)
  const sets = [1, ...Array.from({ length: size }, () => 0)]
  for (const count of counts.values()) {
    for (let length = size; length > 0; length--)
      sets[length] = (sets[length] as number) + count * (sets[length - 1] as number)
  }
  return sets[size] as number
}

function drawDistinct(count: number, bound: number, random: RandomChoice): number[] {
  const drawn = new Set<number>()
  while (drawn.size < count) drawn.add(random.below(bound))
  return [...drawn]
}

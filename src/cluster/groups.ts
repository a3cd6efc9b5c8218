/**
 * Which groups a cluster needs, so that chunks spread over all servers while few sets of servers share fate.
 *
 * Up to `limits.allTriplesUpToServers` servers: every combination whose members are spread over the failure domains, each so
 * often that a server is in `limits.groupsPerServer` groups or more. (Groups move as a whole: with one group of three servers, a
 * fourth one could be given all or nothing of it.) Beyond: *copysets*, about as many groups for each server. The number of
 * sets whose joint loss loses data then grows with the servers, not with their cube.
 *
 * Only ever adds: existing groups keep their members, so that a new server changes nothing for chunks that exist, and
 * takes its share of new ones through groups of its own. A server that comes and goes must not add more each time (repair
 * gave its groups to others): past three times what the servers need, none are added, and rebalancing gives it its share.
 * Pure: a snapshot and a seed replay every plan.
 * Invariant: members of a group are spread over failure domains as evenly as can be, and never two on one host (domain-spread.ts).
 * @see Cidon et al., "Copysets: Reducing the Frequency of Data Loss in Cloud Storage", USENIX ATC 2013
 * @module
 */
import { assert } from '../base/assert.ts'
import type { ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { DomainSpread } from './domain-spread.ts'
import type { RandomChoice } from './random-choice.ts'

/** A server that may become a member, in any state of health: a group outlives the mood of its members. */
export interface GroupCandidate {
  readonly id: ServerId
  /** All of it: `host`, `host/rack` or longer. */
  readonly domain: string
}

export interface GroupPlanInput {
  readonly candidates: readonly GroupCandidate[]
  /** Member lists of the groups that the policy has already. */
  readonly existing: readonly (readonly ServerId[])[]
  /** Members of each group: the policy's `replicas`. */
  readonly replicas: number
  /** Of the domains that count. Default: those of the candidates. */
  readonly spread?: DomainSpread
}

type Spreading = GroupPlanInput & { readonly spread: DomainSpread }

/**
 * A partner is the one with the fewest groups of a few drawn at random. The best of all would be the same one again and
 * again, and the sets that it makes exist already.
 */
const partnerChoices = 4
/** Groups there may be for each that is needed. */
const excess = 3
/** Candidates looked at for them, past this many: planning 10,000 servers stays within seconds. */
const partnerSample = 24

/**
 * Plans the groups that are missing.
 *
 * @returns member lists in slot order, to be made in this order; empty when nothing is missing or there are too few domains
 */
export function planGroups(input: GroupPlanInput, random: RandomChoice): readonly (readonly ServerId[])[] {
  assert(Number.isInteger(input.replicas) && input.replicas >= 1, `a group of ${input.replicas} members`)
  const domains = new Set(input.candidates.map((candidate) => candidate.domain))
  if (domains.size < input.replicas) return []
  const { candidates, spread = new DomainSpread(candidates) } = input
  const spreading = { ...input, spread }
  return candidates.length <= limits.allTriplesUpToServers
    ? allCombinations(spreading)
    : planCopysets(spreading, random)
}

function allCombinations({ candidates, existing, replicas, spread }: Spreading): readonly (readonly ServerId[])[] {
  const combinations: ServerId[][] = []
  const extend = (chosen: readonly GroupCandidate[], from: number): void => {
    if (chosen.length === replicas) {
      combinations.push(chosen.map((candidate) => candidate.id))
      return
    }
    for (const [index, candidate] of candidates.entries()) {
      if (index < from || !isApart(candidate, chosen, { spread, replicas })) continue
      extend([...chosen, candidate], index + 1)
    }
  }
  extend([], 0)
  const known = new Map<string, number>()
  for (const members of existing) known.set(setKey(members), (known.get(setKey(members)) ?? 0) + 1)
  const times = Math.ceil((candidates.length * shareOf(replicas)) / (replicas * Math.max(1, combinations.length)))
  const planned: ServerId[][] = []
  // Round by round, so that the first groups of a cluster are of all sets.
  for (let round = 1; round <= times; round++) {
    for (const members of combinations) if ((known.get(setKey(members)) ?? 0) < round) planned.push(members)
  }
  return planned.slice(0, Math.max(0, excess * times * combinations.length - existing.length))
}

/** Groups of one server. A single copy needs no partners. */
function shareOf(replicas: number): number {
  return replicas === 1 ? 1 : limits.groupsPerServer
}

/**
 * Serves the server with the fewest groups first, with partners that have few. A partner takes part in at most
 * `replicas` times its share: the bound that one server at a time joining tends to, and what stops a small domain from
 * being drawn into every group of a large one.
 */
function planCopysets({ candidates, existing, replicas, spread }: Spreading, random: RandomChoice): ServerId[][] {
  const known = new Set(existing.map(setKey))
  const counts = new Map<ServerId, number>(candidates.map(({ id }) => [id, 0]))
  for (const members of existing) {
    for (const id of members) if (counts.has(id)) counts.set(id, countOf(counts, id) + 1)
  }

  const share = shareOf(replicas)
  const planned: ServerId[][] = []
  const atMostGroups = excess * Math.ceil((candidates.length * share) / replicas) - existing.length
  for (const candidate of byRisingCount(random.shuffled(candidates), counts)) {
    // A failed try is a set that exists already, or no partner with room: both get likelier, so tries are bounded.
    for (let tries = 0; countOf(counts, candidate.id) < share && tries < 2 * share; tries++) {
      if (planned.length >= atMostGroups) return planned
      const members = drawMembers(candidate, { candidates, counts, replicas, spread, atMost: share * replicas }, random)
      if (members === undefined || known.has(setKey(members))) continue
      known.add(setKey(members))
      planned.push(members)
      for (const id of members) counts.set(id, countOf(counts, id) + 1)
    }
  }
  return planned
}

interface DrawOptions {
  readonly candidates: readonly GroupCandidate[]
  readonly counts: ReadonlyMap<ServerId, number>
  readonly replicas: number
  readonly spread: DomainSpread
  readonly atMost: number
}

function drawMembers(first: GroupCandidate, options: DrawOptions, random: RandomChoice): ServerId[] | undefined {
  const chosen = [first]
  while (chosen.length < options.replicas) {
    let best: GroupCandidate | undefined
    let choices = 0
    for (const candidate of sample(options.candidates, random)) {
      if (!isApart(candidate, chosen, options)) continue
      const count = countOf(options.counts, candidate.id)
      if (count >= options.atMost) continue
      if (best === undefined || count < countOf(options.counts, best.id)) best = candidate
      choices++
      if (choices === partnerChoices) break
    }
    if (best === undefined) return undefined
    chosen.push(best)
  }
  return chosen.map((candidate) => candidate.id)
}

function isApart(
  { domain }: GroupCandidate,
  chosen: readonly GroupCandidate[],
  { spread, replicas }: { readonly spread: DomainSpread; readonly replicas: number },
): boolean {
  return spread.admits(
    domain,
    chosen.map((other) => other.domain),
    replicas,
  )
}

function sample(candidates: readonly GroupCandidate[], random: RandomChoice): readonly GroupCandidate[] {
  if (candidates.length <= partnerSample) return random.shuffled(candidates)
  const drawn: GroupCandidate[] = []
  for (let count = 0; count < partnerSample; count++) {
    drawn.push(candidates[random.below(candidates.length)] as GroupCandidate)
  }
  return drawn
}

function byRisingCount(candidates: readonly GroupCandidate[], counts: ReadonlyMap<ServerId, number>) {
  return [...candidates].sort((a, b) => countOf(counts, a.id) - countOf(counts, b.id))
}

function countOf(counts: ReadonlyMap<ServerId, number>, id: ServerId): number {
  return counts.get(id) ?? 0
}

/** Two groups with the same members are the same copyset, whatever the slots. */
function setKey(members: readonly ServerId[]): string {
  return [...members].sort().join()
}

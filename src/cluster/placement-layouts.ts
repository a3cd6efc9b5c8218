/**
 * Layouts: where the members of a group belong, as a pure function of its number and the servers that are there. Whoever
 * knows the servers knows the layout; a server that comes or goes changes it, and how much of it is the whole difference
 * between the three.
 *
 * - *ring*: a server stands at `pointsPerServer` points of a circle; a group's members are the next servers from its own
 *   point on. A server that joins takes over what lies before its points, and nothing else moves.
 * - *hash*: a group's number, hashed, modulo the number of servers. Almost everything moves when that number changes.
 * - *range*: servers in one fixed order, each with its stretch of it; members are neighbours. Few sets of servers share
 *   fate; every stretch shifts a little when a server joins.
 *
 * Servers count alike, whatever their capacity: unequal disks fill unevenly. Invariant: members are spread over failure domains (domain-spread.ts).
 * Pure: order of the candidates does not matter.
 * @see Karger et al., "Consistent Hashing and Random Trees", STOC 1997
 * @module
 */
import { assert } from '../base/assert.ts'
import type { GroupId, ServerId } from '../base/ids.ts'
import { failureDomainOf } from './cluster-map.ts'
import { DomainSpread } from './domain-spread.ts'
import type { GroupCandidate } from './groups.ts'

/** Members in slot order; empty when there are too few failure domains. */
export type GroupLayout = (group: GroupId, replicas: number) => readonly ServerId[]

/** Standing at one point each, neighbours would differ a hundredfold in what they get; at so many it is a quarter. */
export const pointsPerServer = 64
const serverBits = 2 ** 14
/** Draws until the hash layout takes the next server in order: by then most domains are taken. */
const drawsPerMember = 16

export function ringLayout(candidates: readonly GroupCandidate[]): GroupLayout {
  const { points, membersFrom } = ringOf(candidates)
  return (group, replicas) => membersFrom(firstAtLeast(points, mix(group) * serverBits), replicas)
}

/** A stretch of the ring: what lies there has the same members. */
export interface RingArc {
  /** Of the whole ring, 0 to 1. */
  readonly fraction: number
  readonly members: readonly ServerId[]
}

/** All of a ring: what comes of hashing chunks themselves onto it, and not groups. */
export function* ringArcs(candidates: readonly GroupCandidate[], replicas: number): Generator<RingArc> {
  const { points, membersFrom } = ringOf(candidates)
  const whole = 2 ** 32 * serverBits
  let before = (points.at(-1) ?? 0) - whole
  for (const [index, point] of points.entries()) {
    yield { fraction: (point - before) / whole, members: membersFrom(index, replicas) }
    before = point
  }
}

interface Ring {
  readonly points: Float64Array
  /** Of what lies before a point; what lies after the last one has the members of the first. */
  readonly membersFrom: (index: number, replicas: number) => readonly ServerId[]
}

function ringOf(candidates: readonly GroupCandidate[]): Ring {
  const ring = new Servers(candidates)
  assert(ring.count <= serverBits, `${ring.count} servers on one ring`)
  // A point and whose it is in one number: sorting numbers is what makes 640,000 of them affordable.
  const points = new Float64Array(ring.count * pointsPerServer)
  for (let server = 0; server < ring.count; server++) {
    const [one, other] = hashesOf(ring.idAt(server))
    for (let point = 0; point < pointsPerServer; point++) {
      points[server * pointsPerServer + point] = mix(mix(one + point) ^ other) * serverBits + server
    }
  }
  points.sort()
  const membersFrom = (index: number, replicas: number) =>
    ring.choose(replicas, points.length, (step) => (points[(index + step) % points.length] as number) % serverBits)
  return { points, membersFrom }
}

export function hashLayout(candidates: readonly GroupCandidate[]): GroupLayout {
  const servers = new Servers(candidates)
  return (group, replicas) => {
    const draws = drawsPerMember * replicas
    const serverAt = (step: number) =>
      step < draws ? mix(mix(group) + step) % servers.count : (mix(group) + step) % servers.count
    return servers.choose(replicas, draws + servers.count, serverAt)
  }
}

export function rangeLayout(candidates: readonly GroupCandidate[]): GroupLayout {
  const servers = new Servers(inTurns(candidates))
  return (group, replicas) => {
    const start = Math.floor(evenPosition(group) * servers.count)
    return servers.choose(replicas, servers.count, (step) => (start + step) % servers.count)
  }
}

/** Candidates by number, with their outermost domains as numbers: what the walks of all layouts need. */
class Servers {
  readonly #ids: readonly ServerId[]
  readonly #ordered: readonly GroupCandidate[]
  readonly #hosts: number
  #spread: DomainSpread | undefined
  readonly #domains: readonly number[]
  readonly #domainCount: number

  constructor(candidates: readonly GroupCandidate[] | OrderedCandidates) {
    const ordered = 'ordered' in candidates ? candidates.ordered : byId(candidates)
    const numbers = new Map<string, number>()
    for (const server of ordered) {
      const domain = failureDomainOf(server)
      if (!numbers.has(domain)) numbers.set(domain, numbers.size)
    }
    this.#ordered = ordered
    this.#hosts = new Set(ordered.map(({ domain }) => domain)).size
    this.#ids = ordered.map(({ id }) => id)
    this.#domains = ordered.map((server) => numbers.get(failureDomainOf(server)) as number)
    this.#domainCount = numbers.size
  }

  get count(): number {
    return this.#ids.length
  }

  idAt(server: number): ServerId {
    return this.#ids[server] as ServerId
  }

  /** The first `replicas` servers of a walk that lie in domains of their own; with fewer domains, that are spread over them. */
  choose(replicas: number, steps: number, serverAt: (step: number) => number): readonly ServerId[] {
    if (this.#domainCount < replicas) return this.#chooseSpread(replicas, steps, serverAt)
    const chosen: ServerId[] = []
    const domains: number[] = []
    for (let step = 0; step < steps && chosen.length < replicas; step++) {
      const server = serverAt(step)
      const domain = this.#domains[server] as number
      if (domains.includes(domain)) continue
      domains.push(domain)
      chosen.push(this.idAt(server))
    }
    assert(chosen.length === replicas, 'a walk passes every server')
    return chosen
  }

  #chooseSpread(replicas: number, steps: number, serverAt: (step: number) => number): readonly ServerId[] {
    if (this.#hosts < replicas) return []
    this.#spread ??= new DomainSpread(this.#ordered)
    const chosen: GroupCandidate[] = []
    for (let step = 0; step < steps && chosen.length < replicas; step++) {
      const candidate = this.#ordered[serverAt(step)] as GroupCandidate
      const others = chosen.map(({ domain }) => domain)
      if (this.#spread.admits(candidate.domain, others, replicas)) chosen.push(candidate)
    }
    return chosen.length === replicas ? chosen.map(({ id }) => id) : []
  }
}

interface OrderedCandidates {
  readonly ordered: readonly GroupCandidate[]
}

/** One server of each domain in turn, so that neighbours lie in different ones; a new server stands near the end. */
function inTurns(candidates: readonly GroupCandidate[]): OrderedCandidates {
  const seen = new Map<string, number>()
  const placed = byId(candidates).map((candidate) => {
    const round = seen.get(candidate.domain) ?? 0
    seen.set(candidate.domain, round + 1)
    return { candidate, round }
  })
  placed.sort((a, b) => a.round - b.round || compare(a.candidate.domain, b.candidate.domain))
  return { ordered: placed.map(({ candidate }) => candidate) }
}

function byId(candidates: readonly GroupCandidate[]): GroupCandidate[] {
  return [...candidates].sort((a, b) => compare(a.id, b.id))
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** In [0, 1): multiples of the golden ratio fill it evenly however many there are, so that groups can be added. */
function evenPosition(group: GroupId): number {
  return (group * 0.618_033_988_749_894_9) % 1
}

function firstAtLeast(points: Float64Array, value: number): number {
  let low = 0
  let high = points.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((points[middle] as number) < value) low = middle + 1
    else high = middle
  }
  return low
}

/** Two hashes: of one alone, a pair of ten thousand servers would stand at the same points once in a hundred clusters. */
function hashesOf(id: ServerId): readonly [number, number] {
  let one = 0x811c9dc5
  let other = 0x9e3779b9
  for (let index = 0; index < id.length; index++) {
    const code = id.charCodeAt(index)
    one = Math.imul(one ^ code, 0x01000193)
    other = Math.imul(other ^ code, 0x85ebca6b)
  }
  return [mix(one), mix(other)]
}

/** 32 bits in, 32 well-mixed bits out. */
function mix(value: number): number {
  let mixed = value | 0
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
  return (mixed ^ (mixed >>> 15)) >>> 0
}

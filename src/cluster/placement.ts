/**
 * Placement: which group takes the next chunks.
 *
 * A group is *full-handed* when every member takes writes, and usable then. When none is, a group is usable short-handed:
 * its other members are away (suspect, dead, fenced), never full as far as is known, and `minReplicas` of them take writes.
 * Among the usable ones the placement strategy chooses: by default so that each server gets copies in proportion to the bytes
 * it has free (servers of any sizes fill evenly, and a new, empty one does not take every write). Groups with a member that
 * is to go (it drains, or is in maintenance), or that comes and goes, are chosen only when no other is full-handed.
 * Pure: a snapshot and a seed replay every decision. Every server that is passed over is named with its reason.
 * @module
 */
import type { GroupId, ServerId } from '../base/ids.ts'
import { formatSize } from '../base/sizes.ts'
import type { Group, Policy, ServerState } from '../wire/types/cluster-map.ts'
import { writingMembers } from './cluster-map.ts'
import { defaultStrategy, type PlacementStrategy, type ServerRoom, strategyOf } from './placement-strategy.ts'
import type { RandomChoice } from './random-choice.ts'

/** What placement knows of a server. */
export interface ServerLoad {
  readonly id: ServerId
  readonly domain: string
  readonly state: ServerState
  readonly capacityBytes: number
  readonly freeBytes: number
  /** It comes and goes: it is given nothing new while others can take it. @see flap-damping.ts */
  readonly isUnsteady?: boolean
  /** Why the server itself refuses writes, if it does: `capacity`, `disk-full`, `fenced`. */
  readonly refusal?: string | undefined
}

export interface PlacementRequest {
  /** All of one policy. */
  readonly groups: readonly Group[]
  readonly policy: Policy
  readonly servers: ReadonlyMap<ServerId, ServerLoad>
  /** Room that each member must have. */
  readonly chunkBytes: number
  /** Groups that failed the writer just now: taken only when no other is usable. */
  readonly avoid?: ReadonlySet<GroupId>
  /** Default: `spread`. */
  readonly strategy?: PlacementStrategy
}

/** Why a server takes no part. The shape of `details.reasons` of `no-space` and `unavailable`. */
export interface Rejection {
  readonly server: ServerId
  readonly domain: string
  readonly reason: string
  readonly freeBytes: number
}

export type Placement =
  | {
      readonly kind: 'placed'
      readonly group: Group
      /** Members that are away: they will owe a replica. */
      readonly away: readonly ServerId[]
      readonly rejected: readonly Rejection[]
    }
  | {
      readonly kind: 'refused'
      /** `no-space`: enough servers are there, and too few of them have room. `unavailable`: too few are there. */
      readonly code: 'no-space' | 'unavailable'
      readonly rejected: readonly Rejection[]
    }

export function chooseGroup(request: PlacementRequest, random: RandomChoice): Placement {
  const rejected = rejections(request)
  const sampled = chooseOfSample(request, random)
  if (sampled !== undefined) return { kind: 'placed', group: sampled, away: [], rejected }
  const usable = usableGroups(request)
  if (usable.length === 0) return { kind: 'refused', code: refusalCode(request), rejected }

  const staying = usable.filter((group) => isStaying(group, request))
  const unavoided = (groups: readonly Group[]) => groups.filter((group) => request.avoid?.has(group.id) !== true)
  const choices = [unavoided(staying), unavoided(usable), staying, usable].find((groups) => groups.length > 0)
  const group = draw(choices as readonly Group[], request, random)
  const away = writingMembers(group)
    .filter((member) => standing(request.servers.get(member.server), request.chunkBytes) === 'away')
    .map((member) => member.server)
  return { kind: 'placed', group, away, rejected }
}

/** Of a large cluster's groups, so many are looked at first. Strategies draw from no more (group-weights.ts). */
const sampleGroups = 1024

/**
 * In a large cluster that is well nearly all groups would do, and looking at each of them would take most of an allocation's time.
 * @returns undefined: the cluster is small, or no group of the sample is as good as one can be
 */
function chooseOfSample(request: PlacementRequest, random: RandomChoice): Group | undefined {
  const { groups, avoid } = request
  if (groups.length <= 2 * sampleGroups) return undefined
  const best: Group[] = []
  for (let count = 0; count < sampleGroups; count++) {
    const group = groups[random.below(groups.length)] as Group
    if (avoid?.has(group.id) !== true && isFullHanded(group, request) && isStaying(group, request)) best.push(group)
  }
  return best.length === 0 ? undefined : draw(best, request, random)
}

/** Whether a write of `chunkBytes` need not do without a member: then a short-handed commit is refused. */
export function hasFullHandedGroup(request: PlacementRequest): boolean {
  return request.groups.some((group) => isFullHanded(group, request))
}

/** Whether a server counts as down: unable to hold a chunk now for any reason but lack of room. */
export function isAway(server: Pick<ServerLoad, 'state' | 'refusal'> | undefined): boolean {
  return server === undefined || !isAnswering(server.state) || server.refusal === 'fenced'
}

/** Whether a server in this state takes reads and writes. */
export function isAnswering(state: ServerState): boolean {
  return state === 'up' || state === 'draining' || state === 'maintenance'
}

/**
 * Whether a server that is away would have no room for the chunk when it returns: it could never pay what it owes. One of
 * which nothing is known (this master has not heard it; or it is fenced, and so reports no room whatever it holds) is given
 * the benefit of the doubt; one that left owes nothing.
 */
export function isAwayAndFull(server: ServerLoad | undefined, chunkBytes: number): boolean {
  if (server === undefined || !isAway(server) || server.state === 'left' || server.refusal === 'fenced') return false
  return server.capacityBytes > 0 && server.freeBytes < chunkBytes
}

type Standing = 'takes-writes' | 'full' | 'away'

function standing(server: ServerLoad | undefined, chunkBytes: number): Standing {
  if (server === undefined || isAway(server)) return isAwayAndFull(server, chunkBytes) ? 'full' : 'away'
  return server.refusal === undefined && server.freeBytes >= chunkBytes ? 'takes-writes' : 'full'
}

/**
 * Short-handed groups only when no full-handed one exists, avoided or not: a commit with fewer receipts would be refused
 * as long as one does.
 */
function usableGroups(request: PlacementRequest): readonly Group[] {
  const fullHanded = request.groups.filter((group) => isFullHanded(group, request))
  return fullHanded.length > 0 ? fullHanded : request.groups.filter((group) => isShortHanded(group, request))
}

function isFullHanded(group: Group, { servers, chunkBytes, policy }: PlacementRequest): boolean {
  const members = writingMembers(group)
  return (
    members.length >= policy.replicas &&
    members.every((member) => standing(servers.get(member.server), chunkBytes) === 'takes-writes')
  )
}

function isStaying(group: Group, { servers }: PlacementRequest): boolean {
  return writingMembers(group).every(({ server }) => {
    const known = servers.get(server)
    return known?.state !== 'draining' && known?.state !== 'maintenance' && known?.isUnsteady !== true
  })
}

function isShortHanded(group: Group, { servers, chunkBytes, policy }: PlacementRequest): boolean {
  const standings = writingMembers(group).map((member) => standing(servers.get(member.server), chunkBytes))
  if (standings.includes('full')) return false
  return standings.filter((each) => each === 'takes-writes').length >= policy.minReplicas
}

function refusalCode(request: PlacementRequest): 'no-space' | 'unavailable' {
  const roomy = new Map<ServerId, ServerLoad>()
  for (const [id, server] of request.servers) {
    const isFull = standing(server, request.chunkBytes) === 'full'
    const refusal = isAway(server) ? server.refusal : undefined
    roomy.set(id, isFull ? { ...server, freeBytes: request.chunkBytes, refusal } : server)
  }
  const withRoom = { ...request, servers: roomy }
  const wouldDo = request.groups.some((group) => isFullHanded(group, withRoom) || isShortHanded(group, withRoom))
  return wouldDo ? 'no-space' : 'unavailable'
}

function draw(groups: readonly Group[], request: PlacementRequest, random: RandomChoice): Group {
  const { servers, strategy = strategyOf(defaultStrategy) } = request
  const sets = groups.map((group) => writingMembers(group).map((member) => member.server))
  const weights = strategy.weigh({ sets, roomOf: (id) => servers.get(id) ?? noRoom }, random)
  return groups[random.weighted(weights, ({ weight }) => weight).index] as Group
}

const noRoom: ServerRoom = { freeBytes: 0, capacityBytes: 0 }

function rejections({ servers, chunkBytes }: PlacementRequest): readonly Rejection[] {
  const rejected: Rejection[] = []
  for (const server of servers.values()) {
    const { id, domain, freeBytes } = server
    const reason = reasonAgainst(server, chunkBytes)
    if (reason !== undefined) rejected.push({ server: id, domain, reason, freeBytes })
  }
  return rejected
}

function reasonAgainst(server: ServerLoad, chunkBytes: number): string | undefined {
  const { state, refusal, freeBytes, capacityBytes } = server
  // Put into words only where it is said: every placement asks about every server.
  const full = () =>
    `full: ${formatSize(freeBytes)} of ${formatSize(capacityBytes)} free, ${formatSize(chunkBytes)} needed`
  if (!isAnswering(state)) return isAwayAndFull(server, chunkBytes) ? `${state}, and ${full()}` : state
  if (refusal === 'fenced') return 'its disk failed: it takes no writes until it is opened again'
  if (refusal === 'disk-full') return `the disk beneath is full: ${formatSize(freeBytes)} may be written`
  return refusal !== undefined || freeBytes < chunkBytes ? full() : undefined
}

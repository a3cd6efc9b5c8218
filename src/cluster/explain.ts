/**
 * Why a group's members are what they are, and what would happen if a server died now. Answers come from the planners
 * themselves, run on a view in which it is dead: an explanation cannot differ from what is done.
 * Pure: a view in, facts and reasons out.
 * @module
 */
import type { ServerId } from '../base/ids.ts'
import type { Group, Policy } from '../wire/types/cluster-map.ts'
import { failureDomainOf, writingMembers } from './cluster-map.ts'
import { type ClusterView, type PlanLimits, type ServerView, spreadOf, survivorsOf, withheld } from './cluster-view.ts'
import { findMassLoss } from './mass-loss.ts'
import { isAway } from './placement.ts'
import { planRepair } from './plan-repair.ts'
import type { RandomChoice } from './random-choice.ts'

export interface ExplainOptions {
  readonly policy: Policy | undefined
  readonly limits: PlanLimits
  readonly holdOffMs: number
  readonly isRepairPaused: boolean
  /** Of its own: explaining leaves the draws of others as they are. */
  readonly random: RandomChoice
}

/** A server that is no member, and why. */
export interface PassedOver {
  readonly server: ServerId
  readonly domain: string
  readonly reason: string
}

/** What the loss of a server means for one group or for all of its groups. */
export interface IfLost {
  readonly server: ServerId
  readonly domain: string
  readonly groups: number
  readonly chunks: number
  readonly bytes: number
  /** Chunks that nobody else within reach was seen to hold. */
  readonly lostChunks: number
  /** Chunks that one other server was seen to hold, and nobody else. */
  readonly lastCopyChunks: number
  /** Groups that still have enough members for writes, when no group has all of them. */
  readonly writableGroups: number
  /** What repair would do first. */
  readonly target: ServerId | undefined
  /** Groups that repair would begin with at once, and those that it would leave waiting. */
  readonly begun: number
  readonly waiting: number
  /** Why repair would wait, of the first that does. */
  readonly why: string | undefined
  /** It is lost already. */
  readonly isGone: boolean
}

export function passedOver(view: ClusterView, group: Group): readonly PassedOver[] {
  const members = new Set(group.members.map(({ server }) => server))
  const spread = spreadOf(view)
  const known = group.members.flatMap(({ server }) => view.servers.get(server) ?? [])
  const domains = known.map(({ domain }) => domain)
  const inTheWay = (server: ServerView): ServerView | undefined => {
    const isMate = (member: ServerView) => failureDomainOf(member) === failureDomainOf(server)
    const canReplace = (index: number) => spread.admits(server.domain, domains.toSpliced(index, 1), domains.length)
    return known.some((member, index) => !isMate(member) && canReplace(index)) ? undefined : known.find(isMate)
  }
  return [...view.servers.values()]
    .filter(({ id }) => !members.has(id))
    .map((server) => ({ server: server.id, domain: server.domain, reason: reasonAgainst(server, inTheWay(server)) }))
}

function reasonAgainst(server: ServerView, neighbour: ServerView | undefined): string {
  if (neighbour !== undefined) return `shares the failure domain with member ${neighbour.id.slice(0, 8)}`
  if (server.isInMaintenance) return 'in maintenance'
  if (server.isUnsteady === true) return 'comes and goes: it is given nothing new'
  if (server.state !== 'up') return `it is ${server.state}`
  if (server.refusal !== undefined) return `refuses writes: ${server.refusal}`
  return 'would do: groups are shared out over all servers, and it is a member of others'
}

/** @param groups those of the server, or one of them */
export function ifLost(
  view: ClusterView,
  server: ServerId,
  groups: readonly Group[],
  { policy, limits, holdOffMs, isRepairPaused, random }: ExplainOptions,
): IfLost {
  const known = view.servers.get(server)
  const servers = new Map(view.servers)
  if (known !== undefined) servers.set(server, { ...known, state: 'dead', isInMaintenance: false })
  const after: ClusterView = { ...view, servers, groups }
  const massLoss = findMassLoss({ groups: view.groups, servers }, { holdOffMs })
  const repair = planRepair(after, { limits, massLoss }, random)
  const isExpected = known?.isInMaintenance === true
  const held = isRepairPaused ? 'repair is paused' : isExpected ? 'it is in maintenance until that is over' : undefined
  const plan = held === undefined ? repair : withheld(repair, held)
  const sums = { chunks: 0, bytes: 0, lostChunks: 0, lastCopyChunks: 0, writableGroups: 0 }
  for (const group of groups) {
    const { chunks, sizeBytes } = view.sizeOf(group.id)
    sums.chunks += chunks
    sums.bytes += sizeBytes
    const survivors = survivorsOf(after, group).length
    if (survivors === 0) sums.lostChunks += chunks
    if (survivors === 1) sums.lastCopyChunks += chunks
    const answering = writingMembers(group).filter((member) => !isAway(servers.get(member.server))).length
    if (answering >= (policy?.minReplicas ?? 1)) sums.writableGroups++
  }
  return {
    server,
    domain: known?.domain ?? 'unknown',
    groups: groups.length,
    ...sums,
    target: plan.steps[0]?.to,
    begun: plan.steps.length,
    waiting: plan.waiting.length,
    why: plan.waiting[0]?.why,
    isGone: known === undefined || known.state === 'dead' || known.state === 'left',
  }
}

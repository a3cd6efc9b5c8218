/**
 * What planners look at: one snapshot of servers, groups and what is known to be where. A plan follows from it alone, so
 * it can be printed before it runs, and replayed after.
 *
 * Planners look at groups, never at chunks. Measured (bench/planners.ts, one core) for 10,000 servers with 110,000 groups and
 * 1.4 billion chunks: repair of a server 0.5 s, of a hundred at once 1.1 s, drain of ten 1 s, rebalance onto a thousand more 2.8 s.
 * @module
 */
import type { GroupId, ServerId } from '../base/ids.ts'
import type { Group, Member, MemberDuty } from '../wire/types/cluster-map.ts'
import { DomainSpread } from './domain-spread.ts'
import { leavingBeside, type Replacement } from './member-change.ts'
import { isAway, type ServerLoad } from './placement.ts'
import type { GroupLayout } from './placement-layouts.ts'

/** A server as planners see it. `state` says first whether it answers, and then what was asked of it. */
export interface ServerView extends ServerLoad {
  /** An operator expects it to be away: nothing is repaired for it. */
  readonly isInMaintenance: boolean
  readonly silentMs: number
}

export interface GroupSize {
  readonly chunks: number
  /** Of one member that holds everything. */
  readonly sizeBytes: number
}

export interface ClusterView {
  readonly groups: readonly Group[]
  readonly servers: ReadonlyMap<ServerId, ServerView>
  readonly sizeOf: (group: GroupId) => GroupSize
  /** The member was seen to hold everything, at this epoch of the group and since it last registered. */
  readonly isProven: (group: Group, server: ServerId) => boolean
  /** Chunks of the group that the server says it holds. */
  readonly heldBy: (group: GroupId, server: ServerId) => number
  /** A member that is up could not take a chunk of the group that it lacks, since it is full. Absent: none. */
  readonly lacksRoom?: (group: GroupId, server: ServerId) => boolean
  /** Where the placement strategy in force wants members; absent: anywhere in domains of their own. */
  readonly layout?: GroupLayout | undefined
}

/** One step of a plan, with all that is needed to judge it. */
export interface MemberStep extends Replacement {
  /** What the joining server has to be sent at most. */
  readonly sizeBytes: number
  readonly chunks: number
  /** Members that answer and hold everything. */
  readonly survivors: number
  readonly reason: string
}

/** What should happen and does not yet. */
export interface Waiting {
  readonly duty: MemberDuty
  readonly group: GroupId
  readonly server: ServerId
  readonly survivors: number
  readonly why: string
}

export interface MemberPlan {
  readonly steps: readonly MemberStep[]
  readonly waiting: readonly Waiting[]
}

/** The same, with nothing to begin. */
export function withheld({ steps, waiting }: MemberPlan, why: string): MemberPlan {
  const held = steps.map(({ duty, group, from, survivors }) => ({ duty, group, server: from, survivors, why }))
  return { steps: [], waiting: [...held, ...waiting] }
}

/** How many groups may be filling: each is a stream of copies. */
export interface PlanLimits {
  readonly perServer: number
  readonly inAll: number
}

/** Of all servers that have not left: one that is dead may come back, and its domain with it. */
export function spreadOf({ servers }: Pick<ClusterView, 'servers'>): DomainSpread {
  return new DomainSpread([...servers.values()].filter(({ state }) => state !== 'left'))
}

/** Judges slots that go back, all of one view: its servers are gone through once, and only where a slot does. */
export class SlotsBack {
  readonly #view: ClusterView
  #spread: DomainSpread | undefined

  constructor(view: ClusterView) {
    this.#view = view
  }

  /**
   * Whether `server` may take back the slot in which `instead` is filling, as far as failure domains go: while it was away another slot
   * may have gone to a neighbour of it.
   */
  admits(server: ServerView, { group, instead }: { readonly group: Group; readonly instead: Member }): boolean {
    const others = group.members.filter((member) => member.state !== 'leaving' && member !== instead)
    const domains = others.flatMap((member) => this.#view.servers.get(member.server)?.domain ?? [])
    this.#spread ??= spreadOf(this.#view)
    return this.#spread.admits(server.domain, domains, others.length + 1)
  }
}

/** A server that will not come back by itself, as far as is known: its members are to be replaced. */
export function isLost(server: ServerView | undefined): boolean {
  if (server === undefined || server.state === 'left') return true
  return server.state === 'dead' && !server.isInMaintenance
}

/**
 * What a filling member is for now: a repair, whatever it began as, once the one whose slot it takes is lost. Then a replica is missing:
 * that is as urgent as any, and no pause of a drain or a rebalance holds it.
 * @param serverOf undefined: of one that is not known
 */
export function presentDutyOf(
  group: Group,
  member: Member,
  serverOf: (server: ServerId) => ServerView | undefined,
): MemberDuty {
  const former = leavingBeside(group, member)
  return former === undefined || isLost(serverOf(former.server)) ? 'repair' : (member.duty ?? 'repair')
}

/** Members whose data can be copied from, and which count for what a group can still lose. */
export function survivorsOf(view: ClusterView, group: Group): readonly Member[] {
  return group.members.filter(({ server, state }) => {
    if (isAway(view.servers.get(server))) return false
    return state === 'leaving' || (state === 'in' && view.isProven(group, server))
  })
}

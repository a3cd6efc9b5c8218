/**
 * Plans the repair of groups that lost a member for good: another server takes its slot.
 *
 * Fewest survivors first, so that what is one death away from loss is whole before what is two away. Sources and targets are
 * spread, and bounded for each server and in all. A group is left alone while nobody was seen to hold all of it (after a
 * start: safe mode), and during a mass loss unless it is down to its last member.
 * A member that returns before its replacement is done, with more of the group than that has, takes its slot back: then only
 * differences are copied. One that comes and goes does not, or each time would undo what the last one began; unless its
 * replacement has no room for the group, and so would never be done: then it takes the slot back with whatever it has.
 * A member that is up and has no room for what it owes gives its slot to a server that has: else the debt would stay.
 * Pure: a view and a seed replay every plan.
 * @module
 */
import type { ServerId } from '../base/ids.ts'
import type { Group, Member } from '../wire/types/cluster-map.ts'
import {
  type ClusterView,
  isLost,
  type MemberPlan,
  type MemberStep,
  type PlanLimits,
  SlotsBack,
  survivorsOf,
  type Waiting,
} from './cluster-view.ts'
import type { MassLoss } from './mass-loss.ts'
import { leavingBeside } from './member-change.ts'
import type { RandomChoice } from './random-choice.ts'
import { shortId, type TargetChoice, Traffic } from './target-choice.ts'

export interface RepairOptions {
  readonly limits: PlanLimits
  readonly massLoss: MassLoss | undefined
}

interface Case {
  readonly group: Group
  readonly lost: Member
  readonly survivors: readonly Member[]
  readonly sizeBytes: number
}

export function planRepair(view: ClusterView, { limits, massLoss }: RepairOptions, random: RandomChoice): MemberPlan {
  const steps: MemberStep[] = []
  const waiting: Waiting[] = []
  const slotsBack = new SlotsBack(view)
  for (const group of view.groups) steps.push(...turningBack(view, { group, slotsBack }))
  const changed = new Set(steps.map(({ group }) => group))
  const cases = casesOf(view)
  // Almost always: then nobody need count what is on its way.
  if (cases.length === 0) return { steps, waiting }

  const traffic = new Traffic(view, limits)
  for (const { group, lost, survivors, sizeBytes } of cases) {
    // One change of a group at a time: the next plan sees its new epoch.
    if (changed.has(group.id)) continue
    const choice = chooseFor({ group, lost, survivors, sizeBytes }, { traffic, massLoss, random })
    const known = { duty: 'repair', group: group.id, survivors: survivors.length } as const
    if ('why' in choice) {
      waiting.push({ ...known, server: lost.server, why: choice.why })
      continue
    }
    changed.add(group.id)
    const { chunks } = view.sizeOf(group.id)
    const reason = `server ${shortId(lost.server)} ${whatAils(view, lost.server)}; ${survivors.length} members hold the group`
    steps.push({ ...known, epoch: group.epoch, from: lost.server, to: choice.target, sizeBytes, chunks, reason })
  }
  return { steps, waiting }
}

function casesOf(view: ClusterView): readonly Case[] {
  const cases: Case[] = []
  for (const group of view.groups) {
    for (const lost of group.members) {
      const isToGo = isLost(view.servers.get(lost.server)) || isCramped(view, group, lost)
      if (lost.state === 'leaving' || !isToGo) continue
      const { sizeBytes } = view.sizeOf(group.id)
      cases.push({ group, lost, survivors: survivorsOf(view, group), sizeBytes })
    }
  }
  return cases.sort(
    (a, b) => a.survivors.length - b.survivors.length || a.sizeBytes - b.sizeBytes || a.group.id - b.group.id,
  )
}

function isCramped(view: ClusterView, { id }: Group, { server }: Pick<Member, 'server'>): boolean {
  return view.servers.get(server)?.state === 'up' && view.lacksRoom?.(id, server) === true
}

function whatAils(view: ClusterView, server: ServerId): string {
  const state = view.servers.get(server)?.state ?? 'unknown'
  return state === 'up' ? 'has no room for what it lacks' : `is ${state}`
}

interface CaseContext {
  readonly traffic: Traffic
  readonly massLoss: MassLoss | undefined
  readonly random: RandomChoice
}

function chooseFor({ group, lost, survivors }: Case, { traffic, massLoss, random }: CaseContext): TargetChoice {
  if (survivors.length === 0) return { why: 'no member answers that was seen to hold all of it' }
  if (massLoss !== undefined && survivors.length > 1) {
    return { why: `${massLoss.silent} of ${massLoss.servers} servers fell silent together: holding off` }
  }
  if (traffic.isFull) return { why: 'as many groups are filling as may' }
  const free = survivors.find(({ server }) => !traffic.isBusySource(server))
  // The last survivor is read from however busy it is.
  const source = free ?? (survivors.length === 1 ? survivors[0] : undefined)
  if (source === undefined) return { why: 'every member that holds it is read from by as many groups as may' }
  const choice = traffic.choose(group, lost.server, random)
  if ('target' in choice) traffic.add(group, choice.target, source.server)
  return choice
}

/** The slot goes back to a member that died and returned, where that holds more than its replacement does yet, or where that has room and its replacement has none. */
function turningBack(
  view: ClusterView,
  { group, slotsBack }: { readonly group: Group; readonly slotsBack: SlotsBack },
): readonly MemberStep[] {
  for (const member of group.members) {
    // After a drain that was cancelled too; where a rebalance is under way both are up, and it goes on.
    if (member.state !== 'filling' || member.duty === 'rebalance') continue
    const former = leavingBeside(group, member)
    const server = former && view.servers.get(former.server)
    if (server?.state !== 'up' || isCramped(view, group, { server: server.id })) continue
    const isReplaced = view.servers.get(member.server)?.state === 'up' && !isCramped(view, group, member)
    if (server.isUnsteady === true && isReplaced) continue
    const held = view.heldBy(group.id, server.id)
    const { chunks, sizeBytes } = view.sizeOf(group.id)
    const lackedBytes = chunks === 0 ? 0 : Math.round((sizeBytes * Math.max(0, chunks - held)) / chunks)
    const isAhead = held > view.heldBy(group.id, member.server)
    // One that holds nothing, too: as a member of the group it is no target for anybody else's plan.
    const hasRoomInstead = isCramped(view, group, member) && server.freeBytes >= lackedBytes
    if (!(isAhead || hasRoomInstead) || !slotsBack.admits(server, { group, instead: member })) continue
    const survivors = survivorsOf(view, group).length
    return [
      {
        ...{ duty: 'repair', group: group.id, epoch: group.epoch, from: member.server, to: server.id, survivors },
        chunks: Math.max(0, chunks - held),
        sizeBytes: lackedBytes,
        reason: `server ${shortId(server.id)} returned with ${held} of ${chunks} chunks, before its replacement was done`,
      },
    ]
  }
  return noSteps
}

const noSteps: readonly MemberStep[] = []

/**
 * Plans moves for groups whose members stand closer together than they need to: of a time with fewer failure domains than copies, or of
 * domains that were named anew. One of two members in the same domain goes to a server of another.
 *
 * Until such moves are done `crowding` says what one lost domain would take. Where there are no domains to move to there is nothing to plan.
 * Pure: a view and a seed replay every plan.
 * @module
 */
import type { Group } from '../wire/types/cluster-map.ts'
import { failureDomainOf, writingMembers } from './cluster-map.ts'
import { type ClusterView, type MemberPlan, type MemberStep, type PlanLimits, spreadOf } from './cluster-view.ts'
import type { InDomain } from './domain-spread.ts'
import type { RandomChoice } from './random-choice.ts'
import { shortId, Traffic } from './target-choice.ts'

export function planSpread(
  view: ClusterView,
  { limits }: { readonly limits: PlanLimits },
  random: RandomChoice,
): MemberPlan {
  const steps: MemberStep[] = []
  const outermost = outermostOf(view.servers)
  const closeGroups = view.groups.filter(({ members }) => mostTogether(members, outermost) >= 2)
  // Almost always: then nobody need count what is on its way.
  if (closeGroups.length === 0) return { steps, waiting: [] }
  const spread = spreadOf(view)
  const traffic = new Traffic(view, limits)
  const domainsOf = (members: Members) => members.flatMap(({ server }) => view.servers.get(server)?.domain ?? [])
  for (const group of closeGroups) {
    if (traffic.isFull) break
    const { members } = group
    if (members.some(({ state, server }) => state !== 'in' || !view.isProven(group, server))) continue
    const crowded = members.find((member) => {
      const domain = view.servers.get(member.server)?.domain
      return (
        domain !== undefined &&
        !spread.admits(domain, domainsOf(members.filter((other) => other !== member)), members.length)
      )
    })
    if (crowded === undefined) continue
    const choice = traffic.choose(group, crowded.server, random)
    if ('why' in choice) continue
    traffic.add(group, choice.target, undefined)
    const { sizeBytes, chunks } = view.sizeOf(group.id)
    const known = { duty: 'rebalance', group: group.id, epoch: group.epoch, survivors: members.length } as const
    const reason = `server ${shortId(crowded.server)} shares ${view.servers.get(crowded.server)?.domain} with another member`
    steps.push({ ...known, from: crowded.server, to: choice.target, sizeBytes, chunks, reason })
  }
  return { steps, waiting: [] }
}

/** What the loss of one outermost domain would take, at the worst. */
export interface Crowding {
  /** Of `of` copies. */
  readonly copies: number
  readonly of: number
  readonly groups: number
  /** Outermost domains that there are. */
  readonly domains: number
}

/** @returns undefined: no domain holds two members of a group */
export function crowdingOf(groups: readonly Group[], servers: ReadonlyMap<MemberId, InDomain>): Crowding | undefined {
  const outermost = outermostOf(servers)
  let worst: { copies: number; of: number; groups: number } | undefined
  for (const group of groups) {
    const members = writingMembers(group)
    const copies = mostTogether(members, outermost)
    if (copies < 2 || (worst !== undefined && copies < worst.copies)) continue
    if (worst?.copies === copies) worst.groups++
    else worst = { copies, of: members.length, groups: 1 }
  }
  return worst === undefined ? undefined : { ...worst, domains: new Set(outermost.values()).size }
}

type Members = Group['members']
type MemberId = Members[number]['server']

function outermostOf(servers: ReadonlyMap<MemberId, InDomain>): ReadonlyMap<MemberId, string> {
  return new Map(Array.from(servers, ([id, server]) => [id, failureDomainOf(server)]))
}

/** Members in the outermost domain that holds most of them. Of every group, almost all apart: so nothing is made for it. */
function mostTogether(members: Members, outermost: ReadonlyMap<MemberId, string>): number {
  let most = 0
  for (const { server } of members) {
    const domain = outermost.get(server)
    if (domain === undefined) continue
    let together = 0
    for (const other of members) if (outermost.get(other.server) === domain) together++
    if (together > most) most = together
  }
  return most
}

/**
 * Plans what a server that is to leave (drain) still has to give away: group by group, its slot goes to another server.
 *
 * It keeps serving reads, and takes writes of groups that it has not begun to give away. A group under another change is left
 * until that is done, so draining never takes a group below the members it has.
 * Pure.
 * @module
 */
import {
  type ClusterView,
  type MemberPlan,
  type MemberStep,
  type PlanLimits,
  survivorsOf,
  type Waiting,
} from './cluster-view.ts'
import type { RandomChoice } from './random-choice.ts'
import { shortId, Traffic } from './target-choice.ts'

export function planDrain(
  view: ClusterView,
  { limits, busy }: { readonly limits: PlanLimits; readonly busy: ReadonlySet<number> },
  random: RandomChoice,
): MemberPlan {
  const steps: MemberStep[] = []
  const waiting: Waiting[] = []
  // Almost always: then nobody need look through all groups.
  if (![...view.servers.values()].some(({ state }) => state === 'draining')) return { steps, waiting }
  const traffic = new Traffic(view, limits)
  for (const group of view.groups) {
    const leaving = group.members.find(
      ({ server, state }) => state !== 'leaving' && view.servers.get(server)?.state === 'draining',
    )
    if (leaving === undefined) continue
    const survivors = survivorsOf(view, group).length
    const known = { duty: 'drain', group: group.id, survivors } as const
    const isChanging = group.members.some(({ state }) => state !== 'in') || busy.has(group.id)
    const choice = isChanging
      ? { why: 'another change of the group comes first' }
      : traffic.isFull
        ? { why: 'as many groups are filling as may' }
        : traffic.choose(group, leaving.server, random)
    if ('why' in choice) {
      waiting.push({ ...known, server: leaving.server, why: choice.why })
      continue
    }
    traffic.add(group, choice.target, undefined)
    const { sizeBytes, chunks } = view.sizeOf(group.id)
    const reason = `server ${shortId(leaving.server)} is to leave`
    steps.push({ ...known, epoch: group.epoch, from: leaving.server, to: choice.target, sizeBytes, chunks, reason })
  }
  return { steps, waiting }
}

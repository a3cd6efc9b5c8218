/**
 * Plans what cancelling a duty takes back: a member that the duty has filling gives its slot back to the one that it was to
 * replace, where that one still answers. It holds all but what was written meanwhile, so little is copied.
 *
 * What cannot be taken back stays as it is: its slot has nobody else.
 * Pure.
 * @module
 */
import type { MemberDuty } from '../wire/types/cluster-map.ts'
import type { ClusterView, MemberPlan, MemberStep, Waiting } from './cluster-view.ts'
import { SlotsBack, survivorsOf } from './cluster-view.ts'
import { leavingBeside } from './member-change.ts'
import { isAway } from './placement.ts'
import { shortId } from './target-choice.ts'

export function planCancel(view: ClusterView, duty: MemberDuty): MemberPlan {
  const steps: MemberStep[] = []
  const waiting: Waiting[] = []
  const slotsBack = new SlotsBack(view)
  for (const group of view.groups) {
    const survivors = survivorsOf(view, group).length
    for (const filling of group.members) {
      if (filling.state !== 'filling' || filling.duty !== duty) continue
      const former = leavingBeside(group, filling)
      const known = { group: group.id, survivors }
      const server = former && view.servers.get(former.server)
      if (server === undefined || isAway(server)) {
        const why = 'the members that were replaced do not answer'
        waiting.push({ ...known, duty, server: filling.server, why })
        continue
      }
      if (!slotsBack.admits(server, { group, instead: filling })) {
        const why = `another member stands in ${server.domain} now, where the one that was replaced is`
        waiting.push({ ...known, duty, server: filling.server, why })
        continue
      }
      const { chunks, sizeBytes } = view.sizeOf(group.id)
      const left = Math.max(0, chunks - view.heldBy(group.id, server.id))
      // Not of the duty itself, which may be paused: what was given back must be whole soon.
      steps.push({
        ...{ ...known, duty: 'repair', epoch: group.epoch, from: filling.server, to: server.id, chunks: left },
        sizeBytes: chunks === 0 ? 0 : Math.round((sizeBytes * left) / chunks),
        reason: `${duty} was cancelled: server ${shortId(server.id)} keeps its place`,
      })
      // One change of a group at a time: its epoch rises.
      break
    }
  }
  return { steps, waiting }
}

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serverId } from '../../test/cluster/planned-cluster.ts'
import type { GroupId, ServerId } from '../base/ids.ts'
import type { Rising } from '../base/rising.ts'
import { seededRandom } from '../env/seeded-random.ts'
import type { Group } from '../wire/types/cluster-map.ts'
import type { ClusterView, ServerView } from './cluster-view.ts'
import { replaceMember, settleMember } from './member-change.ts'
import { crowdingOf, planSpread } from './plan-spread.ts'

const limits = { perServer: 4, inAll: 64 }

function viewOf(domains: readonly string[], sets: readonly (readonly number[])[]): ClusterView {
  const servers = new Map<ServerId, ServerView>()
  for (const [index, domain] of domains.entries()) {
    const facts = { state: 'up', capacityBytes: 1e9, freeBytes: 1e9, isInMaintenance: false, silentMs: 0 } as const
    servers.set(serverId(index), { id: serverId(index), domain, ...facts })
  }
  const groups = sets.map(
    (members, index): Group => ({
      id: (index + 1) as GroupId,
      epoch: 1 as Rising,
      policy: 'replicated-3',
      members: members.map((server, slot) => ({ server: serverId(server), slot, state: 'in' })),
    }),
  )
  return {
    groups,
    servers,
    sizeOf: () => ({ chunks: 1, sizeBytes: 1000 }),
    isProven: () => true,
    heldBy: () => 1,
  }
}

const twoRacks = ['a/1', 'b/1', 'c/2', 'd/2']
const groups = [
  [0, 1, 2],
  [0, 2, 3],
]

test('crowdingOf() says what one lost rack takes at the worst', () => {
  const view = viewOf(twoRacks, groups)
  assert.deepEqual(crowdingOf(view.groups, view.servers), { copies: 2, of: 3, groups: 2, domains: 2 })
  const apart = viewOf(['a/1', 'b/2', 'c/3'], [[0, 1, 2]])
  assert.equal(crowdingOf(apart.groups, apart.servers), undefined)
})

test('planSpread() plans nothing while there is no rack to move to', () => {
  assert.deepEqual(planSpread(viewOf(twoRacks, groups), { limits }, seededRandom(1)).steps, [])
})

test('planSpread() moves members apart when a rack is added, once each, until no rack holds two', () => {
  let view = viewOf([...twoRacks, 'e/3'], groups)
  const random = seededRandom(1)
  let moved = 0
  for (let rounds = 0; rounds < 5; rounds++) {
    const { steps } = planSpread(view, { limits }, random)
    moved += steps.length
    const changed = view.groups.map((group) => {
      const step = steps.find((each) => each.group === group.id)
      if (step === undefined) return group
      const begun = replaceMember(group, step, (group.epoch + 1) as Rising)
      return settleMember(begun, { group: group.id, epoch: begun.epoch, joined: step.to })
    })
    view = { ...view, groups: changed }
  }
  assert.equal(moved, 2)
  assert.equal(crowdingOf(view.groups, view.servers), undefined)
})

test('planSpread() leaves a group alone that is changing, or was not seen to be whole', () => {
  const view = viewOf([...twoRacks, 'e/3'], groups)
  assert.deepEqual(planSpread({ ...view, isProven: () => false }, { limits }, seededRandom(1)).steps, [])
})

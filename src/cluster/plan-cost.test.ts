import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PlannedCluster, serverId } from '../../test/cluster/planned-cluster.ts'
import { seededRandom } from '../env/seeded-random.ts'
import type { MemberStep } from './cluster-view.ts'
import { planCost } from './plan-cost.ts'

const cluster = new PlannedCluster({ servers: 5 }, seededRandom(1))
const group = cluster.groups[0] ?? assert.fail('no group')
const [first, second, third] = group.members.map(({ server }) => server)
const outside = [0, 1, 2, 3, 4].map(serverId).filter((id) => !group.members.some(({ server }) => server === id))
assert.ok(first !== undefined && second !== undefined && third !== undefined && outside[0] !== undefined)
const step: MemberStep = {
  ...{ duty: 'rebalance', group: group.id, epoch: group.epoch, from: first, to: outside[0] },
  ...{ sizeBytes: 900, chunks: 3, survivors: 3, reason: 'a test' },
}

test('planCost(): each source reads its share, the target writes and reads back; the busiest disk decides', () => {
  const bytesPerSecond = () => 100
  const cost = planCost([step], { view: cluster.view(), bytesPerSecond })
  assert.deepEqual(cost, { sizeBytes: 900, busiestLinkBytes: 900, diskBytes: 2700, diskMs: 18_000 })
  const slow = planCost([step], { view: cluster.view(), bytesPerSecond: (id) => (id === second ? 1 : 100) })
  assert.equal(slow.diskMs, 300_000)
})

test('planCost() names no time where the rate of a disk that takes part is not known, and does where another is', () => {
  const rates = (unknown: string | undefined) => (id: string) => (id === unknown ? undefined : 100)
  assert.equal(planCost([step], { view: cluster.view(), bytesPerSecond: rates(third) }).diskMs, undefined)
  assert.equal(planCost([step], { view: cluster.view(), bytesPerSecond: rates(outside[1]) }).diskMs, 18_000)
})

test('planCost(): what has no bytes costs nothing', () => {
  const nothing = { sizeBytes: 0, busiestLinkBytes: 0, diskBytes: 0, diskMs: 0 }
  const view = cluster.view()
  assert.deepEqual(planCost([], { view, bytesPerSecond: () => undefined }), nothing)
  assert.deepEqual(planCost([{ ...step, sizeBytes: 0 }], { view, bytesPerSecond: () => undefined }), nothing)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PlannedCluster, serverId } from '../../test/cluster/planned-cluster.ts'
import type { ServerId } from '../base/ids.ts'
import { seededRandom } from '../env/seeded-random.ts'
import type { ClusterView } from './cluster-view.ts'
import type { GroupLayout } from './placement-layouts.ts'
import { planLayoutMoves } from './placement-moves.ts'
import { strategyOf } from './placement-strategy.ts'
import { planRebalance } from './plan-rebalance.ts'
import { planRepair } from './plan-repair.ts'

const limits = { perServer: 4, inAll: 256 }
const maxPlans = 400

function cluster(servers: number, serversPerDomain = 1): PlannedCluster {
  const planned = new PlannedCluster({ servers, serversPerDomain, capacityBytes: 1e12 }, seededRandom(1))
  for (const { id } of planned.groups) planned.setSize(id, 1e9)
  return planned
}

function ringOf({ servers }: PlannedCluster): GroupLayout {
  const staying = [...servers.values()].filter(({ state }) => state === 'up')
  return strategyOf('consistent-hash').layout?.(staying) as GroupLayout
}

function membersOf(planned: PlannedCluster, group: ClusterView['groups'][number]): readonly ServerId[] {
  return planned.group(group.id).members.map(({ server }) => server)
}

test('planLayoutMoves() brings every group to its layout, one member at a time, in distinct domains, and ends', () => {
  fc.assert(
    fc.property(fc.integer({ min: 9, max: 30 }), fc.integer({ min: 1, max: 3 }), (servers, serversPerDomain) => {
      const planned = cluster(servers, serversPerDomain)
      const layout = ringOf(planned)
      let plans = 0
      for (let isDone = false; !isDone; plans++) {
        assert.ok(plans < maxPlans, 'it goes on and on')
        const { steps } = planLayoutMoves(planned.view(), layout, limits)
        isDone = steps.length === 0
        for (const step of steps) {
          const wanted = layout(step.group, 3)
          assert.ok(wanted.includes(step.to) && !wanted.includes(step.from))
          planned.begin(step)
        }
        planned.settleAll()
        for (const group of planned.groups) {
          const domains = membersOf(planned, group).map((id) => planned.servers.get(id)?.domain)
          assert.equal(new Set(domains).size, 3)
        }
      }
      for (const group of planned.groups) {
        assert.deepEqual([...membersOf(planned, group)].sort(), [...layout(group.id, 3)].sort())
      }
    }),
    { numRuns: 25 },
  )
})

test('planLayoutMoves() keeps to its limits, counts what is under way, and leaves alone who is full', () => {
  const planned = cluster(12)
  const layout = ringOf(planned)
  const first = planLayoutMoves(planned.view(), layout, { perServer: 2, inAll: 5 })
  assert.equal(first.steps.length, 5)
  for (const step of first.steps) planned.begin(step)
  assert.equal(planLayoutMoves(planned.view(), layout, { perServer: 2, inAll: 5 }).steps.length, 0)
  planned.settleAll()
  const full = serverId(3)
  const view = planned.view()
  planned.change(full, { freeBytes: 10 })
  const steps = planLayoutMoves(view, layout, { perServer: 100, inAll: 1000 }).steps
  assert.ok(steps.length > 0)
  assert.ok(steps.every(({ to }) => to !== full))
})

test('planRebalance() follows the layout where there is one', () => {
  const planned = cluster(12)
  const layout = ringOf(planned)
  assert.equal(planRebalance(planned.view(), {}).steps.length, 0)
  const { steps } = planRebalance({ ...planned.view(), layout }, {})
  assert.ok(steps.length > 0)
  assert.ok(steps.every(({ group, to }) => layout(group, 3).includes(to)))
})

test('planRepair() puts a member where the layout without the dead server wants it', () => {
  const planned = cluster(12)
  for (let plans = 0; plans < maxPlans; plans++) {
    const { steps } = planLayoutMoves(planned.view(), ringOf(planned), limits)
    for (const step of steps) planned.begin(step)
    planned.settleAll()
  }
  planned.kill(serverId(0))
  const layout = ringOf(planned)
  const { steps } = planRepair(
    { ...planned.view(), layout },
    { limits: { perServer: 64, inAll: 4096 }, massLoss: undefined },
    seededRandom(1),
  )
  assert.ok(steps.length > 10)
  assert.ok(steps.every(({ group, to }) => layout(group, 3).includes(to)))
})

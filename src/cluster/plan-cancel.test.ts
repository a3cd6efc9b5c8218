import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PlannedCluster, serverId } from '../../test/cluster/planned-cluster.ts'
import type { ServerId } from '../base/ids.ts'
import { seededRandom } from '../env/seeded-random.ts'
import { planCancel } from './plan-cancel.ts'
import { planDrain } from './plan-drain.ts'
import { planRepair } from './plan-repair.ts'

const limits = { perServer: 64, inAll: 4096 }

/** Six servers, one of which drains: some of its groups are under way. */
function draining(): PlannedCluster {
  const cluster = new PlannedCluster({ servers: 6 }, seededRandom(7))
  for (const { id } of cluster.groups) cluster.setSize(id, 1e9)
  cluster.change(serverId(5), { state: 'draining' })
  const plan = planDrain(cluster.view(), { limits: { ...limits, inAll: 10 }, busy: new Set() }, seededRandom(1))
  for (const step of plan.steps) cluster.begin(step)
  return cluster
}

test('planCancel() gives every slot that the duty has filling back, once, and leaves those of other duties', () => {
  const cluster = draining()
  assert.deepEqual(planCancel(cluster.view(), 'rebalance'), { steps: [], waiting: [] })
  const { steps, waiting } = planCancel(cluster.view(), 'drain')
  assert.equal(steps.length, 10)
  assert.deepEqual(waiting, [])
  assert.ok(steps.every(({ to, duty }) => to === serverId(5) && duty === 'repair'))
  for (const step of steps) cluster.begin(step)
  assert.deepEqual(planCancel(cluster.view(), 'drain'), { steps: [], waiting: [] }, 'and no way back again')
  cluster.settleAll()
  assert.ok(cluster.groups.every(({ members }) => members.length === 3))
})

test('planCancel() leaves what nobody can take back, and says so', () => {
  const cluster = draining()
  cluster.kill(serverId(5))
  const { steps, waiting } = planCancel(cluster.view(), 'drain')
  assert.deepEqual(steps, [])
  assert.equal(waiting.length, 10)
  assert.ok(waiting.every(({ why }) => why.includes('do not answer')))
})

test('planCancel() gives no slot back where another one went to a neighbour meanwhile', () => {
  const cluster = new PlannedCluster({ servers: 8, serversPerDomain: 2 }, seededRandom(7))
  for (const { id } of cluster.groups) cluster.setSize(id, 1e9)
  const [drained, neighbour] = [serverId(0), serverId(1)]
  cluster.change(drained, { state: 'draining' })
  const drain = planDrain(cluster.view(), { limits, busy: new Set() }, seededRandom(1))
  const step = drain.steps.find(({ to }) => to !== neighbour)
  assert.ok(step !== undefined)
  cluster.begin(step)
  const second = cluster.group(step.group).members.find(({ state }) => state === 'in')?.server as ServerId
  cluster.kill(second)
  for (let index = 2; index < 8; index++) cluster.change(serverId(index), { refusal: 'disk-full' })
  const repair = planRepair(cluster.view(), { limits, massLoss: undefined }, seededRandom(1))
  const next = repair.steps.find(({ group }) => group === step.group)
  assert.ok(next !== undefined)
  assert.equal(next.to, neighbour)
  assert.equal(planCancel(cluster.view(), 'drain').steps.length, 1, 'nobody stands beside it yet')
  cluster.begin(next)
  const { steps, waiting } = planCancel(cluster.view(), 'drain')
  assert.deepEqual(steps, [])
  assert.match(waiting[0]?.why ?? '', /stands in host-0 now/)
})

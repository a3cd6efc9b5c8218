import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PlannedCluster, serverId } from '../../test/cluster/planned-cluster.ts'
import { seededRandom } from '../env/seeded-random.ts'
import { planCancel } from './plan-cancel.ts'
import { planDrain } from './plan-drain.ts'

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

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PlannedCluster, serverId } from '../../test/cluster/planned-cluster.ts'
import { seededRandom } from '../env/seeded-random.ts'
import { planDrain } from './plan-drain.ts'

const limits = { perServer: 64, inAll: 4096 }
const random = seededRandom(3)

function plan(cluster: PlannedCluster, busy: ReadonlySet<number> = new Set()) {
  return planDrain(cluster.view(), { limits, busy }, random)
}

test('planDrain() gives away every group of a draining server, and of no other', () => {
  const cluster = new PlannedCluster({ servers: 6 }, seededRandom(1))
  assert.deepEqual(plan(cluster), { steps: [], waiting: [] })
  cluster.change(serverId(2), { state: 'draining' })
  const { steps, waiting } = plan(cluster)
  const own = cluster.groups.filter(({ members }) => members.some(({ server }) => server === serverId(2)))
  assert.deepEqual(steps.map(({ group }) => group).sort(), own.map(({ id }) => id).sort())
  assert.ok(steps.every(({ from, to }) => from === serverId(2) && to !== serverId(2)))
  assert.deepEqual(waiting, [])
})

// FAULTS.md 42: a drain on top of a repair would leave the group with too few.
test('planDrain() leaves groups alone that are under another change, or about to be', () => {
  const cluster = new PlannedCluster({ servers: 6 }, seededRandom(1))
  cluster.change(serverId(2), { state: 'draining' })
  const [first, second] = plan(cluster).steps
  assert.ok(first !== undefined && second !== undefined)
  cluster.begin(first)
  const { steps, waiting } = plan(cluster, new Set([second.group]))
  assert.ok(!steps.some(({ group }) => group === first.group || group === second.group))
  assert.ok(waiting.some(({ group, why }) => group === second.group && why.includes('another change')))
})

test('planDrain() empties servers that leave together, step by step, and keeps three domains to each group', () => {
  fc.assert(
    fc.property(fc.integer({ min: 6, max: 20 }), fc.integer({ min: 1, max: 2 }), fc.nat(), (servers, leaving, seed) => {
      const cluster = new PlannedCluster({ servers }, seededRandom(seed))
      for (const { id } of cluster.groups) cluster.setSize(id, 1e6)
      for (let index = 0; index < leaving; index++) cluster.change(serverId(index), { state: 'draining' })
      for (let rounds = 0; rounds < 20; rounds++) {
        const { steps } = plan(cluster)
        if (steps.length === 0) break
        for (const step of steps) cluster.begin(step)
        cluster.settleAll()
      }
      for (const { members } of cluster.groups) {
        assert.equal(new Set(members.map(({ server }) => server)).size, 3)
        for (const { server } of members) assert.equal(cluster.servers.get(server)?.state, 'up')
      }
    }),
    { numRuns: 30 },
  )
})

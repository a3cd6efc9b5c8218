import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeCluster } from '../../test/cluster/fake-cluster.ts'
import { getStatus } from '../wire/methods/cluster-methods.ts'
import { applySteps, cancelDuty, pauseDuty, planDuty } from '../wire/methods/duty-methods.ts'
import { getMap } from '../wire/methods/session-methods.ts'
import { releaseAllocations } from '../wire/methods/write-methods.ts'

const capacity = 1000
const text = 'ten bytes!'
const files = 40

async function startFilled(): Promise<FakeCluster> {
  const cluster = await FakeCluster.start({
    capacities: [capacity, capacity, capacity, capacity],
    settings: { deadAfterMs: 6000 },
  })
  for (let count = 0; count < files; count++) await cluster.put(`/file-${count}`, text)
  await cluster.call(releaseAllocations, { session: cluster.session, allocations: cluster.allocations.splice(0) })
  return cluster
}

const usedBy = (cluster: FakeCluster, index: number) => cluster.server(index).usedBytes

async function isSettled(cluster: FakeCluster): Promise<boolean> {
  const { map } = await cluster.call(getMap, {})
  return map?.groups.every(({ members }) => members.length === 3) === true
}

test('a server that is added gets its share of what is there, and no file loses a copy', async () => {
  await using cluster = await startFilled()
  cluster.addServer({ capacityBytes: capacity }).start()
  await cluster.allRegistered()
  const fairShare = (3 * files * text.length) / 5
  await cluster.clock.until(() => usedBy(cluster, 4) >= 0.8 * fairShare, 'a fair share')
  await cluster.clock.until(() => isSettled(cluster), 'the end of all moves')
  await cluster.clock.advance(30_000)
  const { steps } = await cluster.call(planDuty, { duty: 'rebalance' })
  assert.deepEqual(steps, [], 'nothing is left to move')
  const total = cluster.servers.reduce((sum, { usedBytes }) => sum + usedBytes, 0)
  assert.equal(total, 3 * files * text.length, 'what moved is gone from where it was')
})

test('a rebalance waits while a repair is to be done, and while it is paused', async () => {
  await using cluster = await startFilled()
  await cluster.call(pauseDuty, { duty: 'rebalance', paused: true })
  cluster.addServer({ capacityBytes: capacity }).start()
  await cluster.allRegistered()
  await cluster.clock.advance(20_000)
  assert.equal(usedBy(cluster, 4), 0)
  await cluster.call(pauseDuty, { duty: 'repair', paused: true })
  cluster.server(0).kill()
  await cluster.clock.advance(10_000)
  await cluster.call(pauseDuty, { duty: 'rebalance', paused: false })
  await cluster.call(pauseDuty, { duty: 'repair', paused: false })
  const workOf = async (duty: string) =>
    (await cluster.call(getStatus, {})).status.work?.find((each) => each.duty === duty)
  let hasRepaired = false
  await cluster.clock.until(async () => {
    const repair = await workOf('repair')
    if (repair?.state === 'working') hasRepaired = true
    if (repair?.state !== 'idle') assert.equal((await workOf('rebalance'))?.groupsUnderWay, 0)
    return hasRepaired && repair?.state === 'idle'
  }, 'repair')
})

test('cancelDuty() gives groups under way back to their members, begins nothing, and goes on when it is resumed', async () => {
  await using cluster = await startFilled()
  // Paused, what is applied by hand is begun and not filled: so there is something under way to take back.
  await cluster.call(pauseDuty, { duty: 'rebalance', paused: true })
  const newcomer = cluster.addServer({ capacityBytes: capacity })
  newcomer.start()
  await cluster.allRegistered()
  const planned = async () => (await cluster.call(planDuty, { duty: 'rebalance' })).steps
  await cluster.clock.until(async () => (await planned()).length > 0, 'moves are planned')
  const steps = await planned()
  const { begun } = await cluster.call(applySteps, { steps })
  assert.ok(begun > 0)
  /** Steps whose group has the server that was to join as a member. */
  const moved = async () => {
    const { map } = await cluster.call(getMap, {})
    const membersOf = (id: number) => map?.groups.find((group) => group.id === id)?.members ?? []
    return steps.filter(({ group, to }) => membersOf(group).some(({ server }) => server === to))
  }
  assert.equal((await moved()).length, begun)
  const { turnedBack, kept } = await cluster.call(cancelDuty, { duty: 'rebalance' })
  assert.deepEqual([turnedBack, kept], [begun, 0])
  await cluster.clock.until(() => isSettled(cluster), 'what was given back is whole')
  await cluster.clock.advance(20_000)
  assert.deepEqual(await moved(), [])
  const total = () => cluster.servers.reduce((sum, { usedBytes }) => sum + usedBytes, 0)
  await cluster.clock.until(() => total() === 3 * files * text.length, 'three copies of each file, and no more')

  await cluster.call(pauseDuty, { duty: 'rebalance', paused: false })
  await cluster.clock.until(() => usedBy(cluster, 4) > 0, 'it goes on')
})

// Else its groups stay short of a copy for as long as the rebalance is paused or waits, and nobody says so.
test('a move whose old member dies is a repair from then on, also while rebalancing is paused', async () => {
  await using cluster = await startFilled()
  await cluster.call(pauseDuty, { duty: 'rebalance', paused: true })
  cluster.addServer({ capacityBytes: capacity }).start()
  await cluster.allRegistered()
  const planned = async () => (await cluster.call(planDuty, { duty: 'rebalance' })).steps
  await cluster.clock.until(async () => (await planned()).length > 0, 'moves are planned')
  const [step] = await planned()
  assert.ok(step !== undefined)
  assert.equal((await cluster.call(applySteps, { steps: [step] })).begun, 1)
  cluster.servers.find(({ id }) => id === step.from)?.kill()
  const repair = async () => (await cluster.call(getStatus, {})).status.work?.find(({ duty }) => duty === 'repair')
  await cluster.clock.until(async () => (await repair())?.state === 'working', 'the status tells of a repair')
  await cluster.clock.until(() => isSettled(cluster), 'the group is whole')
  await cluster.clock.until(async () => (await repair())?.state === 'idle', 'the end of the repair')
  assert.equal((await cluster.call(getStatus, {})).status.underReplicatedChunks, 0)
})

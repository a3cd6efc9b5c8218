import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeCluster } from '../../test/cluster/fake-cluster.ts'
import { AshlarError } from '../base/errors.ts'
import type { ServerId } from '../base/ids.ts'
import { getNodes, getStatus } from '../wire/methods/cluster-methods.ts'
import { applySteps, changeDuty, pauseDuty, planDuty } from '../wire/methods/duty-methods.ts'
import { explainServer } from '../wire/methods/insight-methods.ts'
import { getMap } from '../wire/methods/session-methods.ts'
import { releaseAllocations } from '../wire/methods/write-methods.ts'
import type { Group, MemberDuty } from '../wire/types/cluster-map.ts'

const deadAfterMs = 6000

async function startWith(servers: number): Promise<FakeCluster> {
  const cluster = await FakeCluster.start({
    capacities: Array.from({ length: servers }, () => 1e9),
    settings: { deadAfterMs },
  })
  for (let count = 0; count < 30; count++) await cluster.put(`/file-${count}`, `text ${count}`)
  await cluster.call(releaseAllocations, { session: cluster.session, allocations: cluster.allocations.splice(0) })
  return cluster
}

const groupsOf = async (cluster: FakeCluster): Promise<readonly Group[]> =>
  (await cluster.call(getMap, {})).map?.groups ?? []
const nodeOf = async (cluster: FakeCluster, index: number) => (await cluster.call(getNodes, {})).nodes[index]
const workOf = async (cluster: FakeCluster, duty: MemberDuty) =>
  (await cluster.call(getStatus, {})).status.work?.find((each) => each.duty === duty)
const idOf = (cluster: FakeCluster, index: number): ServerId => cluster.server(index).id

async function isMember(cluster: FakeCluster, index: number): Promise<boolean> {
  return (await groupsOf(cluster)).some(({ members }) => members.some(({ server }) => server === idOf(cluster, index)))
}

function refuseOrders(cluster: FakeCluster, isRefusing: boolean): void {
  const failure = new AshlarError('disk-failed', 'Cannot copy: the disk failed')
  for (const server of cluster.servers) server.orderFailure = isRefusing ? failure : undefined
}

test('a drained server gives everything away, is emptied and has left; every file has three copies elsewhere', async () => {
  await using cluster = await startWith(5)
  const held = [...cluster.server(4).chunks.keys()]
  assert.ok(held.length > 0)
  await cluster.call(changeDuty, { server: idOf(cluster, 4), change: 'drain' })
  assert.equal((await nodeOf(cluster, 4))?.state, 'draining')
  await cluster.clock.until(async () => (await nodeOf(cluster, 4))?.state === 'left', 'the drain')
  assert.equal(await isMember(cluster, 4), false)
  await cluster.clock.until(() => cluster.server(4).chunks.size === 0, 'its copies go')
  for (const chunk of held) assert.equal(cluster.holders(chunk).length, 3)
  await cluster.restartMaster()
  assert.equal((await nodeOf(cluster, 4))?.state, 'left', 'also after a restart')
  assert.equal(await isMember(cluster, 4), false)
})

test('a draining server keeps all it has, and its groups all their members, until the copies are proven', async () => {
  await using cluster = await startWith(5)
  refuseOrders(cluster, true)
  const held = cluster.server(4).chunks.size
  await cluster.call(changeDuty, { server: idOf(cluster, 4), change: 'drain' })
  await cluster.clock.advance(20_000)
  assert.equal(cluster.server(4).chunks.size, held)
  const node = await nodeOf(cluster, 4)
  assert.equal(node?.state, 'draining')
  assert.ok((node?.groupsLeft ?? 0) > 0 && (node?.bytesLeft ?? 0) > 0)
  assert.equal((await workOf(cluster, 'drain'))?.state, 'working')
  for (const { members } of await groupsOf(cluster)) {
    assert.ok(members.filter(({ state }) => state !== 'filling').length === 3)
  }
  assert.equal((await cluster.call(getStatus, {})).status.underReplicatedChunks, 0, 'a leaving one still counts')
})

test('a drain that is cancelled gives the slots back', async () => {
  await using cluster = await startWith(5)
  refuseOrders(cluster, true)
  await cluster.call(changeDuty, { server: idOf(cluster, 4), change: 'drain' })
  await cluster.clock.advance(5000)
  const isLeaving = async () =>
    (await groupsOf(cluster)).some(({ members }) =>
      members.some(({ server, state }) => server === idOf(cluster, 4) && state === 'leaving'),
    )
  assert.equal(await isLeaving(), true)
  await cluster.call(changeDuty, { server: idOf(cluster, 4), change: 'cancel-drain' })
  refuseOrders(cluster, false)
  const isWhole = async () =>
    (await groupsOf(cluster)).every(
      ({ members }) => members.length === 3 && members.every(({ state }) => state === 'in'),
    )
  await cluster.clock.until(isWhole, 'all is settled')
  assert.equal((await nodeOf(cluster, 4))?.state, 'up')
  assert.equal(await isMember(cluster, 4), true)
})

// FAULTS.md 42: a death during a drain must not take a group below what it had.
test('a server that dies while it drains is repaired for, and has left then', async () => {
  await using cluster = await startWith(6)
  refuseOrders(cluster, true)
  await cluster.call(changeDuty, { server: idOf(cluster, 5), change: 'drain' })
  await cluster.clock.advance(3000)
  cluster.server(5).kill()
  refuseOrders(cluster, false)
  await cluster.clock.until(async () => (await nodeOf(cluster, 5))?.state === 'left', 'repair instead')
  assert.equal(await isMember(cluster, 5), false)
})

test('a drain without anywhere to go waits, and says why', async () => {
  await using cluster = await startWith(3)
  await cluster.call(changeDuty, { server: idOf(cluster, 2), change: 'drain' })
  await cluster.clock.advance(10_000)
  const work = await workOf(cluster, 'drain')
  assert.equal(work?.state, 'waiting')
  assert.match(work?.reason ?? '', /no server can take its place/)
  assert.equal(
    (await groupsOf(cluster)).every(({ members }) => members.every(({ state }) => state === 'in')),
    true,
  )
})

test('nothing is repaired for a server in maintenance, until its time is over', async () => {
  await using cluster = await startWith(5)
  const request = { server: idOf(cluster, 4), change: 'begin-maintenance' } as const
  await assert.rejects(cluster.call(changeDuty, { ...request, forMs: 1 }), { code: 'invalid-argument' })
  await cluster.call(changeDuty, { ...request, forMs: 60_000 })
  cluster.server(4).kill()
  await cluster.clock.advance(deadAfterMs + 20_000)
  const node = await nodeOf(cluster, 4)
  assert.deepEqual([node?.state, node?.silence], ['maintenance', 'dead'])
  const { explanation } = await cluster.call(explainServer, { server: idOf(cluster, 4) })
  assert.deepEqual([explanation.state, explanation.silence], ['maintenance', 'dead'], 'told the same way')
  assert.match(explanation.why, /longer than dead-after .* expects it to be away for .* yet: nothing is repaired/)
  assert.equal(explanation.ifLost.isGone, true)
  assert.ok((node?.maintenanceMs ?? 0) > 0)
  const isUnchanged = async () =>
    (await groupsOf(cluster)).every(({ members }) => members.every(({ state }) => state === 'in'))
  assert.equal(await isUnchanged(), true)
  assert.equal((await cluster.master.status()).serversInMaintenance, 1)
  await cluster.clock.until(async () => !(await isMember(cluster, 4)), 'repair after the maintenance')
  assert.equal((await cluster.master.status()).serversInMaintenance, 0)
})

test('planDuty shows what would be done and does nothing; applySteps refuses what was planned on an older epoch', async () => {
  await using cluster = await startWith(5)
  const before = await groupsOf(cluster)
  const { steps, stepCount, cost } = await cluster.call(planDuty, { duty: 'drain', server: idOf(cluster, 4) })
  assert.ok(stepCount > 0 && steps.every(({ from, reason }) => from === idOf(cluster, 4) && reason !== ''))
  const sizeBytes = steps.reduce((sum, step) => sum + step.sizeBytes, 0)
  assert.deepEqual([cost?.sizeBytes, cost?.diskBytes], [sizeBytes, 3 * sizeBytes])
  assert.deepEqual(await groupsOf(cluster), before)
  const [first, second] = steps
  assert.ok(first !== undefined && second !== undefined)
  const unasked = await cluster.call(applySteps, { steps: [first] })
  assert.equal(unasked.begun, 0)
  assert.match(unasked.refused[0] ?? '', /is not to leave. Ask for it: ashlar drain/)

  await cluster.call(pauseDuty, { duty: 'drain', paused: true })
  await cluster.call(changeDuty, { server: idOf(cluster, 4), change: 'drain' })
  assert.deepEqual(await cluster.call(applySteps, { steps: [first] }), { begun: 1, refused: [], paused: ['drain'] })
  const again = await cluster.call(applySteps, { steps: [first, second] })
  assert.equal(again.begun, 1)
  const third = steps.find(({ group }) => group !== first.group && group !== second.group)
  assert.ok(third !== undefined)
  const member = before.find(({ id }) => id === third.group)?.members.find(({ server }) => server !== third.from)
  const doubled = await cluster.call(applySteps, { steps: [{ ...third, to: member?.server as ServerId }] })
  assert.equal(doubled.begun, 0)
  assert.match(doubled.refused[0] ?? '', /failure domain/)
  assert.match(again.refused[0] ?? '', /planned? .*at \d+. Plan again|the plan was made at/)
})

test('a paused duty begins nothing and copies nothing, also after a restart, and goes on when resumed', async () => {
  await using cluster = await startWith(5)
  await cluster.call(pauseDuty, { duty: 'repair', paused: true })
  await cluster.restartMaster()
  cluster.server(4).kill()
  await cluster.clock.advance(deadAfterMs + 10_000)
  assert.equal(await isMember(cluster, 4), true)
  assert.equal((await workOf(cluster, 'repair'))?.state, 'paused')
  await cluster.call(pauseDuty, { duty: 'repair', paused: false })
  await cluster.clock.until(async () => !(await isMember(cluster, 4)), 'repair')
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { emptySpace, FakeCluster } from '../../test/cluster/fake-cluster.ts'
import { isAshlarError } from '../base/errors.ts'
import type { ServerId } from '../base/ids.ts'
import type { Rising } from '../base/rising.ts'
import { changeSetting, getNodes, getSettings, heartbeat } from '../wire/methods/cluster-methods.ts'
import { getMap } from '../wire/methods/session-methods.ts'

test('register adds servers to the map, persists them, and forms groups of distinct domains', async () => {
  await using cluster = await FakeCluster.start({ capacities: [100, 100, 100, 100] })
  const { map } = await cluster.call(getMap, {})
  assert.equal(map?.servers.length, 4)
  assert.equal(map?.groups.length, 32 + 33)
  assert.equal((await cluster.call(getMap, { knownVersion: map?.version })).map, undefined)
  const { nodes } = await cluster.call(getNodes, {})
  assert.deepEqual(
    nodes.map(({ state, capacityBytes, freeBytes }) => [state, capacityBytes, freeBytes]),
    Array.from({ length: 4 }, () => ['up', 100, 100]),
  )
})

test('a server that joins a running cluster gets groups and takes writes', async () => {
  await using cluster = await FakeCluster.start()
  const before = (await cluster.call(getMap, {})).map
  cluster.addServer({ capacityBytes: 1e9 }).start()
  await cluster.allRegistered()
  const after = (await cluster.call(getMap, {})).map
  assert.ok(before && after && after.version > before.version)
  assert.equal(after.groups.length, before.groups.length + 33)
  await cluster.clock.advance(2000)
  for (let count = 0; count < 20; count++) await cluster.put(`/f${count}`, 'text')
  assert.ok(cluster.server(3).chunks.size > 0)
})

// A cloned data folder: two processes with one identity must not both serve.
test('register refuses a second live incarnation of a server, and takes it once the first is gone', async () => {
  await using cluster = await FakeCluster.start()
  const original = cluster.server(0)
  const clone = cluster.addServer({ capacityBytes: 100, like: original })
  clone.start()
  await cluster.clock.advance(5000)
  assert.ok(isAshlarError(clone.registerFailure, 'in-use'))
  assert.match((clone.registerFailure as Error).message, /another process with this identity is up/)
  assert.equal(clone.isRegistered, false)
  assert.equal(original.isRegistered, true)
  original.kill()
  await cluster.clock.until(() => clone.isRegistered, 'registration of the clone')
})

test('a server is suspect at once when its connection closes, dead after dead-after, and up when it returns', async () => {
  await using cluster = await FakeCluster.start({ settings: { deadAfterMs: 10_000 } })
  const state = () => cluster.master.nodes()[2]?.state
  cluster.server(2).kill()
  await cluster.clock.advance(1)
  assert.equal(state(), 'suspect')
  await cluster.clock.advance(8000)
  assert.equal(state(), 'suspect')
  await cluster.clock.advance(3000)
  assert.equal(state(), 'dead')
  const { map } = await cluster.call(getMap, {})
  assert.equal(map?.servers[2]?.state, 'dead')
  cluster.server(2).start()
  await cluster.allRegistered()
  assert.equal(state(), 'up')
})

test('a server that comes and goes is unsteady by the third time, and steady again after a while; a restart is nothing', async () => {
  await using cluster = await FakeCluster.start({ settings: { deadAfterMs: 10_000 } })
  const isUnsteady = () => cluster.master.nodes()[2]?.unsteady === true
  for (let times = 1; times <= 3; times++) {
    assert.equal(isUnsteady(), false, `after ${times - 1} times`)
    cluster.server(2).kill()
    await cluster.clock.advance(2000)
    cluster.server(2).start()
    await cluster.allRegistered()
  }
  assert.equal(isUnsteady(), true)
  assert.equal(cluster.master.nodes()[2]?.state, 'up', 'it is believed like any other')
  await cluster.clock.advance(20 * 60_000)
  assert.equal(isUnsteady(), false)
})

// SIGSTOP, a machine that slept: the silence was the master's own.
test('a master that was stopped for longer than dead-after takes no server for dead, and still notices one that is', async () => {
  await using cluster = await FakeCluster.start({ settings: { deadAfterMs: 10_000 } })
  const states = () => cluster.master.nodes().map(({ state }) => state)
  cluster.server(2).setStuck(true)
  cluster.clock.jump(60_000)
  for (let step = 0; step < 60; step++) {
    await cluster.clock.advance(100)
    assert.ok(!states().includes('dead'), states().join())
  }
  assert.deepEqual(states(), ['up', 'up', 'suspect'])
  await cluster.clock.advance(6_000)
  assert.deepEqual(states(), ['up', 'up', 'dead'])
})

test('a server that hangs is suspect after three heartbeats, and must register again once it is dead', async () => {
  await using cluster = await FakeCluster.start({ settings: { deadAfterMs: 10_000 } })
  const state = () => cluster.master.nodes()[1]?.state
  cluster.server(1).setStuck(true)
  await cluster.clock.advance(5000)
  assert.equal(state(), 'suspect')
  cluster.server(1).setStuck(false)
  await cluster.clock.advance(1500)
  assert.equal(state(), 'up')
  cluster.server(1).setStuck(true)
  await cluster.clock.advance(12_000)
  assert.equal(state(), 'dead')
  assert.equal(cluster.server(1).isRegistered, false)
  cluster.server(1).setStuck(false)
  await cluster.clock.until(() => state() === 'up', 'registration')
})

test('a heartbeat that arrives late or twice changes nothing, and one of another connection is refused', async () => {
  await using cluster = await FakeCluster.start()
  const { peer, incarnation } = await cluster.registerByHand('ab'.repeat(16) as ServerId)
  const beat = (sequence: number, usedBytes: number, as = incarnation) =>
    cluster.clock.run(() =>
      peer.call(heartbeat, {
        server: 'ab'.repeat(16) as ServerId,
        incarnation: as,
        sequence,
        space: { ...emptySpace, usedBytes },
        digests: [],
        quarantined: [],
      }),
    )
  const usedBytes = () => cluster.master.nodes()[3]?.usedBytes
  await beat(2, 20)
  await beat(1, 10)
  await beat(2, 30)
  assert.equal(usedBytes(), 20)
  await beat(3, 40)
  assert.equal(usedBytes(), 40)
  await assert.rejects(beat(4, 50, 'ff'.repeat(8)), (error) => isAshlarError(error, 'unavailable'))
  peer.close()
})

test('register refuses an id that the connection did not prove', async () => {
  await using cluster = await FakeCluster.start()
  await assert.rejects(cluster.registerByHand('ab'.repeat(16) as ServerId, { claim: cluster.server(0).id }), (error) =>
    isAshlarError(error, 'forbidden'),
  )
  assert.equal(cluster.server(0).isRegistered, true)
})

test('a master that meets a server which follows a later leader ends', async () => {
  await using cluster = await FakeCluster.start()
  cluster.server(0).kill()
  cluster.server(0).leaderEpochSeen = (cluster.server(1).leaderEpochSeen + 1) as Rising
  cluster.server(0).start()
  await cluster.clock.until(() => cluster.fatal.length > 0, 'the end of the master')
  assert.equal(cluster.fatal[0]?.code, 'stale-leader')
})

test('a master that lost the leadership to another ends', async () => {
  await using cluster = await FakeCluster.start()
  const usurper = await cluster.startSecondMaster()
  await cluster.clock.until(() => cluster.fatal.length > 0, 'the end of the first master')
  assert.equal(cluster.fatal.length, 1)
  assert.equal(cluster.fatal[0]?.code, 'stale-leader')
  await cluster.clock.run(() => usurper.close())
})

test('changeSetting persists over a restart, and a new chunk size shows in the map', async () => {
  await using cluster = await FakeCluster.start()
  await cluster.call(changeSetting, { name: 'chunk-size', value: '1K' })
  await cluster.call(changeSetting, { name: 'trash-keep', value: '2h' })
  const { map } = await cluster.call(getMap, {})
  assert.ok(map?.policies.every(({ chunkSizeBytes }) => chunkSizeBytes === 1024))
  await cluster.restartMaster()
  const { settings } = await cluster.call(getSettings, {})
  assert.deepEqual(Object.fromEntries(settings.map(({ name, value }) => [name, value])), {
    'trash-keep': '2h',
    'chunk-size': '1024',
    policy: 'replicated-3',
    'backup-every': '1d',
    'dead-after': '30s',
    'hold-off': '5m',
    'lifecycle-day': '1d',
    'scrub-within': '7d',
    'scrub-rate': '67108864',
    'repair-rate': 'half',
    placement: 'spread',
  })
})

test('a new default policy gets its groups at once', async () => {
  await using cluster = await FakeCluster.start()
  await cluster.call(changeSetting, { name: 'policy', value: 'replicated-1' })
  const chunk = await cluster.put('/single', 'text')
  assert.equal(cluster.holders(chunk).length, 1)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeCluster } from '../../test/cluster/fake-cluster.ts'
import { AshlarError, isAshlarError } from '../base/errors.ts'
import { groupOf } from '../base/ids.ts'
import { changeDuty, pauseDuty } from '../wire/methods/duty-methods.ts'
import { explainGroup, explainRefusal, explainServer } from '../wire/methods/insight-methods.ts'
import { Refusals } from './refusals.ts'

function startWith(servers: number, capacity = 1e9): Promise<FakeCluster> {
  return FakeCluster.start({
    capacities: Array.from({ length: servers }, () => capacity),
    settings: { deadAfterMs: 3000 },
  })
}

test('explainGroup() says why each other server was passed over, and repair does what it says about a death', async () => {
  await using cluster = await startWith(4)
  const chunk = await cluster.put('/a', 'text')
  await cluster.clock.until(() => cluster.master.nodes().every(({ synced }) => synced), 'all synced')
  const ask = async () => (await cluster.call(explainGroup, { group: groupOf(chunk) })).explanation
  const { members, passedOver, passedOverCount, ifLost, chunks } = await ask()
  assert.deepEqual([members.length, passedOverCount, ifLost.length, chunks], [3, 1, 3, 1])
  assert.ok(members.every(({ proven, state, serverState }) => proven && state === 'in' && serverState === 'up'))
  assert.match(passedOver[0]?.reason ?? '', /^would do/)
  const victim = cluster.holders(chunk)[0]
  const loss = ifLost.find(({ server }) => server === victim?.id)
  assert.deepEqual([loss?.lostChunks, loss?.lastCopyChunks, loss?.target], [0, 0, passedOver[0]?.server])
  victim?.kill()
  await cluster.clock.until(async () => (await ask()).members.some(({ server }) => server === loss?.target), 'repair')
})

test('explainGroup() says when a death would leave the last copy, or none', async () => {
  await using cluster = await startWith(3)
  const chunk = await cluster.put('/a', 'text')
  await cluster.clock.until(() => cluster.master.nodes().every(({ synced }) => synced), 'all synced')
  const [one, two, three] = cluster.holders(chunk)
  const lossOf = async () => {
    const { ifLost } = (await cluster.call(explainGroup, { group: groupOf(chunk) })).explanation
    return ifLost.find(({ server }) => server === three?.id)
  }
  one?.kill()
  await cluster.clock.advance(1000)
  assert.deepEqual([(await lossOf())?.lastCopyChunks, (await lossOf())?.lostChunks], [1, 0])
  assert.match((await lossOf())?.why ?? '', /no server can take its place/)
  two?.kill()
  await cluster.clock.advance(1000)
  assert.deepEqual([(await lossOf())?.lastCopyChunks, (await lossOf())?.lostChunks], [0, 1])
})

test('explainServer() says that repair would wait where it is paused, or where so many deaths are held off', async () => {
  await using cluster = await startWith(6)
  await cluster.clock.until(() => cluster.master.nodes().every(({ synced }) => synced), 'all synced')
  const lossOf = async (index: number) =>
    (await cluster.call(explainServer, { server: cluster.server(index).id })).explanation.ifLost
  assert.deepEqual([(await lossOf(0)).waiting, (await lossOf(0)).why], [0, undefined])
  await cluster.call(pauseDuty, { duty: 'repair', paused: true })
  assert.deepEqual([(await lossOf(0)).begun, (await lossOf(0)).why], [0, 'repair is paused'])
  await cluster.call(pauseDuty, { duty: 'repair', paused: false })
  await cluster.call(changeDuty, { server: cluster.server(1).id, change: 'begin-maintenance', forMs: 60_000 })
  assert.match((await lossOf(1)).why ?? '', /it is in maintenance/)
  cluster.server(5).kill()
  await cluster.clock.advance(1000)
  assert.match((await lossOf(0)).why ?? '', /2 of 6 servers fell silent together: holding off/)
})

test('explainServer() says why it is in its state', async () => {
  await using cluster = await startWith(4)
  const { id } = cluster.server(2)
  const ask = async () => (await cluster.call(explainServer, { server: id })).explanation
  assert.match((await ask()).why, /heartbeats come/)
  assert.ok((await ask()).groupsIn > 0)
  cluster.server(2).kill()
  await cluster.clock.advance(1000)
  assert.match((await ask()).why, /counts as dead after 3s/)
  await cluster.clock.advance(4000)
  assert.deepEqual([(await ask()).state, (await ask()).why.includes('longer than dead-after')], ['dead', true])
})

test('a write that finds no place names a refusal, which can be explained', async () => {
  await using cluster = await startWith(3, 100)
  const refusedWrite = async () => {
    try {
      await cluster.allocate('/big', 1000)
      return assert.fail('it found a place')
    } catch (error) {
      assert.ok(isAshlarError(error, 'no-space'))
      return error
    }
  }
  const error = await refusedWrite()
  const id = String(error.details['refusal'])
  assert.ok(error.message.includes(`(refusal ${id})`))
  assert.equal((await refusedWrite()).details['refusal'], id, 'the same again has the same id')
  assert.equal(error.details['stranded'], undefined, 'an error names only those that could not')
  const { refusal } = await cluster.call(explainRefusal, { id })
  assert.deepEqual([refusal.path, refusal.chunkBytes, refusal.passedOverCount, refusal.repeated], ['/big', 1000, 3, 1])
  assert.match(refusal.passedOver[0]?.reason ?? '', /full/)
  await assert.rejects(cluster.call(explainRefusal, { id: 'r0-0' }), (thrown) => isAshlarError(thrown, 'not-found'))
})

test('a refusal names every server, also those that have room and no group in which all have', async () => {
  await using cluster = await FakeCluster.start({ capacities: [50, 5000, 5000] })
  const error = await cluster.allocate('/f', 1000).catch((thrown: unknown) => thrown)
  assert.ok(isAshlarError(error, 'no-space'))
  const { refusal } = await cluster.call(explainRefusal, { id: String(error.details['refusal']) })
  assert.deepEqual(
    refusal.passedOver.map(({ server }) => server).toSorted(),
    cluster.servers.map(({ id }) => id).toSorted(),
  )
  const full = cluster.server(0).id
  for (const { server, reason } of refusal.passedOver) {
    assert.match(reason, server === full ? /^full: / : new RegExp(`free, but .* as ${full.slice(0, 8)} in one`))
  }
})

test('Refusals leave other errors as they are', () => {
  const refusals = new Refusals({ clock: { wallMs: () => 0 } as never, prefix: 'r' })
  const error = new AshlarError('not-found', 'Cannot x: y')
  assert.equal(refusals.named(error, { path: '/', policy: 'p', chunkBytes: 1 }), error)
})

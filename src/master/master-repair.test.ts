import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeCluster, type FakeClusterOptions } from '../../test/cluster/fake-cluster.ts'
import { AshlarError } from '../base/errors.ts'
import { type ChunkId, groupOf } from '../base/ids.ts'
import { getMap } from '../wire/methods/session-methods.ts'
import { releaseAllocations } from '../wire/methods/write-methods.ts'
import type { Group } from '../wire/types/cluster-map.ts'

const deadAfterMs = 6000
const refused = new AshlarError('disk-failed', 'Cannot copy: the disk failed')

async function startWith(servers: number, settings: FakeClusterOptions['settings'] = {}): Promise<FakeCluster> {
  const capacities = Array.from({ length: servers }, () => 1e9)
  return await FakeCluster.start({ capacities, settings: { deadAfterMs, ...settings } })
}

async function groupsOf(cluster: FakeCluster): Promise<readonly Group[]> {
  return (await cluster.call(getMap, {})).map?.groups ?? []
}

async function isWhole(cluster: FakeCluster): Promise<boolean> {
  const alive = new Set(cluster.servers.filter(({ isAlive }) => isAlive).map(({ id }) => id))
  const groups = await groupsOf(cluster)
  return groups.every(
    ({ members }) => members.length === 3 && members.every(({ server, state }) => state === 'in' && alive.has(server)),
  )
}

const groupsFilled = 6

/** A file in each of some groups that have `server` as a member. @returns their chunks: those of /file-0, /file-1 and so on */
async function putInGroupsOf(cluster: FakeCluster, server: number): Promise<ChunkId[]> {
  const { id } = cluster.server(server)
  const wanted = new Set(
    (await groupsOf(cluster))
      .filter(({ members }) => members.some((each) => each.server === id))
      .map((group) => group.id),
  )
  const chunks: ChunkId[] = []
  for (let count = 0; chunks.length < groupsFilled && count < 1000; count++) {
    const chunk = await cluster.put(`/file-${chunks.length}`, `text ${count}`)
    if (wanted.delete(groupOf(chunk))) chunks.push(chunk)
  }
  assert.equal(chunks.length, groupsFilled)
  return chunks
}

async function releaseAll(cluster: FakeCluster): Promise<void> {
  while (cluster.allocations.length > 0) {
    const allocations = cluster.allocations.splice(0, 256)
    await cluster.call(releaseAllocations, { session: cluster.session, allocations })
  }
}

test('a dead server is replaced in every group, and its chunks are copied to the others', async () => {
  await using cluster = await startWith(5)
  const chunks = await putInGroupsOf(cluster, 4)
  cluster.server(4).kill()
  await cluster.clock.advance(deadAfterMs - 2000)
  const before = await groupsOf(cluster)
  assert.ok(
    before.every(({ members }) => members.every(({ state }) => state === 'in')),
    'a suspect one has its time',
  )
  await cluster.clock.until(() => isWhole(cluster), 'repair')
  for (const chunk of chunks) assert.equal(cluster.holders(chunk).filter(({ isAlive }) => isAlive).length, 3)
  const after = await groupsOf(cluster)
  for (const group of before) {
    const isChanged = group.members.some(({ server }) => server === cluster.server(4).id)
    const epoch = after.find(({ id }) => id === group.id)?.epoch as number
    assert.equal(epoch > group.epoch, isChanged, 'the epoch rises with the members')
  }
})

test('a copy is urgent when its source is the last member that is left, and only then', async () => {
  await using cluster = await startWith(5, { holdOffMs: 0 })
  const chunks = await putInGroupsOf(cluster, 4)
  const dying = [1, 4].map((index) => cluster.server(index).id)
  const before = await groupsOf(cluster)
  const survivors = (chunk: ChunkId) =>
    before.find(({ id }) => id === groupOf(chunk))?.members.filter(({ server }) => !dying.includes(server)).length
  for (const index of [1, 4]) cluster.server(index).kill()
  await cluster.clock.until(() => isWhole(cluster), 'repair', 600_000)
  const copies = cluster.servers.flatMap(({ orders }) => orders.filter(({ name }) => name === 'copy'))
  const seen = new Set<number | undefined>()
  for (const chunk of chunks) {
    // The second copy that is made has two sources.
    const first = copies.find((order) => order.chunks.includes(chunk))
    assert.equal(first?.isUrgent, survivors(chunk) === 1)
    seen.add(survivors(chunk))
  }
  assert.deepEqual([...seen].sort(), [1, 2])
})

// Planted: repair counted before the copy was proven.
test('a filling member does not count while its copies fail, nor by a copy whose receipt is wrong', async () => {
  await using cluster = await startWith(4)
  const [chunk] = (await putInGroupsOf(cluster, 3)) as [ChunkId]
  const group = async () => (await groupsOf(cluster)).find(({ id }) => id === groupOf(chunk)) as Group
  const target = cluster.servers.find(({ id, chunks }) => id !== cluster.server(3).id && !chunks.has(chunk))
  assert.ok(target !== undefined)
  target.orderFailure = refused
  cluster.server(3).kill()
  await cluster.clock.until(async () => (await group()).members.some(({ state }) => state === 'filling'), 'a beginning')
  await cluster.clock.advance(20_000)
  assert.deepEqual(
    (await group()).members.map(({ state }) => state).sort(),
    ['filling', 'in', 'in', 'leaving'],
    'the dead one stays until its replacement is proven',
  )
  // What is there without a proof is read before it counts.
  target.isLying = true
  target.orderFailure = undefined
  target.orders.length = 0
  await cluster.clock.until(() => isWhole(cluster), 'repair')
  assert.ok(target.orders.some(({ name, chunks }) => name === 'verify' && chunks.includes(chunk)))
})

test('a repair goes on where it was when the master dies at any step of it', async () => {
  await using cluster = await startWith(5)
  const chunks = await putInGroupsOf(cluster, 4)
  for (const index of [0, 1, 2, 3]) cluster.server(index).orderFailure = refused
  cluster.server(4).kill()
  const filling = async () =>
    (await groupsOf(cluster)).flatMap(({ id, members }) =>
      members.filter(({ state }) => state === 'filling').map(({ server }) => `${id} ${server}`),
    )
  await cluster.clock.until(async () => (await filling()).length === 36, 'all began')
  const begun = (await filling()).sort()
  await cluster.restartMaster()
  await cluster.clock.advance(deadAfterMs + 5000)
  assert.deepEqual((await filling()).sort(), begun, 'the same members fill')
  cluster.server(0).orderFailure = undefined
  await cluster.clock.advance(3000)
  await cluster.restartMaster()
  for (const index of [1, 2, 3]) cluster.server(index).orderFailure = undefined
  await cluster.clock.until(() => isWhole(cluster), 'repair')
  for (const chunk of chunks) assert.equal(cluster.holders(chunk).filter(({ isAlive }) => isAlive).length, 3)
})

test('writes go on while a group is repaired, and have all their copies', async () => {
  await using cluster = await startWith(4)
  await putInGroupsOf(cluster, 3)
  for (const index of [0, 1, 2]) cluster.server(index).orderFailure = refused
  cluster.server(3).kill()
  const isFilling = async () =>
    (await groupsOf(cluster)).some(({ members }) => members.some(({ state }) => state === 'filling'))
  await cluster.clock.until(isFilling, 'a beginning')
  for (let count = 0; count < 8; count++) {
    const chunk = await cluster.put(`/during-${count}`, 'during')
    assert.equal(cluster.holders(chunk).filter(({ isAlive }) => isAlive).length, 3)
  }
})

test('a server that returns before its replacement is done takes its slots back, and only differences are copied', async () => {
  await using cluster = await startWith(4)
  const chunks = await putInGroupsOf(cluster, 3)
  for (const index of [0, 1, 2]) cluster.server(index).orderFailure = refused
  cluster.server(3).kill()
  const isFilling = async () =>
    (await groupsOf(cluster)).some(({ members }) => members.some(({ state }) => state === 'filling'))
  await cluster.clock.until(isFilling, 'a beginning')
  const written: ChunkId[] = []
  for (let count = 0; count < 20; count++) written.push(await cluster.put(`/during-${count}`, 'during'))
  const orders = cluster.server(3).orders.length
  for (const index of [0, 1, 2]) cluster.server(index).orders.length = 0
  cluster.server(3).start()
  await cluster.clock.until(() => isWhole(cluster), 'the slots go back')
  const groups = await groupsOf(cluster)
  for (const chunk of chunks) {
    const group = groups.find(({ id }) => id === groupOf(chunk))
    assert.ok(group?.members.some(({ server }) => server === cluster.server(3).id))
  }
  const copied = cluster
    .server(3)
    .orders.slice(orders)
    .filter(({ name }) => name === 'copy')
  const own = written.filter((chunk) =>
    groups.find(({ id }) => id === groupOf(chunk))?.members.some(({ server }) => server === cluster.server(3).id),
  )
  assert.ok(own.length > 0)
  assert.deepEqual(new Set(copied.flatMap((order) => order.chunks)), new Set(own))
})

// Else a repair is at work for as long as orders wait that will be refused, while nothing is left to do.
test('a server that takes its slots back does not wait for the copies to those that were to replace it', async () => {
  await using cluster = await startWith(4)
  await putInGroupsOf(cluster, 3)
  for (const index of [0, 1, 2]) cluster.server(index).isStuck = true
  cluster.server(3).kill()
  const isCopying = () => [0, 1, 2].some((index) => cluster.server(index).orders.some(({ name }) => name === 'copy'))
  await cluster.clock.until(isCopying, 'copies')
  cluster.server(3).start()
  const startedMs = cluster.clock.monotonicMs()
  await cluster.clock.until(() => isWhole(cluster), 'the slots go back')
  assert.ok(cluster.clock.monotonicMs() - startedMs < 20_000)
})

test('what a replaced server still holds goes when every group is whole, and not before', async () => {
  await using cluster = await startWith(5)
  const chunks = await putInGroupsOf(cluster, 4)
  await releaseAll(cluster)
  cluster.server(4).kill()
  await cluster.clock.until(() => isWhole(cluster), 'repair')
  assert.equal(cluster.server(4).chunks.size > 0, true)
  cluster.server(0).kill()
  cluster.server(4).start()
  await cluster.clock.advance(4000)
  const groups = await groupsOf(cluster)
  const isShort = (chunk: ChunkId) =>
    groups.find(({ id }) => id === groupOf(chunk))?.members.some(({ server }) => server === cluster.server(0).id)
  for (const chunk of chunks.filter(isShort)) assert.ok(cluster.server(4).chunks.has(chunk), 'it may be needed yet')
  cluster.server(0).start()
  const isMember = async (chunk: ChunkId) =>
    (await groupsOf(cluster))
      .find(({ id }) => id === groupOf(chunk))
      ?.members.some(({ server }) => server === cluster.server(4).id)
  await cluster.clock.until(async () => {
    for (const chunk of cluster.server(4).chunks.keys()) if (!(await isMember(chunk))) return false
    return true
  }, 'leftovers go')
  for (const chunk of chunks) assert.equal(cluster.holders(chunk).length, 3)
})

test('a former member is the source when nobody else has a chunk any more', async () => {
  await using cluster = await startWith(4)
  const [chunk] = (await putInGroupsOf(cluster, 3)) as [ChunkId]
  await releaseAll(cluster)
  cluster.server(3).kill()
  await cluster.clock.until(() => isWhole(cluster), 'repair')
  const members = cluster.holders(chunk).filter(({ isAlive }) => isAlive)
  for (const member of members) {
    member.kill()
    member.chunks.delete(chunk)
  }
  for (const member of members) member.start()
  cluster.server(3).start()
  await cluster.clock.until(() => members.every(({ chunks }) => chunks.has(chunk)), 'copies from the former member')
})

test('a file deleted during a repair stays deleted, on every server', async () => {
  await using cluster = await startWith(4)
  const chunks = await putInGroupsOf(cluster, 3)
  await releaseAll(cluster)
  for (const index of [0, 1, 2]) cluster.server(index).orderFailure = refused
  cluster.server(3).kill()
  await cluster.clock.advance(deadAfterMs + 3000)
  await cluster.remove('/file-0')
  await cluster.emptyTrash()
  for (const index of [0, 1, 2]) cluster.server(index).orderFailure = undefined
  await cluster.clock.until(() => isWhole(cluster), 'repair')
  cluster.server(3).start()
  const [first] = chunks as [ChunkId]
  await cluster.clock.until(() => cluster.holders(first).length === 0, 'the deleted chunk is nowhere')
})

test('after a mass loss only what is down to its last member is repaired at once, and nothing is deleted', async () => {
  await using cluster = await startWith(7, { holdOffMs: 60_000 })
  await putInGroupsOf(cluster, 6)
  await releaseAll(cluster)
  for (const index of [5, 6]) cluster.server(index).kill()
  await cluster.clock.advance(deadAfterMs + 10_000)
  await cluster.remove('/file-0')
  await cluster.emptyTrash()
  await cluster.clock.advance(5000)
  const dead = new Set([5, 6].map((index) => cluster.server(index).id))
  for (const { members } of await groupsOf(cluster)) {
    const short = members.filter(({ server, state }) => dead.has(server) && state === 'in').length
    assert.notEqual(short, 2, 'a group with one member left is being repaired')
  }
  assert.equal(
    (await groupsOf(cluster)).some(({ members }) =>
      members.some(({ server, state }) => dead.has(server) && state === 'in'),
    ),
    true,
  )
  assert.ok((await cluster.master.status()).pendingDeletes > 0)
  await cluster.clock.advance(60_000)
  await cluster.clock.until(() => isWhole(cluster), 'repair after the hold-off')
  await cluster.clock.until(
    async () => (await cluster.master.status()).pendingDeletes === 0,
    'deletes after the hold-off',
  )
})

// Planted: a master that takes every server for present at its start forms groups with the dead.
test('a server that was replaced gets no groups and holds nothing off when masters restart', async () => {
  await using cluster = await startWith(6)
  cluster.server(5).kill()
  await cluster.clock.until(() => isWhole(cluster), 'repair')
  for (let restarts = 0; restarts < 2; restarts++) {
    await cluster.restartMaster()
    await cluster.clock.advance(1500)
    assert.equal(cluster.master.nodes()[5]?.state, 'dead')
  }
  cluster.server(4).kill()
  await cluster.clock.until(() => isWhole(cluster), 'repair of the second, without a hold-off')
  cluster.server(5).start()
  const isMember = async () =>
    (await groupsOf(cluster)).some(({ members }) => members.some(({ server }) => server === cluster.server(5).id))
  await cluster.clock.until(isMember, 'groups for the one that returned')
})

// The repair has them queued, and the comparison misses them.
test('what a member owes when it returns is copied once', async () => {
  await using cluster = await startWith(3)
  cluster.server(2).kill()
  await cluster.clock.until(() => cluster.master.nodes().some(({ state }) => state === 'suspect'), 'suspicion')
  const chunks: ChunkId[] = []
  for (let count = 0; count < 200; count++) chunks.push(await cluster.put(`/file-${count}`, `text ${count}`))
  await releaseAll(cluster)
  assert.ok((await cluster.master.status()).underReplicatedChunks >= chunks.length)
  cluster.server(2).orders.length = 0
  cluster.server(2).copyMs = 400
  cluster.server(2).start()
  const isPaid = async () => (await cluster.master.status()).underReplicatedChunks === 0
  await cluster.clock.until(isPaid, 'the debts to be paid')
  await cluster.clock.until(() => cluster.master.nodes().every(({ synced }) => synced), 'all synced')
  const copied = cluster.server(2).orders.flatMap((order) => (order.name === 'copy' ? order.chunks : []))
  assert.equal(new Set(copied).size, chunks.length)
  // One that was just paid may be asked for once more, by who looked a moment before.
  assert.ok(copied.length < chunks.length + 8, `${copied.length} copies of ${chunks.length} chunks`)
})

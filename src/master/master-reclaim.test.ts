import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeCluster, firstChunk } from '../../test/cluster/fake-cluster.ts'
import { AshlarError } from '../base/errors.ts'
import { chunkId, groupOf } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { pauseDuty } from '../wire/methods/duty-methods.ts'
import { keepSession } from '../wire/methods/session-methods.ts'
import { releaseAllocations } from '../wire/methods/write-methods.ts'

test('trash that is emptied gives its space back on every member at once, whenever it happens', async () => {
  await using cluster = await FakeCluster.start()
  for (let round = 0; round < 6; round++) {
    const chunk = await cluster.put('/f', 'text')
    await cluster.remove('/f')
    await cluster.clock.advance(4300)
    assert.equal(cluster.holders(chunk).length, 3)
    assert.equal((await cluster.master.status()).trashBytes, 4)
    await cluster.emptyTrash()
    await cluster.clock.until(() => cluster.holders(chunk).length === 0, 'gc', 200)
    const status = await cluster.master.status()
    assert.deepEqual([status.trashBytes, status.usedBytes, status.pendingDeletes], [0, 0, 0])
  }
})

test('while gc is paused nothing is deleted, and trash whose time is over stays; resumed, both go', async () => {
  await using cluster = await FakeCluster.start({ settings: { trashKeepMs: 20_000 } })
  const emptied = await cluster.put('/emptied', 'text')
  const due = await cluster.put('/due', 'text')
  await cluster.call(pauseDuty, { duty: 'gc', paused: true })
  await cluster.restartMaster()
  assert.deepEqual((await cluster.master.status()).paused, ['gc'])
  await cluster.remove('/emptied')
  await cluster.emptyTrash()
  await cluster.remove('/due')
  await cluster.clock.advance(60_000)
  assert.deepEqual([cluster.holders(emptied).length, cluster.holders(due).length], [3, 3])
  const { pendingDeletes, trashEntries } = await cluster.master.status()
  assert.deepEqual([pendingDeletes, trashEntries], [1, 1])
  await cluster.call(pauseDuty, { duty: 'gc', paused: false })
  await cluster.clock.until(() => cluster.holders(emptied).length + cluster.holders(due).length === 0, 'gc')
})

test('a file removed leaves trash when its time is over', async () => {
  await using cluster = await FakeCluster.start({ settings: { trashKeepMs: 20_000 } })
  const chunk = await cluster.put('/f', 'text')
  await cluster.remove('/f')
  await cluster.clock.advance(15_000)
  assert.equal(cluster.holders(chunk).length, 3)
  await cluster.clock.until(() => cluster.holders(chunk).length === 0, 'purge and gc', 20_000)
})

// A member that is away keeps the delete pending; nobody forgets it.
test('a delete order waits for a member that is away, and is sent again when it returns', async () => {
  await using cluster = await FakeCluster.start()
  const chunk = await cluster.put('/f', 'text')
  await cluster.remove('/f')
  cluster.server(2).kill()
  await cluster.emptyTrash()
  await cluster.clock.until(() => cluster.holders(chunk).length === 1, 'gc on the others')
  assert.equal((await cluster.master.status()).pendingDeletes, 1)
  cluster.server(2).start()
  await cluster.clock.until(() => cluster.holders(chunk).length === 0, 'gc on the returned')
  await cluster.clock.until(async () => (await cluster.master.status()).pendingDeletes === 0, 'confirmation')
})

test('a delete order does not wait for a member that dies meanwhile', async () => {
  await using cluster = await FakeCluster.start({ settings: { deadAfterMs: 10_000 } })
  await cluster.put('/f', 'text')
  await cluster.remove('/f')
  cluster.server(2).kill()
  await cluster.emptyTrash()
  await cluster.clock.advance(5000)
  assert.equal((await cluster.master.status()).pendingDeletes, 1)
  await cluster.clock.until(async () => (await cluster.master.status()).pendingDeletes === 0, 'death', 10_000)
})

test('a delete that happened while a member was dead is caught up when it returns', async () => {
  await using cluster = await FakeCluster.start({ settings: { deadAfterMs: 5000 } })
  const chunk = await cluster.put('/f', 'text')
  const kept = await cluster.put('/g', 'kept')
  cluster.server(2).kill()
  await cluster.clock.until(() => cluster.master.nodes()[2]?.state === 'dead', 'death')
  await cluster.remove('/f')
  await cluster.emptyTrash()
  await cluster.clock.until(async () => (await cluster.master.status()).pendingDeletes === 0, 'confirmation')
  assert.deepEqual(cluster.holders(chunk), [cluster.server(2)])
  await releaseAll(cluster)
  cluster.server(2).start()
  await cluster.clock.until(() => cluster.holders(chunk).length === 0, 'reconcile')
  assert.equal(cluster.holders(kept).length, 3)
})

test('a delete order that fails stays pending and is sent again', async () => {
  await using cluster = await FakeCluster.start()
  const chunk = await cluster.put('/f', 'text')
  await cluster.remove('/f')
  cluster.server(0).orderFailure = new AshlarError('disk-failed', 'Cannot delete: the disk failed')
  await cluster.emptyTrash()
  await cluster.clock.advance(5000)
  assert.deepEqual(cluster.holders(chunk), [cluster.server(0)])
  assert.equal((await cluster.master.status()).pendingDeletes, 1)
  cluster.server(0).orderFailure = undefined
  await cluster.clock.until(() => cluster.holders(chunk).length === 0, 'gc')
})

test('every order carries the epoch of the leader of its time', async () => {
  await using cluster = await FakeCluster.start()
  await cluster.put('/f', 'text')
  await cluster.put('/g', 'text')
  await cluster.remove('/f')
  await cluster.emptyTrash()
  await cluster.clock.until(() => cluster.server(0).chunks.size === 1, 'gc')
  const first = cluster.server(0).orders.at(-1)?.leaderEpoch
  assert.equal(first, (await cluster.master.status()).leaderEpoch)
  await cluster.restartMaster()
  await cluster.remove('/g')
  await cluster.emptyTrash()
  await cluster.clock.until(() => cluster.server(0).chunks.size === 0, 'gc')
  const second = cluster.server(0).orders.at(-1)?.leaderEpoch
  assert.equal(second, (await cluster.master.status()).leaderEpoch)
  assert.ok(first !== undefined && second !== undefined && second > first)
})

// Only chunks of closed allocations can be orphans: what an open one brought may still become a file.
test('a chunk that was never committed goes only after its allocation closed', async () => {
  await using cluster = await FakeCluster.start()
  const allocation = await cluster.allocate('/f', 4)
  await cluster.write(allocation, 'text')
  const chunk = firstChunk(allocation)
  for (let count = 0; count < 6; count++) {
    await cluster.clock.advance(10_000)
    await cluster.call(keepSession, { session: cluster.session, acknowledged: 0 })
  }
  assert.equal(cluster.holders(chunk).length, 3)
  await cluster.call(releaseAllocations, { session: cluster.session, allocations: [allocation] })
  await cluster.clock.until(() => cluster.holders(chunk).length === 0, 'removal of orphans')
})

test('a client that dies in the middle of a put leaves nothing behind', async () => {
  await using cluster = await FakeCluster.start()
  const allocation = await cluster.allocate('/f', 4)
  await cluster.write(allocation, 'text')
  await cluster.clock.advance(limits.sessionLifeMs + 20_000)
  await cluster.clock.until(() => cluster.holders(firstChunk(allocation)).length === 0, 'removal of orphans')
  assert.equal((await cluster.master.status()).openAllocations, 0)
})

test('after a start of the master nothing is deleted for absence until all members of the group were compared', async () => {
  await using cluster = await FakeCluster.start()
  const kept = await cluster.put('/f', 'text')
  const orphan = firstChunk(await cluster.allocate('/orphan', 4))
  await releaseAll(cluster)
  cluster.server(2).kill()
  await cluster.restartMaster()
  cluster.server(0).chunks.set(orphan, Buffer.from('orphan'))
  await cluster.clock.advance(20_000)
  assert.equal(cluster.server(0).chunks.has(orphan), true)
  cluster.server(2).start()
  await cluster.clock.until(() => !cluster.server(0).chunks.has(orphan), 'removal of the orphan')
  assert.equal(cluster.holders(kept).length, 3)
})

// Metadata put back from an older copy is whole in itself, and every chunk written since looks like an orphan.
// Seeds place the orphan in the group of the proof, and in others.
for (const seed of [1, 2, 3, 4, 5, 6]) {
  test(`metadata that is older than what members hold deletes nothing that it does not know, also after another start (seed ${seed})`, async () => {
    await using cluster = await FakeCluster.start({ seed })
    const kept = await cluster.put('/f', 'text')
    const unknown = firstChunk(await cluster.allocate('/orphan', 4))
    await releaseAll(cluster)
    const later = chunkId({ group: groupOf(kept), generation: 0, sequence: 4096 * 50 })
    for (const server of cluster.servers) server.kill()
    for (const { chunks } of cluster.servers) chunks.set(unknown, Buffer.from('text')).set(later, Buffer.from('text'))
    for (const server of cluster.servers) server.start()
    await cluster.allRegistered()
    await cluster.clock.advance(20_000)
    for (const { chunks } of cluster.servers) chunks.delete(later)
    await cluster.clock.advance(20_000)
    await cluster.restartMaster()
    await cluster.clock.advance(20_000)
    assert.equal(cluster.holders(unknown).length, 3)
  })
}

test('a member that lost a chunk, or holds other bytes, gets it again from another', async () => {
  await using cluster = await FakeCluster.start()
  const lost = await cluster.put('/f', 'text')
  const wrong = await cluster.put('/g', 'more')
  await cluster.clock.until(() => cluster.master.nodes().every(({ synced }) => synced), 'all synced')
  await releaseAll(cluster)
  cluster.server(1).kill()
  cluster.server(1).chunks.delete(lost)
  cluster.server(1).chunks.set(wrong, Buffer.from('evil'))
  cluster.server(1).start()
  await cluster.clock.until(() => cluster.server(1).chunks.get(wrong)?.toString() === 'more', 'replacement')
  assert.equal(cluster.server(1).chunks.get(lost)?.toString(), 'text')
  await cluster.clock.until(() => cluster.master.nodes()[1]?.synced === true, 'sync')
})

test('a quarantined replica that a heartbeat reports is copied again', async () => {
  await using cluster = await FakeCluster.start()
  const chunk = await cluster.put('/f', 'text')
  cluster.server(1).chunks.delete(chunk)
  cluster.server(1).quarantined.push(chunk)
  await cluster.clock.until(() => cluster.holders(chunk).length === 3, 'repair')
  await cluster.clock.until(async () => (await cluster.master.status()).underReplicatedChunks === 0, 'an empty queue')
})

// The bytes may be there or not: only the receipt for the right ones strikes the debt out.
test('a copy whose receipt is for other bytes does not count as a repair', async () => {
  await using cluster = await FakeCluster.start()
  const chunk = await cluster.put('/f', 'text')
  cluster.server(1).isLying = true
  cluster.server(1).chunks.delete(chunk)
  cluster.server(1).quarantined.push(chunk)
  await cluster.clock.advance(15_000)
  assert.equal((await cluster.master.status()).underReplicatedChunks, 1)
  cluster.server(1).isLying = false
  await cluster.clock.until(async () => (await cluster.master.status()).underReplicatedChunks === 0, 'repair')
})

async function releaseAll(cluster: FakeCluster): Promise<void> {
  await cluster.call(releaseAllocations, { session: cluster.session, allocations: cluster.allocations.splice(0) })
}

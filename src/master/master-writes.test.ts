import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeCluster, firstChunk } from '../../test/cluster/fake-cluster.ts'
import type { ErrorCode } from '../base/error-table.ts'
import { isAshlarError } from '../base/errors.ts'
import { describeChunks, listDirectory, openFile, stat } from '../wire/methods/file-methods.ts'
import { lock, openSession, unlock } from '../wire/methods/session-methods.ts'

async function rejects(work: Promise<unknown>, code: ErrorCode, pattern = /./): Promise<void> {
  await assert.rejects(work, (error) => isAshlarError(error, code) && pattern.test(error.message))
}

test('startMaster() serves a put, a stat, a list and an open', async () => {
  await using cluster = await FakeCluster.start()
  const chunk = await cluster.put('/a/hello.txt', 'hello')
  assert.equal(cluster.holders(chunk).length, 3)
  const { attributes } = await cluster.call(stat, { path: '/a/hello.txt' })
  assert.equal(attributes.length, 5)
  const { entries } = await cluster.call(listDirectory, { path: '/a', after: '', limit: 10 })
  assert.deepEqual(
    entries.map(({ name }) => name),
    ['hello.txt'],
  )
  const { extents } = await cluster.call(openFile, { path: '/a/hello.txt' })
  assert.deepEqual(
    extents.map((extent) => extent.chunk),
    [chunk],
  )
})

test('commitFile refuses a forged receipt', async () => {
  await using cluster = await FakeCluster.start()
  const allocation = await cluster.allocate('/f', 4)
  const [a, b, c] = await cluster.write(allocation, 'text')
  assert.ok(a && b && c)
  const forged = { ...c, mac: Buffer.alloc(16) }
  await rejects(
    cluster.commit('/f', allocation, { text: 'text', receipts: [a, b, forged] }),
    'receipts-rejected',
    /signature/,
  )
  await cluster.commit('/f', allocation, { text: 'text', receipts: [a, b, c] })
})

// Slow is no excuse: the writer goes to another group.
test('commitFile refuses a missing receipt while the master holds the member for up', async () => {
  await using cluster = await FakeCluster.start()
  const allocation = await cluster.allocate('/f', 4)
  const receipts = await cluster.write(allocation, 'text', [cluster.server(1)])
  assert.equal(receipts.length, 2)
  await rejects(cluster.commit('/f', allocation, { text: 'text', receipts }), 'receipts-rejected', /is up/)
  await rejects(cluster.call(stat, { path: '/f' }), 'not-found')
})

test('commitFile accepts two of three copies when a member is down, and the member is made whole when it returns', async () => {
  await using cluster = await FakeCluster.start()
  cluster.server(1).kill()
  await cluster.clock.until(() => cluster.master.nodes()[1]?.state === 'suspect', 'suspicion')
  const chunk = await cluster.put('/f', 'text')
  assert.deepEqual(cluster.holders(chunk), [cluster.server(0), cluster.server(2)])
  const before = await cluster.call(describeChunks, { path: '/f', from: 0 })
  assert.equal(before.chunks[0]?.missing, 1)
  assert.equal((await cluster.call(stat, { path: '/f' })).attributes.underReplicated, true)

  cluster.server(1).start()
  await cluster.clock.until(() => cluster.holders(chunk).length === 3, 'repair')
  await cluster.clock.until(() => cluster.master.nodes().every(({ synced }) => synced), 'all synced')
  const after = await cluster.call(describeChunks, { path: '/f', from: 0 })
  assert.equal(after.chunks[0]?.missing, 0)
  assert.equal((await cluster.master.status()).underReplicatedChunks, 0)
})

test('commitFile refuses two of three copies while another group has all its members', async () => {
  await using cluster = await FakeCluster.start({ capacities: [1e6, 1e6, 1e6, 1e6] })
  const allocation = await cluster.allocate('/f', 4)
  const { members } = await cluster.group(allocation)
  const down = cluster.servers.find(({ id }) => id === members[0]?.server)
  down?.kill()
  const receipts = await cluster.write(allocation, 'text')
  await cluster.clock.until(() => cluster.master.nodes().some(({ state }) => state === 'suspect'), 'suspicion')
  await rejects(cluster.commit('/f', allocation, { text: 'text', receipts }), 'receipts-rejected', /another group/)
  await cluster.put('/f', 'text')
})

test('allocate refuses with unavailable when only one member is left, and names who is missing', async () => {
  await using cluster = await FakeCluster.start()
  cluster.server(0).kill()
  cluster.server(1).kill()
  await cluster.clock.advance(10_000)
  await assert.rejects(cluster.allocate('/f', 4), (error) => {
    assert.ok(isAshlarError(error, 'unavailable'))
    const reasons = error.details['reasons'] as { server: string; reason: string }[]
    assert.deepEqual(
      reasons.map(({ server, reason }) => [server, reason]),
      [0, 1].map((index) => [cluster.server(index).id, 'suspect']),
    )
    return true
  })
})

test('allocate refuses when the cluster is full, with a reason per server and the bytes in trash', async () => {
  await using cluster = await FakeCluster.start({ capacities: [50, 75, 100, 200] })
  let files = 0
  const failure = await (async () => {
    for (; files < 100; files++) {
      try {
        await cluster.put(`/f${files}`, 'x'.repeat(10))
      } catch (error) {
        return error
      }
    }
    return undefined
  })()
  assert.ok(isAshlarError(failure, 'no-space'))
  assert.ok(files >= 8 && files <= 11, `${files} files`)
  const reasons = failure.details['reasons'] as { server: string; reason: string; freeBytes: number }[]
  assert.ok(reasons.length >= 2)
  for (const { server, reason, freeBytes } of reasons) {
    const full = cluster.servers.find(({ id }) => id === server)
    assert.ok(full !== undefined && reason.startsWith('full: ') && freeBytes < 10)
  }
  await cluster.remove('/f0')
  await assert.rejects(cluster.allocate('/g', 75), (error) => {
    assert.ok(isAshlarError(error, 'no-space'))
    assert.equal(error.details['trashBytes'], 10)
    return /Trash holds 10 B of files: "ashlar trash empty"/.test(error.message)
  })
})

test('lock waits for its holder, and a later one gets a higher fencing token', async () => {
  await using cluster = await FakeCluster.start()
  const other = (await cluster.call(openSession, {})).session
  const first = await cluster.call(lock, { request: cluster.request(), name: 'l', waitMs: 0, holder: 'one' })
  const request = { session: other, sequence: 1, acknowledged: 0 }
  await rejects(cluster.call(lock, { request, name: 'l', waitMs: 300, holder: 'two' }), 'locked')
  await cluster.call(unlock, { request: cluster.request(), name: 'l', fencingToken: first.fencingToken })
  const again = { session: other, sequence: 2, acknowledged: 0 }
  const second = await cluster.call(lock, { request: again, name: 'l', waitMs: 300, holder: 'two' })
  assert.ok(second.fencingToken > first.fencingToken)
})

test('a restart of the master keeps every file, server and group, and goes on', async () => {
  await using cluster = await FakeCluster.start({ settings: { trashKeepMs: 5000 } })
  const chunk = await cluster.put('/a/f', 'text')
  const before = await cluster.master.status()
  await cluster.restartMaster()
  const after = await cluster.master.status()
  assert.equal(after.groups, before.groups)
  assert.equal(after.trashKeepMs, 5000)
  assert.ok(after.leaderEpoch > before.leaderEpoch)
  assert.ok(after.clusterTime >= before.clusterTime)
  assert.equal((await cluster.call(openFile, { path: '/a/f' })).extents[0]?.chunk, chunk)
  const next = await cluster.put('/a/g', 'more')
  assert.notEqual(next, chunk)
  await cluster.clock.until(() => cluster.master.nodes().every(({ synced }) => synced), 'all synced')
  assert.equal(cluster.holders(chunk).length, 3)
})

test('right after a start a write waits for members on their way back, rather than keep fewer copies', async () => {
  await using cluster = await FakeCluster.start()
  cluster.server(1).kill()
  await cluster.restartMaster()
  cluster.clock.after(2000, () => cluster.server(1).start())
  const chunk = await cluster.put('/f', 'text')
  assert.equal(cluster.holders(chunk).length, 3)
})

// What is lost between the receipt and the commit is told apart from what never was written.
test('a commit sent again after a restart of the master is applied once', async () => {
  await using cluster = await FakeCluster.start()
  const allocation = await cluster.allocate('/f', 4)
  const receipts = await cluster.write(allocation, 'text')
  const first = await cluster.commit('/f', allocation, { text: 'text', receipts })
  await cluster.restartMaster()
  const again = await cluster.commit('/f', allocation, { text: 'text', receipts })
  assert.equal(again.attributes.version, first.attributes.version)
  assert.equal((await cluster.master.status()).files, 1)
  assert.equal(cluster.holders(firstChunk(allocation)).length, 3)
})

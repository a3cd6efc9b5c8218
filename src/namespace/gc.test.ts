import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkRows } from '../../test/namespace/check-rows.ts'
import { servers, TestMaster, testGroup } from '../../test/namespace/test-master.ts'
import { addDigest, digestOf, emptyDigest, equalDigests } from '../base/digest.ts'
import { type ChunkId, pageOf, type ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'

const [serverA, serverB, serverC] = servers as [ServerId, ServerId, ServerId]

/** A file of three chunks, removed and purged. */
async function purgedFile() {
  const master = await TestMaster.start()
  const client = await master.client()
  const request = client.commitRequest('/a', await client.write(1, 2, 3))
  await client.namespace.commitFile(request)
  await client.remove('/a')
  master.timeMs += master.trashKeepMs
  assert.deepEqual(await master.leader.purgeDue(4), { entries: 1, chunks: 3, more: false })
  return { master, client, request }
}

test('confirmDeleted() waits for every present member', async () => {
  const { master } = await purgedFile()
  const due = await master.leader.dueDeletes(testGroup, { limit: 2 })
  assert.equal(due.length, 2)
  const rest = await master.leader.dueDeletes(testGroup, { after: due[1]?.id as ChunkId, limit: 2 })
  const chunks = [...due, ...rest].map(({ id }) => id)
  assert.equal(chunks.length, 3)
  const confirm = (some: readonly ServerId[], absent: readonly ServerId[] = []) =>
    master.leader.confirmDeleted({ group: testGroup, chunks, servers: some, absent })
  assert.equal(await confirm([serverA]), 0)
  assert.equal(await confirm([serverA]), 0)
  assert.deepEqual((await master.leader.dueDeletes(testGroup, { limit: 1 }))[0]?.confirmed, [serverA])
  assert.equal((await master.namespace.totals()).pendingDeletes, 3)
  assert.equal(await confirm([serverB], [serverC]), 3)
  assert.equal(await confirm([serverB], [serverC]), 0)
  assert.deepEqual(await master.leader.groupsWithDeletes({ limit: 4 }), [])
  await checkRows(master.context.kv)
})

test('a tombstone stays until an hour after its allocation closed, and is then dropped', async () => {
  const { master, client, request } = await purgedFile()
  await master.collect()
  assert.equal(await master.leader.dropTombstones(100), 0)
  master.timeMs += limits.allocationLifeMs + limits.tombstoneKeepMs
  // The leader has closed nothing yet: a commit could still come.
  assert.equal(await master.leader.dropTombstones(100), 3)
  assert.equal((await checkRows(master.context.kv)).tombstones, 3)
  assert.equal((await client.namespace.commitFile(request)).attributes.length, 6)
  await master.leader.expireAllocations(100)
  assert.equal(await master.leader.dropTombstones(100), 0)
  master.timeMs += limits.allocationLifeMs + limits.tombstoneKeepMs
  assert.equal(await master.leader.dropTombstones(2), 2)
  assert.equal(await master.leader.dropTombstones(2), 1)
  assert.equal((await checkRows(master.context.kv)).tombstones, 0)
})

test('a page is closed without open allocations and pending deletes only', async () => {
  const { master } = await purgedFile()
  const [due] = await master.leader.dueDeletes(testGroup, { limit: 1 })
  const page = pageOf(due?.id as ChunkId)
  assert.equal(await master.namespace.pageIsClosed(testGroup, page), false)
  master.timeMs += limits.allocationLifeMs
  await master.leader.expireAllocations(10)
  assert.equal(await master.namespace.pageIsClosed(testGroup, page), false)
  await master.collect()
  assert.equal(await master.namespace.pageIsClosed(testGroup, page), true)
  assert.deepEqual(await master.namespace.pageDigests(testGroup), [])
})

test('pageChunks() gives the live chunks whose digests add up to that of the page', async () => {
  const { master, client } = await purgedFile()
  await client.put('/b', 4, 5)
  await client.put('/c', 6)
  const [first] = await master.namespace.pageDigests(testGroup)
  assert.ok(first)
  const { chunks, digest } = await master.namespace.pageChunks(testGroup, first.page)
  assert.deepEqual(
    chunks.map(({ length }) => length),
    [4, 5, 6],
  )
  assert.ok(equalDigests(chunks.map(digestOf).reduce(addDigest, emptyDigest), digest))
  assert.ok(equalDigests(first.digest, digest))
  assert.deepEqual(await master.namespace.pageDigests(testGroup, { fromPage: first.page + 1 }), [])
})

test('a replica that a member owes is queued by the commit, shown, and done when it was seen', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  master.down.add(serverC)
  await client.put('/a', 1, 2)
  master.down.clear()
  await client.put('/b', 3)
  const stat = async (path: string) => (await client.namespace.stat({ path })).attributes.underReplicated
  assert.equal(await stat('/a'), true)
  assert.equal(await stat('/b'), undefined)
  const described = await master.namespace.describeExtents({ path: '/a', from: 0 })
  assert.deepEqual(
    described.extents.map(({ owing, group }) => [owing, group?.id]),
    [
      [[serverC], testGroup],
      [[serverC], testGroup],
    ],
  )
  const due = await master.leader.dueRepairs({ limit: 10 })
  assert.deepEqual(
    due.map(({ server, length }) => [server, length]),
    [
      [serverC, 1],
      [serverC, 2],
    ],
  )
  const [one, two] = due
  assert.ok(one && two)
  assert.deepEqual(await master.leader.dueRepairs({ after: one, limit: 10 }), [two])
  await master.leader.queueRepair(one.chunk, serverC)
  await master.leader.repairDone(one.chunk, serverC)
  await master.leader.repairDone(one.chunk, serverC)
  assert.equal((await master.namespace.totals()).owedReplicas, 1)
  assert.equal(await stat('/a'), true)
  await client.remove('/a')
  master.timeMs += master.trashKeepMs
  await master.purgeAll()
  // The chunk is gone: nobody owes it any more.
  assert.deepEqual(await master.leader.dueRepairs({ limit: 10 }), [])
  await master.leader.queueRepair(two.chunk, serverC)
  assert.equal((await master.namespace.totals()).owedReplicas, 0)
  await checkRows(master.context.kv)
})

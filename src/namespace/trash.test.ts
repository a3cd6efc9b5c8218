import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkRows } from '../../test/namespace/check-rows.ts'
import { refused } from '../../test/namespace/refused.ts'
import { memoryKV, type TestClient, TestMaster } from '../../test/namespace/test-master.ts'
import { createNodeClock } from '../env/node-clock.ts'
import { seededRandom } from '../env/seeded-random.ts'
import { createMemoryKV } from '../kv/memory-kv.ts'

async function trashOf(client: TestClient, path = '/', limit = 2): Promise<string[]> {
  const seen: string[] = []
  let cursor: Buffer | undefined
  do {
    const page = await client.namespace.listTrash({ path, limit, cursor })
    seen.push(...page.entries.map(({ path: at, reason, attributes }) => `${at} ${reason} ${attributes.length}`))
    cursor = page.cursor
  } while (cursor !== undefined)
  return seen
}

test('listTrash() goes by path, newest first per path, and holds what is below only', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  await client.makeDirectory('/d')
  for (const length of [1, 2, 3]) await client.put('/d/a', length)
  await client.put('/d-e', 4)
  await client.remove('/d-e')
  await client.remove('/d', true)
  assert.deepEqual(await trashOf(client), ['/d removed 0', '/d-e removed 4', '/d/a replaced 2', '/d/a replaced 1'])
  assert.deepEqual(await trashOf(client, '/d'), ['/d removed 0', '/d/a replaced 2', '/d/a replaced 1'])
  assert.deepEqual(await trashOf(client, '/d/a'), ['/d/a replaced 2', '/d/a replaced 1'])
  assert.deepEqual(await trashOf(client, '/e'), [])
  const { entries } = await client.namespace.listTrash({ path: '/d-e', limit: 1 })
  assert.equal(entries[0]?.keptForMs, master.trashKeepMs)
  assert.equal(entries[0]?.deletedMs, master.context.wallMs())
})

test('undelete() brings back the newest, or the one that is named, and refuses a taken path', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  for (const length of [1, 2, 3]) await client.put('/a', length)
  const removed = await client.remove('/a')
  const { entries } = await client.namespace.listTrash({ path: '/a', limit: 10 })
  assert.equal(entries[0]?.trash, removed)
  assert.equal((await client.undelete('/a')).length, 3)
  await refused(client.undelete('/a'), 'already-exists')
  const oldest = entries[2]?.trash
  assert.ok(oldest)
  assert.equal((await client.undelete('/a', { trash: oldest, to: '/new/place' })).length, 1)
  await refused(client.undelete('/a', { trash: oldest, to: '/b' }), 'not-found')
  await checkRows(master.context.kv)
})

test('undelete() brings back a tree, and into a parent that was made anew or is missing', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  await client.makeDirectory('/p/t/u', true)
  await client.put('/p/t/u/f', 7)
  await client.put('/p/g', 8)
  await client.remove('/p/g')
  await client.remove('/p/t', true)
  await client.remove('/p', true)
  await client.makeDirectory('/p')
  await client.undelete('/p/t')
  assert.equal((await client.namespace.stat({ path: '/p/t/u/f' })).attributes.length, 7)
  await client.remove('/p', true)
  await client.undelete('/p/g')
  assert.deepEqual(await client.names('/p'), ['g'])
  const failure = await refused(client.undelete('/p/t/u/f'), 'not-found')
  assert.match(failure.message, /"\/p" is there/)
  await checkRows(master.context.kv)
})

test('trash is kept for its time and no longer, and counts as used until it is purged', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  await client.put('/a', 5)
  await client.remove('/a')
  master.timeMs += master.trashKeepMs - 1
  assert.deepEqual(await master.leader.purgeDue(4), { entries: 0, chunks: 0, more: false })
  const kept = await master.namespace.totals()
  assert.deepEqual([kept.trashEntries, kept.trashBytes, kept.files], [1, 5, 0])
  master.timeMs += 1
  assert.deepEqual(await master.leader.purgeDue(4), { entries: 1, chunks: 1, more: false })
  const purged = await master.namespace.totals()
  assert.deepEqual([purged.trashEntries, purged.trashBytes, purged.pendingDeleteBytes], [0, 0, 5])
  await refused(client.undelete('/a'), 'not-found')
})

test('emptyTrash() takes what is below a path, or one entry, for good', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  await client.makeDirectory('/d')
  for (let index = 0; index < 300; index++) await client.put('/d/a', 2)
  await client.put('/b', 3)
  const trash = await client.remove('/b')
  const one = await client.namespace.emptyTrash({ request: client.request(), path: '/b', trash })
  assert.deepEqual(one, { entries: 1, lengthBytes: 3, done: true })
  let [entries, calls] = [0, 0]
  for (let done = false; !done; calls++) {
    const step = await client.namespace.emptyTrash({ request: client.request(), path: '/d' })
    entries += step.entries
    done = step.done
  }
  assert.deepEqual([entries, calls], [299, 3])
  assert.deepEqual(await trashOf(client), [])
  const { liveChunks, pendingDeletes } = await checkRows(master.context.kv)
  assert.deepEqual([liveChunks, pendingDeletes], [1, 300])
})

// A crash between any two transactions of a purge: the engine is opened again and another leader goes on.
test('purgeDue() that is interrupted after each of its transactions leaves no orphan and repeats nothing', async () => {
  const clock = createNodeClock()
  let kv = memoryKV(1)
  let master = await TestMaster.start(kv)
  const client = await master.client()
  await client.makeDirectory('/t/u/v', true)
  await client.putLarge('/t/large', 600)
  await client.copy('/t/large', '/kept')
  await client.truncate('/kept', 1000)
  for (let index = 0; index < 10; index++) await client.put(`/t/u/v/${index}`, 1, 2)
  await client.remove('/t', true)
  const removedMs = master.timeMs + master.trashKeepMs
  let steps = 0
  for (let more = true; more; steps++) {
    kv.crash()
    kv = createMemoryKV({ clock, random: seededRandom(steps), image: kv.image })
    master = await TestMaster.start(kv, 2 + steps)
    master.timeMs = removedMs
    more = (await master.leader.purgeDue(1)).more
    await checkRows(kv)
  }
  // The replaced content of /kept went, as it was due too; what the cut left is shared no more.
  assert.ok(steps > 6, `${steps} steps`)
  const { liveChunks } = await checkRows(kv)
  assert.equal(liveChunks, 100)
})

test('a removed tree that is too large to count at once is counted by the leader, and can be undeleted before', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  await client.makeDirectory('/t')
  for (let index = 0; index < 300; index++) await client.makeDirectory(`/t/${index}/x`, true)
  await client.put('/t/299/x/f', 9)
  await client.remove('/t', true)
  await checkRows(master.context.kv)
  assert.equal((await master.namespace.totals()).lengthBytes, 9, 'still counted as live')
  await client.undelete('/t')
  await checkRows(master.context.kv)
  await client.remove('/t', true)
  // Emptied before it is counted: it is made due, and not counted twice.
  const request = { request: client.request(), path: '/t' }
  assert.equal((await client.namespace.emptyTrash(request)).entries, 1)
  assert.equal((await client.namespace.emptyTrash({ ...request, request: client.request() })).entries, 0)
  await master.leader.purgeDue(2)
  const { trashBytes, files, directories } = await master.namespace.totals()
  assert.deepEqual([trashBytes, files, directories], [9, 0, 0])
  await checkRows(master.context.kv)
  await master.purgeAll()
  assert.equal((await checkRows(master.context.kv)).liveChunks, 0)
})

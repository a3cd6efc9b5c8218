/** Once and only once: what a request that is sent again does, in every state that its first sending may have left. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkRows } from '../../test/namespace/check-rows.ts'
import { refused } from '../../test/namespace/refused.ts'
import { memoryKV, servers, TestMaster, testGroup } from '../../test/namespace/test-master.ts'
import { isAshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'

test('commitFile() again answers the version held, while the file lives', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  const request = client.commitRequest('/a', await client.write(5))
  const first = await client.namespace.commitFile(request)
  assert.deepEqual(await client.namespace.commitFile(request), first)
  assert.equal((await master.namespace.totals()).trashEntries, 0)
  await checkRows(master.context.kv)
})

test('commitFile() again answers its version after the file was replaced, removed and purged', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  const request = client.commitRequest('/a', await client.write(5))
  const { attributes } = await client.namespace.commitFile(request)
  await client.put('/a', 6)
  const replaced = await client.namespace.commitFile(request)
  assert.equal(replaced.attributes.version, attributes.version)
  assert.equal(replaced.attributes.length, 5)
  await client.remove('/a')
  master.timeMs += master.trashKeepMs
  await master.purgeAll()
  assert.equal((await client.namespace.commitFile(request)).attributes.version, attributes.version)
  assert.deepEqual(await client.names('/'), [])
  await checkRows(master.context.kv)
})

test('commitFile() again is known as applied after its allocation was closed and its session ended', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  const request = client.commitRequest('/a', await client.write(5))
  const { attributes } = await client.namespace.commitFile(request)
  await client.namespace.endSession({ session: client.session })
  assert.equal((await client.namespace.commitFile(request)).attributes.version, attributes.version)
})

test('commitFile() after its allocation was closed is refused, and nothing is stored', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  const late = client.commitRequest('/a', await client.write(5))
  master.timeMs += limits.allocationLifeMs
  // Over in time, though the leader has not closed it yet.
  await refused(client.namespace.commitFile(late), 'allocation-closed')
  assert.equal(await master.leader.expireAllocations(10), 1)
  await refused(client.namespace.commitFile(late), 'allocation-closed')
  const released = client.commitRequest('/a', await client.write(5))
  const allocation = client.forgetAllocation()
  assert.ok(allocation)
  await client.namespace.releaseAllocations({
    session: client.session,
    allocations: [{ ...allocation, token: Buffer.alloc(0) }],
  })
  await refused(client.namespace.commitFile(released), 'allocation-closed')
  assert.deepEqual(await client.names('/'), [])
  assert.equal((await checkRows(master.context.kv)).liveChunks, 0)
})

test('commitFile() of chunks that another session holds is refused', async () => {
  const master = await TestMaster.start()
  const [owner, thief] = [await master.client(), await master.client()]
  const written = await owner.write(5)
  await refused(thief.namespace.commitFile(thief.commitRequest('/a', written)), 'allocation-closed')
})

test('commitFile() refuses receipts that are missing, of other bytes, or of other chunks', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  const written = await client.write(5)
  const [receipt] = written.receipts
  assert.ok(receipt)
  const others = { ...receipt, crc: receipt.crc ^ 1 }
  for (const receipts of [[], written.receipts.slice(1), [...written.receipts.slice(1), others]]) {
    await refused(
      client.namespace.commitFile(client.commitRequest('/a', { ...written, receipts })),
      'receipts-rejected',
    )
  }
  const stranger = await client.write(5)
  const mixed = { ...written, receipts: [...written.receipts, ...stranger.receipts] }
  await refused(client.namespace.commitFile(client.commitRequest('/a', mixed)), 'receipts-rejected')
  const twice = { ...written, extents: [...written.extents, ...written.extents] }
  await refused(client.namespace.commitFile(client.commitRequest('/a', twice)), 'invalid-argument')
  assert.equal((await checkRows(master.context.kv)).liveChunks, 0)
})

test('a commit under way runs again when the group changes, and is judged by what it is then', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  const request = client.commitRequest('/a', await client.write(5))
  await master.putGroup(2)
  await refused(client.namespace.commitFile(request), 'stale-epoch')
})

test('commitFile() again answers its version after its chunks moved into another file', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  await client.put('/a', 1)
  const request = client.commitRequest('/b', await client.write(5))
  const { attributes } = await client.namespace.commitFile(request)
  await client.concat('/a', '/b')
  assert.equal((await client.namespace.commitFile(request)).attributes.version, attributes.version)
  assert.deepEqual(await client.names('/'), ['a'])
})

test('rename() sent twice is applied once, also when another file took the name meanwhile', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  const { version } = await client.put('/a', 5)
  const request = {
    request: client.request(),
    from: '/a',
    to: '/b',
    replace: true,
    makeParents: false,
    precondition: {},
  }
  const first = await client.namespace.rename(request)
  await client.put('/a', 6)
  assert.equal(JSON.stringify(await client.namespace.rename(request)), JSON.stringify(first))
  assert.deepEqual(await client.names('/'), ['a', 'b'])
  assert.equal((await client.namespace.stat({ path: '/b' })).attributes.version, version)
})

test('an empty commitFile() and an abandonFile() are applied once', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  const empty = client.commitRequest('/a', { extents: [], receipts: [], allocations: [] })
  const { attributes } = await client.namespace.commitFile(empty)
  await client.put('/a', 5)
  assert.equal((await client.namespace.commitFile(empty)).attributes.version, attributes.version)
  assert.equal((await client.namespace.stat({ path: '/a' })).attributes.length, 5)
})

test('a request below the acknowledged mark is refused, and its answer is gone', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  const old = { request: client.request(), path: '/d', recursive: false }
  await client.namespace.makeDirectory(old)
  await client.namespace.keepSession({ session: client.session, acknowledged: old.request.sequence })
  await refused(client.namespace.makeDirectory(old), 'invalid-argument')
  const rows = await master.context.kv.transact((tx) =>
    tx.range({ start: Buffer.from('Y'), end: Buffer.from('Z'), limit: 10 }),
  )
  assert.equal(rows.length, 0)
  // The mark never falls.
  await client.namespace.keepSession({ session: client.session, acknowledged: 0 })
  await refused(client.namespace.makeDirectory(old), 'invalid-argument')
})

test('a number that was used for another method is refused', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  const request = client.request()
  await client.namespace.makeDirectory({ request, path: '/d', recursive: false })
  await refused(client.namespace.remove({ request, path: '/d', recursive: true, precondition: {} }), 'invalid-argument')
  assert.deepEqual(await client.names('/'), ['d/'])
})

test('a session that ended takes no request, and its answers are gone', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  const request = { request: client.request(), path: '/d', recursive: false }
  await client.namespace.makeDirectory(request)
  await client.namespace.endSession({ session: client.session })
  await client.namespace.endSession({ session: client.session })
  await refused(client.namespace.makeDirectory(request), 'session-ended')
  await refused(client.namespace.keepSession({ session: client.session, acknowledged: 0 }), 'session-ended')
  await refused(client.write(5), 'session-ended')
  await checkRows(master.context.kv)
})

// Half of the unknown commits were applied: each must count once, whatever the engine answered.
test('commits whose result is unknown are applied once', async () => {
  const kv = memoryKV(3)
  const master = await TestMaster.start(kv)
  const client = await master.client()
  await client.put('/log', 1)
  kv.faults.unknown = 0.5
  let length = 1
  for (let index = 0; index < 40; index++) {
    const written = await insist(() => client.write(1))
    const append = { request: client.request(), path: '/log', expectedLength: length, ...written }
    length = (await insist(() => client.namespace.appendFile(append))).attributes.length
    const rename = {
      request: client.request(),
      from: '/log',
      to: '/log2',
      replace: false,
      makeParents: false,
      precondition: {},
    }
    await insist(() => client.namespace.rename(rename))
    await insist(() => client.namespace.rename({ ...rename, request: client.request(), from: '/log2', to: '/log' }))
  }
  kv.faults.unknown = 0
  assert.equal(length, 41)
  assert.equal((await client.extents('/log')).length, 41)
  await checkRows(kv)
})

/** Sends again while the outcome is unknown; a call that has no witness may have been applied more than once. */
async function insist<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call()
    } catch (error) {
      if (!isAshlarError(error, 'commit-unknown')) throw error
    }
  }
}

test('insertAllocation() never crosses a page and never gives an id twice', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  const seen = new Set<number>()
  const policy = master.context.policy('replicated-3')
  assert.ok(policy)
  for (let index = 0; index < 12; index++) {
    const order = { session: client.session, group: testGroup, policy, count: 900 }
    const { firstSequence, count } = await master.namespace.insertAllocation(order)
    assert.equal(Math.floor(firstSequence / limits.pageIds), Math.floor((firstSequence + count - 1) / limits.pageIds))
    for (let id = firstSequence; id < firstSequence + count; id++) {
      assert.ok(!seen.has(id))
      seen.add(id)
    }
  }
  assert.equal((await master.namespace.totals()).openAllocations, 12)
  await checkRows(master.context.kv)
})

test('releaseAllocations() orders the delete of what was written and never committed, and of nothing else', async () => {
  const master = await TestMaster.start()
  const [client, stranger] = [await master.client(), await master.client()]
  const kept = await client.write(5)
  const burned = await client.write(6)
  const foreign = await stranger.write(7)
  await client.namespace.commitFile(client.commitRequest('/a', kept))
  const allocation = client.forgetAllocation()
  assert.ok(allocation)
  const release = {
    session: client.session,
    allocations: [{ ...allocation, token: Buffer.alloc(0) }],
    burned: [kept, burned, foreign].flatMap(({ extents }) => extents.map(({ chunk }) => chunk)),
  }
  await client.namespace.releaseAllocations(release)
  const due = await master.leader.dueDeletes(testGroup, { limit: 10 })
  assert.deepEqual(
    due.map(({ id }) => id),
    burned.extents.map(({ chunk }) => chunk),
  )
  await checkRows(master.context.kv)
  // What was deleted is not known as committed.
  await refused(client.namespace.commitFile(client.commitRequest('/b', burned)), 'allocation-closed')
  await client.namespace.releaseAllocations(release)
  const ids = due.map(({ id }) => id)
  assert.equal(await master.leader.confirmDeleted({ group: testGroup, chunks: ids, servers, absent: [] }), 1)
  assert.equal((await checkRows(master.context.kv)).pendingDeletes, 0)
  await client.namespace.releaseAllocations(release)
  assert.equal((await checkRows(master.context.kv)).pendingDeletes, 0)
})

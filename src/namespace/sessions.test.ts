import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkRows } from '../../test/namespace/check-rows.ts'
import { refused } from '../../test/namespace/refused.ts'
import { servers, TestMaster, testGroup } from '../../test/namespace/test-master.ts'
import { limits } from '../base/limits.ts'
import { rising } from '../base/rising.ts'

const lockOf = (client: Awaited<ReturnType<TestMaster['client']>>, name: string) => ({
  request: client.request(),
  name,
  waitMs: 0,
  holder: `session ${client.session}`,
})

test('expireSessions() ends sessions that were not kept: allocations, locks and hidden files go', async () => {
  const master = await TestMaster.start()
  const [kept, lost] = [await master.client(), await master.client()]
  await lost.write(5)
  await lost.namespace.lock(lockOf(lost, 'job'))
  const begin = { request: lost.request(), path: '/large', precondition: {}, makeParents: false }
  const { inode } = await lost.namespace.beginFile(begin)
  const written = await lost.write(...new Array<number>(200).fill(10))
  await lost.namespace.addExtents({ request: lost.request(), inode, expectedLength: 0, ...written })
  master.timeMs += limits.sessionLifeMs / 2
  await kept.namespace.keepSession({ session: kept.session, acknowledged: 0 })
  master.timeMs += limits.sessionLifeMs / 2 + limits.clusterTimeAheadMs
  // One step at a time: what is held stays consistent between any two.
  while ((await master.leader.expireSessions(1)) === 1) await checkRows(master.context.kv)
  await refused(lost.namespace.keepSession({ session: lost.session, acknowledged: 0 }), 'session-ended')
  const link = {
    request: lost.request(),
    inode,
    path: '/large',
    precondition: {},
    attributes: {},
    makeParents: false,
    length: 2000,
  }
  await refused(lost.namespace.linkFile(link), 'session-ended')
  await kept.namespace.lock(lockOf(kept, 'job'))
  await master.purgeAll()
  const totals = await master.namespace.totals()
  assert.deepEqual([totals.sessions, totals.openAllocations, totals.files], [1, 0, 0])
  assert.equal((await checkRows(master.context.kv)).liveChunks, 0)
})

// Cluster time leaps with a new leader, and the client's own clock does not.
test('expireSessions() ends a session only when its client has counted its life out, also after a new leader', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  const { lifeMs } = await client.namespace.keepSession({ session: client.session, acknowledged: 0 })
  master.timeMs += limits.clusterTimeAheadMs + lifeMs - 1
  assert.equal(await master.leader.expireSessions(1), 0)
  master.timeMs += 1
  assert.equal(await master.leader.expireSessions(1), 1)
})

test('endSession() of a session that holds much is finished by the leader', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  for (let index = 0; index < 600; index++) {
    await client.namespace.lock(lockOf(client, `lock ${index}`))
  }
  await client.namespace.endSession({ session: client.session })
  assert.equal((await master.namespace.totals()).sessions, 1)
  while ((await master.leader.expireSessions(4)) === 4);
  assert.equal((await master.namespace.totals()).sessions, 0)
  await checkRows(master.context.kv)
})

test('lock() gives a name to one session, with a token that rises', async () => {
  const master = await TestMaster.start()
  const [first, second] = [await master.client(), await master.client()]
  const held = await first.namespace.lock(lockOf(first, 'job'))
  const failure = await refused(second.namespace.lock(lockOf(second, 'job')), 'locked')
  assert.equal(failure.details['holder'], `session ${first.session}`)
  const wrong = { request: second.request(), name: 'job', fencingToken: held.fencingToken }
  assert.deepEqual(await second.namespace.unlock(wrong), { released: false })
  const unlock = { request: first.request(), name: 'job', fencingToken: held.fencingToken }
  assert.deepEqual(await first.namespace.unlock(unlock), { released: true })
  const next = await second.namespace.lock(lockOf(second, 'job'))
  assert.ok(next.fencingToken > held.fencingToken)
  // The first holder's late unlock does not take it away.
  assert.deepEqual(await first.namespace.unlock({ ...unlock, request: first.request() }), { released: false })
  await checkRows(master.context.kv)
})

test('a session that has ended and is not emptied yet takes nothing, and its locks are free', async () => {
  const master = await TestMaster.start()
  const [first, second] = [await master.client(), await master.client()]
  // More than the end itself drops; in the order of names, `job` comes last of all.
  for (let index = 0; index < 600; index++) await first.namespace.lock(lockOf(first, `a ${index}`))
  const written = await first.write(1)
  const held = await first.namespace.lock(lockOf(first, 'job'))
  await first.namespace.endSession({ session: first.session })
  assert.equal((await master.namespace.totals()).sessions, 2)
  await refused(first.makeDirectory('/d'), 'session-ended')
  await refused(first.namespace.commitFile(first.commitRequest('/f', written)), 'session-ended')
  await refused(first.namespace.keepSession({ session: first.session, acknowledged: 0 }), 'session-ended')
  const next = await second.namespace.lock(lockOf(second, 'job'))
  assert.ok(next.fencingToken > held.fencingToken)
  await master.leader.expireSessions(100)
  assert.equal((await master.namespace.totals()).sessions, 1)
  const again = await refused(second.namespace.lock(lockOf(second, 'job')), 'locked')
  assert.equal(again.details['holder'], `session ${second.session}`)
  await refused(
    first.namespace.unlock({ request: first.request(), name: 'job', fencingToken: held.fencingToken }),
    'session-ended',
  )
  await checkRows(master.context.kv)
})

test('a hidden file belongs to its session, and takes bytes at its end only', async () => {
  const master = await TestMaster.start()
  const [owner, stranger] = [await master.client(), await master.client()]
  const begin = { request: owner.request(), path: '/f', precondition: { ifAbsent: true }, makeParents: false }
  const { inode } = await owner.namespace.beginFile(begin)
  const add = async (client: typeof owner, expectedLength: number) =>
    client.namespace.addExtents({ request: client.request(), inode, expectedLength, ...(await client.write(10)) })
  await refused(add(stranger, 0), 'not-found')
  await refused(add(owner, 5), 'changed')
  assert.deepEqual(await add(owner, 0), { length: 10 })
  await owner.put('/f', 1)
  const link = { inode, path: '/f', precondition: { ifAbsent: true }, attributes: {}, makeParents: false, length: 10 }
  await refused(owner.namespace.linkFile({ request: owner.request(), ...link }), 'already-exists')
  await refused(owner.namespace.linkFile({ request: owner.request(), ...link, length: 9 }), 'changed')
  await owner.namespace.abandonFile({ request: owner.request(), inode })
  await owner.namespace.abandonFile({ request: owner.request(), inode })
  await refused(add(owner, 10), 'not-found')
  await master.purgeAll()
  assert.equal((await checkRows(master.context.kv)).liveChunks, 1)
})

test('the leader of an earlier epoch changes nothing', async () => {
  const master = await TestMaster.start()
  const deposed = master.leader
  const next = await master.namespace.becomeLeader()
  assert.ok(next.epoch > deposed.epoch)
  assert.equal(await master.namespace.leaderEpoch(), next.epoch)
  const group = { id: testGroup, epoch: deposed.epoch, policy: 'replicated-3', members: [] }
  const attempts = [
    () => deposed.putGroup({ group }),
    () => deposed.purgeDue(1),
    () => deposed.expireAllocations(1),
    () => deposed.expireSessions(1),
    () => deposed.dueDeletes(testGroup, { limit: 1 }),
    () => deposed.confirmDeleted({ group: testGroup, chunks: [], servers, absent: [] }),
    () => deposed.dropTombstones(1),
    () => deposed.persistClusterTime(5),
    () => deposed.putSetting('a', 'b'),
    () => deposed.dueRepairs({ limit: 1 }),
  ]
  for (const attempt of attempts) await refused(attempt(), 'stale-leader')
})

test('numbers, cluster time, settings and records are kept', async () => {
  const master = await TestMaster.start()
  const { namespace, leader } = master
  const [first, second] = [await namespace.reserveIssueBlock(10), await namespace.reserveIssueBlock(10)]
  assert.equal(first.end - first.first, 10)
  assert.ok(second.first >= first.end)
  await leader.persistClusterTime(500)
  await leader.persistClusterTime(400)
  assert.equal(await namespace.persistedClusterTimeMs(), 500)
  await leader.putSetting('trash-keep', '7d')
  assert.deepEqual([...(await namespace.getSettings())], [['trash-keep', '7d']])
  await leader.putRecord('cluster', Buffer.from('x'))
  assert.equal((await namespace.getRecord('cluster'))?.toString(), 'x')
  const before = await namespace.mapVersion()
  const [server = ''] = servers
  const entry = {
    id: server as (typeof servers)[0],
    address: 'h:1',
    httpAddress: 'h:2',
    domain: 'h',
    state: 'up' as const,
  }
  await leader.putServer({ server: entry, extra: Buffer.from('y') })
  assert.ok((await namespace.mapVersion()) > before)
  assert.deepEqual(await namespace.getServers(), [{ server: entry, extra: Buffer.from('y') }])
  assert.deepEqual(await namespace.getServers({ after: entry.id }), [])
  assert.deepEqual(
    (await namespace.getGroups()).map(({ group }) => group.id),
    [testGroup],
  )
  await leader.removeServer(entry.id)
  assert.deepEqual(await namespace.getServers(), [])
})

test('putGroup() refuses an epoch that falls', async () => {
  const master = await TestMaster.start()
  await master.putGroup(3)
  await refused(master.putGroup(2), 'invalid-argument')
  assert.equal((await master.namespace.getGroups())[0]?.group.epoch, rising(1, 3))
})

test('removeGroup() refuses a group that holds live chunks', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  await client.put('/a', 5)
  await refused(master.leader.removeGroup(testGroup), 'invalid-argument')
  await client.remove('/a')
  master.timeMs += master.trashKeepMs
  await master.purgeAll()
  await master.leader.removeGroup(testGroup)
  assert.deepEqual(await master.namespace.getGroups(), [])
})

test('what one session may hold and leave unacknowledged is bounded', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  const at = (sequence: number, acknowledged: number, path: string) => ({
    request: { session: client.session, sequence, acknowledged },
    path,
    recursive: false,
  })
  const { makeDirectory } = client.namespace
  await makeDirectory(at(1, 0, '/a'))
  await refused(makeDirectory(at(limits.unacknowledgedRequests + 1, 0, '/b')), 'busy')
  // A request that acknowledges many moves the mark, and drops the answers below it.
  await makeDirectory(at(limits.unacknowledgedRequests + 1, 5000, '/b'))
  await refused(makeDirectory(at(1, 0, '/a')), 'invalid-argument')
  await refused(makeDirectory(at(4999, 0, '/c')), 'invalid-argument')
  const next = limits.unacknowledgedRequests + 2
  for (let index = 0; index < limits.locksPerSession; index++) {
    const request = { session: client.session, sequence: next + index, acknowledged: next + index - 1 }
    await client.namespace.lock({ request, name: `${index}`, waitMs: 0, holder: '' })
  }
  const request = { session: client.session, sequence: 2 * next, acknowledged: 2 * next - 1 }
  await refused(client.namespace.lock({ request, name: 'one more', waitMs: 0, holder: '' }), 'busy')
})

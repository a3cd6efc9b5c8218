import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { checkRows } from '../../test/namespace/check-rows.ts'
import { refused } from '../../test/namespace/refused.ts'
import { memoryKV, type TestClient, TestMaster } from '../../test/namespace/test-master.ts'
import { isAshlarError } from '../base/errors.ts'
import { objectPath } from '../base/object-path.ts'
import type { ObjectLock, Retention } from '../wire/types/attributes.ts'
import type { Entry } from './rows.ts'
import { checkRemovable, checkRetentionChange } from './version-locks.ts'

const path = objectPath('b', 'd/a')

async function withLock(objectLock: ObjectLock = {}): Promise<{ master: TestMaster; client: TestClient }> {
  const master = await TestMaster.start(memoryKV())
  const client = await master.client()
  await client.makeDirectory('/b')
  const request = { request: client.request(), path: '/b', versioning: 'enabled' as const, objectLock }
  await client.namespace.setVersioning(request)
  return { master, client }
}

function removeVersion(client: TestClient, objectVersion: number, bypassGovernance = false) {
  const request = { request: client.request(), path, precondition: {}, objectVersion, bypassGovernance }
  return client.namespace.removeObject(request)
}

function setLock(client: TestClient, more: object) {
  return client.namespace.setObjectLock({ request: client.request(), path, ...more })
}

const until = (master: TestMaster, ms: number) => master.context.wallMs() + ms

test('a retained version goes through no door before its time, while it can be covered', async () => {
  const { master, client } = await withLock()
  const { objectVersion = 0 } = await client.put(path, 1)
  await setLock(client, { retention: { mode: 'compliance', untilMs: until(master, 1_000) } })
  const stays = async () => {
    await refused(removeVersion(client, objectVersion), 'object-locked')
    await refused(removeVersion(client, objectVersion, true), 'object-locked')
    await refused(client.remove('/b/d', true), 'object-locked')
    await refused(client.remove('/b', true), 'object-locked')
    await refused(client.rename('/b/d', '/elsewhere'), 'object-locked')
    await refused(client.rename('/b', '/elsewhere'), 'object-locked')
  }
  await stays()
  await refused(client.rename('/b/d/a', '/elsewhere'), 'object-locked')
  await refused(client.truncate('/b/d/a', 0), 'not-supported')
  assert.equal(await client.remove('/b/d/a'), 0, 'a removal without version only covers it')
  await client.put(path, 2)
  await stays()
  master.timeMs += 10 * master.trashKeepMs
  await master.purgeAll()
  await removeVersion(client, objectVersion)
  await checkRows(master.context.kv, { withObjects: true })
})

test('governance yields to who bypasses it, and only extensions change a retention without', async () => {
  const { master, client } = await withLock()
  const { objectVersion = 0 } = await client.put(path, 1)
  const governance = (ms: number) => ({ retention: { mode: 'governance', untilMs: until(master, ms) } })
  await setLock(client, governance(1_000))
  await setLock(client, governance(2_000))
  await refused(setLock(client, governance(1_500)), 'object-locked')
  await refused(setLock(client, { clearRetention: true }), 'object-locked')
  await refused(setLock(client, { retention: { mode: 'compliance', untilMs: until(master, 1_000) } }), 'object-locked')
  await setLock(client, { ...governance(500), bypassGovernance: true })
  await refused(removeVersion(client, objectVersion), 'object-locked')
  await removeVersion(client, objectVersion, true)
})

test('a legal hold binds until it is taken away, whoever asks', async () => {
  const { client } = await withLock()
  const { objectVersion = 0 } = await client.put(path, 1)
  await setLock(client, { legalHold: true })
  await refused(removeVersion(client, objectVersion, true), 'object-locked')
  await setLock(client, { legalHold: false })
  assert.equal((await client.namespace.stat({ path })).attributes.legalHold, false)
  await removeVersion(client, objectVersion)
})

test('new versions get the default retention through every door, and keep it from a clock that jumps', async () => {
  const { master, client } = await withLock({ mode: 'compliance', days: 1 })
  await client.makeDirectory('/b/d')
  const { objectVersion = 0, retention } = await client.put('/b/d/a', 1)
  const dayMs = 86_400_000
  assert.deepEqual(retention, { mode: 'compliance', untilMs: until(master, dayMs) })
  await client.put('/loose', 1)
  const moved = await client.rename('/loose', '/b/moved')
  assert.equal(moved.retention?.untilMs, until(master, dayMs))
  Object.assign(master.context, { provenWallMs: () => 1_700_000_000_000 })
  master.timeMs += 365 * dayMs
  await refused(removeVersion(client, objectVersion), 'object-locked')
  Object.assign(master.context, { provenWallMs: undefined })
  await removeVersion(client, objectVersion)
})

test('object lock needs versions that stay, and is never taken away', async () => {
  const { client } = await withLock()
  const set = (more: object) => client.namespace.setVersioning({ request: client.request(), path: '/b', ...more })
  await refused(set({ versioning: 'suspended' }), 'invalid-argument')
  await client.makeDirectory('/c')
  const other = { request: client.request(), path: '/c', objectLock: {} }
  await refused(client.namespace.setVersioning(other), 'invalid-argument')
  await refused(
    client.namespace.setVersioning({ request: client.request(), path: '/b/d', versioning: 'enabled' }),
    'invalid-argument',
  )
  await client.put('/c/x', 1)
  const lock = { request: client.request(), path: '/c/x', legalHold: true }
  await refused(client.namespace.setObjectLock(lock), 'invalid-argument')
})

test('an object that is a directory binds the directory', async () => {
  const { master, client } = await withLock()
  const folder = objectPath('b', 'd/')
  await client.put(folder, 1)
  const hold = (legalHold: boolean) =>
    client.namespace.setObjectLock({ request: client.request(), path: folder, legalHold })
  await hold(true)
  await refused(client.remove('/b/d', true), 'object-locked')
  await refused(client.remove('/b', true), 'object-locked')
  await refused(client.rename('/b/d', '/elsewhere'), 'object-locked')
  await hold(false)
  await client.remove('/b/d')
  await checkRows(master.context.kv, { withObjects: true })
})

test('a lock on the object that making a directory made outlives what is put there', async () => {
  const { master, client } = await withLock()
  const folder = objectPath('b', 'd/')
  await client.makeDirectory('/b/d')
  await client.namespace.setObjectLock({ request: client.request(), path: folder, legalHold: true })
  await refused(client.remove('/b/d'), 'object-locked')
  await client.put(folder, 1)
  const before = await client.namespace.stat({ path: folder, objectVersion: 0 })
  assert.equal(before.attributes.legalHold, true)
  await checkRows(master.context.kv, { withObjects: true })
})

test('a bucket with object lock stays at the top, where nothing around it is removed with it', async () => {
  const { client } = await withLock()
  await client.makeDirectory('/top')
  await refused(client.rename('/b', '/top/b'), 'object-locked')
  await client.rename('/b', '/c')
  await client.remove('/c')
  await refused(client.undelete('/c', { to: '/top/c' }), 'object-locked')
  await client.undelete('/c')
})

test('a lock has a date that can be told again, and a default one period', async () => {
  const { client } = await withLock()
  await client.put(path, 1)
  const untilMs = Number.MAX_SAFE_INTEGER
  const retention = { mode: 'compliance' as const, untilMs }
  await refused(setLock(client, { retention }), 'invalid-argument')
  const request = client.commitRequest(path, await client.write(1), { attributes: { retention } })
  await refused(client.namespace.commitFile(request), 'invalid-argument')
  const configure = (objectLock: ObjectLock) =>
    client.namespace.setVersioning({ request: client.request(), path: '/b', objectLock })
  await refused(configure({ mode: 'compliance', days: 40_000 }), 'invalid-argument')
  await refused(configure({ mode: 'compliance', days: 1, years: 1 }), 'invalid-argument')
  await refused(configure({ mode: 'compliance' }), 'invalid-argument')
  await refused(configure({ days: 1 }), 'invalid-argument')
  await configure({ mode: 'compliance', years: 100 })
  await configure({})
})

test('no sequence of changes lets a compliance retention end early', () => {
  const step = fc.record({
    bypassGovernance: fc.boolean(),
    after: fc.option(
      fc.record({ mode: fc.constantFrom('governance' as const, 'compliance' as const), untilMs: fc.nat(200) }),
      { nil: undefined },
    ),
    nowMs: fc.nat(90),
  })
  const goesOn = (check: () => void) => {
    try {
      check()
      return true
    } catch (error) {
      assert.ok(isAshlarError(error, 'object-locked'))
      return false
    }
  }
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20, size: 'max' }), (steps) => {
      let retention: Retention | undefined = { mode: 'compliance', untilMs: 100 }
      for (const { after, ...request } of steps) {
        const before: Retention | undefined = retention
        if (goesOn(() => checkRetentionChange('/b/a', { before, after }, request))) retention = after
        const request99 = { path: '/b/a', nowMs: 99, bypassGovernance: true }
        assert.ok(!goesOn(() => checkRemovable({ objectLock: {} }, { retention } as Entry, request99)))
      }
    }),
  )
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkRows } from '../../test/namespace/check-rows.ts'
import { memoryKV, type TestClient, TestMaster } from '../../test/namespace/test-master.ts'
import { formatLifecycle, type LifecycleRule, lifecycleAttribute, uploadAttribute } from '../base/lifecycle-rule.ts'
import { expiryEventAttribute, notificationAttribute, parseExpiryEvent } from '../base/notification-rule.ts'
import { objectPath } from '../base/object-path.ts'
import type { NewEvent } from '../wire/types/cluster-event.ts'
import type { EventLog } from './event-log.ts'
import { Lifecycle } from './lifecycle.ts'

const dayMs = 86_400_000
const inBucket = (key: string) => objectPath('b', key)

interface Rig {
  readonly master: TestMaster
  readonly client: TestClient
  readonly told: NewEvent[]
  /** One whole pass, so many days later. */
  pass(days: number): Promise<void>
  /** What is due within so long of the monotonic clock, where a day is `dayMs` from now on. */
  passWithin(ms: number, dayMs: number): Promise<void>
  keys(): Promise<string[]>
  setXattr(path: string, name: string, value: string): Promise<void>
}

async function start(rules: readonly Partial<LifecycleRule>[], versioning?: 'enabled'): Promise<Rig> {
  const master = await TestMaster.start(memoryKV())
  master.trashKeepMs = 1000 * dayMs
  const client = await master.client()
  const { namespace } = client
  const setXattr = async (path: string, name: string, value: string) => {
    const set = { xattrs: [{ name, value: Buffer.from(value) }] }
    await namespace.setXattrs({ request: client.request(), path, set, remove: [] })
  }
  await client.makeDirectory('/b')
  if (versioning !== undefined) {
    await namespace.setVersioning({ request: client.request(), path: '/b', versioning, objectLock: {} })
  }
  const whole = rules.map((rule) => ({ id: 'r', isEnabled: true, filter: { prefix: '', tags: new Map() }, ...rule }))
  await setXattr('/b', lifecycleAttribute, formatLifecycle(whole))
  const told: NewEvent[] = []
  const events = {
    gather: (_key: string, count: number, event: (count: number) => NewEvent) => told.push(event(count)),
  }
  let monotonicMs = 0
  let lifecycleDayMs = dayMs
  const lifecycle = new Lifecycle({
    namespace,
    leader: master.leader,
    events: events as unknown as EventLog,
    log: { warn: () => undefined } as never,
    nowMs: () => master.context.wallMs(),
    dayMs: () => lifecycleDayMs,
    monotonicMs: () => monotonicMs,
  })
  const wholePass = async () => {
    const { signal } = new AbortController()
    while ((await lifecycle.step(signal)) === 'more');
  }
  return {
    ...{ master, client, told, setXattr },
    pass: async (days) => {
      master.timeMs += days * dayMs
      monotonicMs += dayMs
      await wholePass()
    },
    passWithin: async (ms, newDayMs) => {
      lifecycleDayMs = newDayMs
      master.timeMs += ms
      monotonicMs += ms
      await wholePass()
    },
    keys: async () => {
      const { versions } = await namespace.listVersions({
        ...{ bucket: 'b', prefix: '', delimiter: '', after: '', limit: 1000 },
      })
      return versions.map(
        ({ name, attributes }) => `${name} ${attributes?.isDeleteMarker ? 'marker' : attributes?.length}`,
      )
    },
  }
}

test('objects go when their days are over, by prefix and tag, with the rule as the reason, and lie in trash', async () => {
  const tagged = { prefix: '', tags: new Map([['t', 'v']]) }
  const rig = await start([
    { id: 'logs', filter: { prefix: 'log/', tags: new Map() }, expiration: { kind: 'days', days: 3 } },
    { id: 'tags', filter: tagged, expiration: { kind: 'days', days: 1 } },
  ])
  const { client } = rig
  for (const key of ['log/a', 'keep', 'tagged']) await client.put(inBucket(key), 1)
  await rig.setXattr(inBucket('tagged'), 's3.tags', '{"t":"v"}')
  await rig.pass(2)
  assert.deepEqual(await rig.keys(), ['keep 1', 'log/a 1'])
  await rig.pass(2)
  assert.deepEqual(await rig.keys(), ['keep 1'])
  assert.deepEqual(
    rig.told.map(({ kind, reason }) => [kind, reason?.slice(0, 11)]),
    [
      ['lifecycle', 'rule "tags"'],
      ['lifecycle', 'rule "logs"'],
    ],
  )
  await client.undelete(inBucket('log/a'))
  assert.deepEqual(await rig.keys(), ['keep 1', 'log/a 1'])
})

test('noncurrent versions and lone markers go, also where a key has more versions than a page; locked ones stay', async () => {
  const rig = await start(
    [
      { id: 'old', noncurrent: { days: 1, newerVersionsKept: 2 } },
      { id: 'marker', expiration: { kind: 'lone-marker' } },
    ],
    'enabled',
  )
  const { client } = rig
  const numbers: number[] = []
  for (let version = 0; version < 510; version++) {
    numbers.push((await client.put(inBucket('a'), 1)).objectVersion as number)
  }
  const path = inBucket('a')
  const held = { request: client.request(), path, objectVersion: numbers[0] as number, legalHold: true }
  await client.namespace.setObjectLock(held)
  const { objectVersion } = await client.put(inBucket('z'), 1)
  const remove = { request: client.request(), path: inBucket('z'), precondition: {} }
  await client.namespace.removeObject(remove)
  await rig.pass(3)
  assert.deepEqual(await rig.keys(), [...new Array(4).fill('a 1'), 'z marker', 'z 1'], 'current, two kept, one held')
  const gone = {
    request: client.request(),
    path: inBucket('z'),
    precondition: {},
    objectVersion: objectVersion as number,
  }
  await client.namespace.removeObject(gone)
  await rig.pass(1)
  assert.deepEqual(await rig.keys(), new Array(4).fill('a 1'))
  await checkRows(rig.master.context.kv, { withObjects: true })
})

test('a marker at the end of a page is not lone because its versions are in the next one', async () => {
  const rig = await start([{ expiration: { kind: 'lone-marker' } }], 'enabled')
  const { client } = rig
  for (let count = 0; count < 498; count++) await client.put(inBucket(`k${count}`), 1)
  await client.put(inBucket('z'), 1)
  await client.namespace.removeObject({ request: client.request(), path: inBucket('z'), precondition: {} })
  await client.put(inBucket('zz'), 1)
  await rig.pass(1)
  assert.deepEqual((await rig.keys()).slice(-3), ['z marker', 'z 1', 'zz 1'])
})

test('webhooks of the bucket are told what went, and of nothing that stayed', async () => {
  const rule = (id: string, webhook: string, events: string, prefix = '') => ({
    ...{ id, webhook, events: [events], prefix, suffix: '' },
  })
  const rules = [
    rule('all', 'hook', 's3:LifecycleExpiration:*'),
    rule('some', 'other', 's3:LifecycleExpiration:DeleteMarkerCreated', 'a'),
    rule('no', 'third', 's3:ObjectRemoved:*'),
  ]
  const expire: Partial<LifecycleRule>[] = [
    { id: 'r', expiration: { kind: 'days', days: 1 }, noncurrent: { days: 1, newerVersionsKept: 0 } },
  ]
  const rig = await start(expire, 'enabled')
  const { client } = rig
  await rig.setXattr('/b', notificationAttribute, JSON.stringify(rules))
  const { objectVersion: gone } = await client.put(inBucket('a'), 1)
  const { objectVersion: covered } = await client.put(inBucket('a'), 1)
  const held = await client.put(inBucket('b'), 1)
  await client.namespace.setObjectLock({
    ...{ request: client.request(), path: inBucket('b'), objectVersion: held.objectVersion as number, legalHold: true },
  })
  await rig.pass(3)
  const queued = async (webhook: string) => {
    const path = `/.s3/events/${webhook}`
    const { entries } = await client.namespace.listDirectory({ path, after: '', limit: 100, wantXattrs: true })
    return entries.map(({ attributes }) => {
      const [{ name, value } = { name: '', value: Buffer.alloc(0) }] = attributes.xattrs ?? []
      assert.equal(name, expiryEventAttribute)
      return parseExpiryEvent(value.toString())
    })
  }
  const { versions } = await client.namespace.listVersions({
    ...{ bucket: 'b', prefix: '', delimiter: '', after: '', limit: 10 },
  })
  const [marker] = versions.map(({ attributes }) => attributes?.objectVersion)
  const told = await queued('hook')
  const common = { version: 1 as const, ruleId: 'all', bucket: 'b' }
  const atMs = told[0]?.atMs as number
  assert.deepEqual(told, [
    { ...common, event: 'LifecycleExpiration:DeleteMarkerCreated', key: 'a', objectVersion: marker, atMs },
    { ...common, event: 'LifecycleExpiration:Delete', key: 'a', objectVersion: gone, atMs },
    {
      ...common,
      event: 'LifecycleExpiration:DeleteMarkerCreated',
      key: 'b',
      objectVersion: versions[2]?.attributes?.objectVersion,
      atMs,
    },
  ])
  await rig.pass(3)
  const later = (await queued('hook')).slice(told.length)
  const place = later.map((event) => [event?.event, event?.key, event?.objectVersion])
  assert.deepEqual(place, [['LifecycleExpiration:Delete', 'a', covered]], 'the locked one stays, and nobody is told')
  assert.deepEqual(
    (await queued('other')).map((event) => event?.event),
    ['LifecycleExpiration:DeleteMarkerCreated'],
  )
  await assert.rejects(queued('third'), { code: 'not-found' })
})

// Else the next pass came when it was due by the day before: an hour later.
test('a shorter day counts for the next pass', async () => {
  const rig = await start([{ expiration: { kind: 'days', days: 1 } }])
  await rig.pass(0)
  await rig.client.put(inBucket('a'), 1)
  await rig.passWithin(1_000, 1_000)
  await rig.passWithin(1_000, 1_000)
  assert.deepEqual(await rig.keys(), [])
})

test('a step is taken at the version that was judged: one that was written meanwhile stays', async () => {
  const rig = await start([{ expiration: { kind: 'days', days: 1 } }])
  const { client, master } = rig
  const seen = await client.put(inBucket('a'), 1)
  master.timeMs += 3 * dayMs
  await client.put(inBucket('a'), 2)
  const expiry = { bucket: 'b', key: 'a', ifVersion: seen.version }
  await assert.rejects(master.leader.expireObject(expiry), { code: 'changed' })
  await rig.pass(0)
  assert.deepEqual(await rig.keys(), ['a 2'])
})

test('what is moved into a bucket, alone or in a tree, gets its days from then; a move within it gives none', async () => {
  const rig = await start([{ expiration: { kind: 'days', days: 3 } }])
  const { client, master } = rig
  await client.makeDirectory('/elsewhere')
  for (const key of ['alone', 'tree/x', 'tree/deep/y']) await client.put(objectPath('elsewhere', key), 1)
  await client.put(inBucket('own/z'), 1)
  master.timeMs += 10 * dayMs
  await client.rename('/elsewhere/alone', '/b/alone')
  await client.rename('/elsewhere/tree', '/b/tree')
  await client.rename('/b/own', '/b/moved')
  await rig.pass(1)
  assert.deepEqual(await rig.keys(), ['alone 1', 'tree/deep/y 1', 'tree/x 1'])
  await client.put(inBucket('tree/new'), 2)
  await rig.pass(2)
  assert.deepEqual(await rig.keys(), ['alone 1', 'tree/deep/y 1', 'tree/new 2', 'tree/x 1'])
  await rig.pass(1)
  assert.deepEqual(await rig.keys(), ['tree/new 2'])
  await rig.pass(1)
  assert.deepEqual(await rig.keys(), [])
})

test('what is changed in place gets its days from then', async () => {
  const rig = await start([{ expiration: { kind: 'days', days: 3 } }])
  await rig.client.put(inBucket('log'), 1)
  await rig.pass(2)
  await rig.client.append('/b/log', 1, 1)
  await rig.pass(3)
  assert.deepEqual(await rig.keys(), ['log 2'])
  await rig.pass(1)
  assert.deepEqual(await rig.keys(), [])
})

test('what is moved onto a name makes its older versions noncurrent from then', async () => {
  const rig = await start([{ noncurrent: { days: 3, newerVersionsKept: 0 } }], 'enabled')
  const { client } = rig
  await client.put('/elsewhere', 1)
  await client.put(inBucket('within'), 1)
  for (const key of ['a', 'c']) await client.put(inBucket(key), 2)
  await rig.pass(10)
  await client.rename('/elsewhere', '/b/a')
  await client.rename('/b/within', '/b/c')
  await rig.pass(1)
  assert.deepEqual(await rig.keys(), ['a 1', 'a 2', 'c 1', 'c 2', 'within marker'])
  await rig.pass(4)
  assert.deepEqual(await rig.keys(), ['a 1', 'c 1', 'within marker'])
})

test('uploads that nobody completed are given up', async () => {
  const rig = await start([{ filter: { prefix: 'x/', tags: new Map() }, abortUploadsAfterDays: 2 }])
  const { client } = rig
  for (const [id, key] of [
    ['1', 'x/a'],
    ['2', 'y/a'],
  ] as const) {
    const folder = `/.s3/uploads/b/${id}`
    await client.makeDirectory(`${folder}/parts`, true)
    await client.put(`${folder}/upload`, 1)
    await rig.setXattr(`${folder}/upload`, uploadAttribute, JSON.stringify({ key }))
  }
  await rig.pass(1)
  assert.deepEqual(await client.names('/.s3/uploads/b'), ['1/', '2/'])
  await rig.pass(2)
  assert.deepEqual(await client.names('/.s3/uploads/b'), ['2/'])
})

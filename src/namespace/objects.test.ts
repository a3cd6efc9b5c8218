import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkRows } from '../../test/namespace/check-rows.ts'
import { refused } from '../../test/namespace/refused.ts'
import { memoryKV, type TestClient, TestMaster } from '../../test/namespace/test-master.ts'
import { isAshlarError } from '../base/errors.ts'
import { objectPath } from '../base/object-path.ts'
import { jobKey, queuePrefix } from './keys.ts'

const inBucket = (key: string) => objectPath('b', key)

async function withBucket(kv = memoryKV()): Promise<{ readonly master: TestMaster; readonly client: TestClient }> {
  const master = await TestMaster.start(kv)
  const client = await master.client()
  await client.makeDirectory('/b')
  return { master, client }
}

async function keysOf({ namespace }: TestClient, delimiter = ''): Promise<string[]> {
  const { objects } = await namespace.listObjects({ bucket: 'b', prefix: '', delimiter, after: '', limit: 1000 })
  return objects.map(({ name }) => name)
}

async function lengthOf({ namespace }: TestClient, path: string): Promise<number> {
  return (await namespace.stat({ path })).attributes.length
}

const checkObjects = ({ context }: TestMaster) => checkRows(context.kv, { withObjects: true })

async function isGone(call: Promise<unknown>): Promise<boolean> {
  try {
    await call
    return false
  } catch (error) {
    if (isAshlarError(error, 'not-found')) return true
    throw error
  }
}

test('an object `a` stands beside `a/b` and `a/`, each with bytes of its own, and goes alone', async () => {
  const { master, client } = await withBucket()
  await client.put(inBucket('a/b'), 2)
  await client.put(inBucket('a'), 1)
  await client.put(inBucket('a/'), 3)
  assert.deepEqual(await keysOf(client), ['a', 'a/', 'a/b'])
  assert.deepEqual(await keysOf(client, '/'), ['a', 'a/'])
  for (const [key, length] of [
    ['a', 1],
    ['a/b', 2],
    ['a/', 3],
  ] as const) {
    assert.equal(await lengthOf(client, inBucket(key)), length)
    assert.equal((await client.extents(inBucket(key))).length, 1)
  }
  // At file doors `a` is the file and `a/` the directory.
  assert.deepEqual(await client.names('/b'), ['a', 'a/'])
  assert.equal((await client.namespace.stat({ path: '/b/a' })).attributes.kind, 'file')
  assert.equal((await client.namespace.stat({ path: '/b/a/' })).attributes.kind, 'directory')
  assert.deepEqual(await client.names('/b/a'), ['b'])
  await checkObjects(master)
  await client.remove(inBucket('a'))
  assert.deepEqual(await keysOf(client), ['a/', 'a/b'])
  await client.remove(inBucket('a/'))
  assert.deepEqual(await keysOf(client), ['a/b'])
  assert.equal(await isGone(client.remove(inBucket('a'))), true)
  for (const key of ['a', 'a/']) await client.undelete(inBucket(key))
  assert.deepEqual(await keysOf(client), ['a', 'a/', 'a/b'])
  await client.rename('/b/a', '/b/c')
  assert.deepEqual(await keysOf(client), ['a/', 'a/b', 'c'])
  await client.rename('/b/a', '/b/d')
  assert.deepEqual(await keysOf(client), ['c', 'd/', 'd/b'])
  await checkObjects(master)
})

test('keys are kept exactly, up to 1,024 bytes, and file doors refuse to make their names', async () => {
  const { master, client } = await withBucket()
  const deep = '/'.repeat(1024)
  const odd = ['..', '../x', './/', '/', 'a//b', 'a/./b', 'n\0l', '\n', 'x'.repeat(1024), deep, `${deep.slice(1)}x`]
  for (const key of odd) await client.put(inBucket(key), 1)
  const inOrder = odd.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  assert.deepEqual(await keysOf(client), inOrder)
  for (const key of odd) assert.equal(await lengthOf(client, inBucket(key)), 1, JSON.stringify(key))
  await checkObjects(master)
  for (const path of ['/b/..', '/b/../x', '/b/a//b', '/b/a/./b', '/b/n\0l', '/b//']) {
    await refused(client.put(path, 1), 'invalid-name')
    await refused(client.makeDirectory(path, true), 'invalid-name')
    await refused(client.rename('/b/a', path), 'invalid-name')
  }
  for (const path of ['s3://b', 's3://b/', 's3:///x', 's3://../x', `s3://b/${'x'.repeat(1025)}`, 's3://b/\ud800']) {
    await refused(client.put(path), 'invalid-name')
  }
  // What only the view of files has takes no object paths.
  await refused(client.makeDirectory(inBucket('d')), 'invalid-name')
  await refused(client.truncate(inBucket('..'), 0), 'invalid-name')
  for (const key of odd) await client.remove(inBucket(key))
  assert.deepEqual(await keysOf(client), [])
  master.timeMs += master.trashKeepMs
  await master.purgeAll()
  assert.deepEqual(await client.names('/b'), [])
  assert.equal((await checkObjects(master)).liveChunks, 0)
  assert.equal((await master.namespace.totals()).directories, 1)
})

test('an object never makes its bucket', async () => {
  const { client } = await withBucket()
  await refused(client.put(objectPath('c', 'a/b'), 1), 'not-found')
  await refused(client.copy(inBucket('a'), objectPath('c', 'a')), 'not-found')
})

test('preconditions of an object see only the object', async () => {
  const { client } = await withBucket()
  await client.put(inBucket('a/b'), 1)
  const put = async (key: string, precondition: object) =>
    client.namespace.commitFile(client.commitRequest(inBucket(key), await client.write(1), { precondition }))
  const { version } = (await put('a', { ifAbsent: true })).attributes
  await refused(put('a', { ifAbsent: true }), 'already-exists')
  await put('a', { ifVersion: version })
  // A directory that was made by hand is the object `d/`.
  await client.makeDirectory('/b/d')
  await refused(put('d/', { ifAbsent: true }), 'already-exists')
})

test('a directory made by hand is the object `dir/`, and without that it goes with its last entry', async () => {
  const { master, client } = await withBucket()
  await client.makeDirectory('/b/dir')
  assert.deepEqual(await keysOf(client), ['dir/'])
  assert.equal(await lengthOf(client, inBucket('dir/')), 0)
  assert.deepEqual(await client.extents(inBucket('dir/')), [])
  await client.copy(inBucket('dir/'), inBucket('copied'))
  const set = { xattrs: [{ name: 's3', value: Buffer.from('x') }] }
  await client.namespace.setXattrs({ request: client.request(), path: inBucket('dir/'), set, remove: [] })
  await client.put(inBucket('dir/f'), 1)
  await client.remove(inBucket('dir/'))
  await checkObjects(master)
  await master.purgeAll()
  assert.deepEqual(await keysOf(client), ['copied', 'dir/f'])
  await client.remove(inBucket('dir/f'))
  assert.deepEqual(await client.names('/b'), ['copied'])
  await master.purgeAll()
  assert.equal((await master.namespace.totals()).directories, 1)
  // The other way round: what S3 made on the way stays once somebody has asked for it.
  await client.put(inBucket('way/f'), 1)
  assert.deepEqual(await keysOf(client), ['copied', 'way/f'])
  await client.makeDirectory('/b/way', true)
  await client.remove('/b/way/f')
  await master.purgeAll()
  assert.deepEqual(await keysOf(client), ['copied', 'way/'])
  assert.deepEqual(await client.names('/b'), ['copied', 'way/'])
  // And `dir/` with bytes takes the marker's place.
  await client.put(inBucket('way/'), 4)
  assert.equal(await lengthOf(client, inBucket('way/')), 4)
  await client.remove('/b/way')
  await checkObjects(master)
})

test('a directory that lost all its objects shows nowhere and is in nobody’s way, before it is pruned and after', async () => {
  const { master, client } = await withBucket()
  const empty = async () => {
    await client.put(inBucket('a/b/c'), 1)
    await client.remove(inBucket('a/b/c'))
  }
  for (const prunes of [false, true]) {
    const settle = async () => {
      await empty()
      if (prunes) await master.purgeAll()
    }
    await settle()
    assert.deepEqual(await client.names('/b'), [])
    assert.deepEqual(await keysOf(client, '/'), [])
    assert.equal(await isGone(client.namespace.stat({ path: '/b/a' })), true)
    assert.equal(await isGone(client.namespace.stat({ path: '/b/a/' })), true)
    assert.equal(await isGone(client.remove('/b/a', true)), true)
    // A file of that name, a directory made, moved or brought back there.
    await client.put('/b/a', 1)
    await client.remove('/b/a')
    await settle()
    await client.makeDirectory('/b/a')
    await client.remove('/b/a')
    await settle()
    await client.makeDirectory('/x')
    await client.rename('/x', '/b/a', { replace: false })
    await client.remove('/b/a')
    await settle()
    await client.undelete('/b/a')
    await client.remove('/b/a')
    await checkObjects(master)
    // The bucket counts as empty.
    await settle()
    await client.remove('/b')
    await client.makeDirectory('/b')
    await checkObjects(master)
  }
  await empty()
  await master.purgeAll()
  assert.deepEqual(await pruneJobs(master), 0)
  assert.equal((await master.namespace.totals()).directories, 1)
})

test('a bucket is empty once its last object went, however many directories they were in', async () => {
  const { master, client } = await withBucket()
  const keys = Array.from({ length: 300 }, (_, index) => `${index}/deep/${index}`)
  for (const key of keys) await client.put(inBucket(key))
  for (const key of keys) await client.remove(inBucket(key))
  await client.remove('/b')
  assert.deepEqual(await client.names('/'), [])
  await master.purgeAll()
  await checkObjects(master)
})

test('a page of a directory that begins with hidden ones goes on behind them', async () => {
  const { client } = await withBucket()
  for (const name of ['a', 'b', 'c', 'd', 'e']) {
    await client.put(inBucket(`${name}/f`), 1)
    if (name !== 'd') await client.remove(inBucket(`${name}/f`))
  }
  const seen: string[] = []
  for (let after = '', more = true; more; ) {
    const page = await client.namespace.listDirectory({ path: '/b', after, limit: 1 })
    seen.push(...page.entries.map(({ name }) => name))
    more = page.more
    after = page.next ?? ''
  }
  assert.deepEqual(seen, ['d'])
})

test('an attribute or policy set by hand keeps a directory', async () => {
  const { master, client } = await withBucket()
  await client.put(inBucket('a/f'), 1)
  const set = { xattrs: [{ name: 'n', value: Buffer.from('x') }] }
  await client.namespace.setXattrs({ request: client.request(), path: '/b/a/', set, remove: [] })
  await client.remove(inBucket('a/f'))
  await master.purgeAll()
  assert.deepEqual(await client.names('/b'), ['a/'])
  assert.deepEqual(await keysOf(client), [])
})

test('what leaves a directory by any way has it pruned', async () => {
  const { master, client } = await withBucket()
  const ways: readonly (() => Promise<unknown>)[] = [
    () => client.remove('/b/a/f'),
    () => client.rename('/b/a/f', '/b/g'),
    () => client.rename(inBucket('a/f'), inBucket('h/i')),
    () => client.concat('/b/g', '/b/a/f'),
  ]
  for (const way of ways) {
    await client.put(inBucket('a/f'), 1)
    await way()
    assert.equal(await pruneJobs(master), 1)
    await master.leader.purgeDue(1)
    await checkObjects(master)
    assert.equal(await isGone(client.namespace.listDirectory({ path: '/b/a', after: '', limit: 1 })), true)
  }
  // A replacement leaves nothing behind.
  await client.put(inBucket('a/f'), 1)
  await client.put(inBucket('a/f'), 1)
  assert.equal(await pruneJobs(master), 0)
})

test('a tree in trash is not pruned, so it comes back as it was', async () => {
  const { master, client } = await withBucket()
  await client.put(inBucket('a/b/f'), 1)
  await client.put(inBucket('a/g'), 1)
  await client.remove(inBucket('a/b/f'))
  await client.remove('/b/a', true)
  await master.leader.purgeDue(4)
  await checkObjects(master)
  await client.undelete('/b/a')
  await client.undelete(inBucket('a/b/f'))
  assert.deepEqual(await keysOf(client), ['a/b/f', 'a/g'])
  await checkObjects(master)
})

test('what an unfinished upload foresaw leaves no directory', async () => {
  const { master, client } = await withBucket()
  const begin = { request: client.request(), path: inBucket('x/y/z'), precondition: {}, makeParents: false }
  const { inode } = await client.namespace.beginFile(begin)
  assert.equal((await master.namespace.totals()).directories, 1)
  await client.namespace.abandonFile({ request: client.request(), inode })
  await client.putLarge(inBucket('x/y/z'), 300)
  assert.deepEqual(await keysOf(client), ['x/y/z'])
  await client.copy(inBucket('x/y/z'), inBucket('x/y'))
  assert.deepEqual(await keysOf(client), ['x/y', 'x/y/z'])
  assert.equal((await client.extents(inBucket('x/y'))).length, 300)
  await checkObjects(master)
})

// A create writes no row of its directory, and a prune no row of its creates: only what each reads keeps them apart.
test('a put that races the pruning of its directory is there, and nothing is left over', async () => {
  for (let seed = 0; seed < 40; seed++) {
    const kv = memoryKV(seed)
    const { master, client } = await withBucket(kv)
    await client.put(inBucket('a/b/old'), 1)
    await client.remove(inBucket('a/b/old'))
    const request = client.commitRequest(inBucket('a/b/new'), await client.write(5))
    Object.assign(kv.faults, { delayMs: 0.5, conflict: 0.1 })
    await Promise.all([
      client.namespace.commitFile(request),
      master.leader.purgeDue(4),
      client.namespace.listObjects({ bucket: 'b', prefix: '', delimiter: '/', after: '', limit: 10 }),
    ])
    Object.assign(kv.faults, { delayMs: 0, conflict: 0 })
    assert.deepEqual(await keysOf(client), ['a/b/new'])
    await checkObjects(master)
    await client.remove(inBucket('a/b/new'))
    await master.purgeAll()
    assert.equal((await master.namespace.totals()).directories, 1)
  }
})

test('removals of one directory’s last objects at once have it pruned', async () => {
  for (let seed = 0; seed < 20; seed++) {
    const kv = memoryKV(seed)
    const { master, client } = await withBucket(kv)
    for (const key of ['a/1', 'a/2', 'a/3']) await client.put(inBucket(key), 1)
    Object.assign(kv.faults, { delayMs: 0.5, conflict: 0.1 })
    await Promise.all([
      ...['a/1', 'a/2', 'a/3'].map((key) => client.remove(inBucket(key))),
      master.leader.purgeDue(2),
      client.makeDirectory('/b/other'),
    ])
    Object.assign(kv.faults, { delayMs: 0, conflict: 0 })
    await master.purgeAll()
    assert.deepEqual(await client.names('/b'), ['other/'])
    await checkObjects(master)
    assert.equal((await master.namespace.totals()).directories, 2)
  }
})

async function pruneJobs({ context }: TestMaster): Promise<number> {
  const start = queuePrefix('prune')
  const rows = await context.kv.transact((tx) => tx.range({ start, end: jobKey('prune', 2 ** 52), limit: 100 }))
  return rows.length
}

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkRows } from '../../test/namespace/check-rows.ts'
import { refused } from '../../test/namespace/refused.ts'
import { otherPolicy, TestMaster, testPolicy } from '../../test/namespace/test-master.ts'
import { limits } from '../base/limits.ts'
import type { Rising } from '../base/rising.ts'
import { entryKey, rootInode } from './keys.ts'

test('names that a file system cannot show are refused, all others are kept byte for byte', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  const bad = [
    '',
    'a',
    '//',
    '/a//b',
    '/.',
    '/a/..',
    '/a\0b',
    '/\ud800',
    `/${'é'.repeat(513)}`,
    `/${'a/'.repeat(2048)}b`,
  ]
  for (const path of bad) await refused(client.makeDirectory(path), 'invalid-name')
  await refused(client.put('/a/', 1), 'is-a-directory')
  await refused(client.makeDirectory('/'), 'already-exists')
  await refused(client.remove('/', true), 'invalid-argument')
  const good = ['/...', '/\u0001', '/e\u0301', '/\u00e9', '/ ', '/\u{1f600}', `/${'é'.repeat(512)}`, '/A', '/a']
  for (const path of good) await client.put(path, 1)
  const expected = good.map((path) => path.slice(1)).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  assert.deepEqual(await client.names('/'), expected)
})

test('listDirectory() orders by bytes with "/" after a directory, and finds prefixes', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  for (const path of ['/a', '/ab']) await client.makeDirectory(path)
  for (const path of ['/a-', '/a.b', '/a0', '/b']) await client.put(path, 1)
  assert.deepEqual(await client.names('/'), ['a-', 'a.b', 'a/', 'a0', 'ab/', 'b'])
  const page = await client.namespace.listDirectory({ path: '/', after: 'a-', limit: 2, prefix: 'a' })
  assert.deepEqual(
    page.entries.map(({ name, attributes }) => [name, attributes.kind]),
    [
      ['a.b', 'file'],
      ['a', 'directory'],
    ],
  )
  assert.equal(page.more, true)
  assert.deepEqual((await client.namespace.listDirectory({ path: '/', after: 'b', limit: 2, prefix: 'a' })).entries, [])
  await refused(client.namespace.listDirectory({ path: '/b', after: '', limit: 2 }), 'not-a-directory')
  await refused(client.namespace.listDirectory({ path: '/c', after: '', limit: 2 }), 'not-found')
  await refused(client.namespace.listDirectory({ path: '/', after: '', limit: 0 }), 'invalid-argument')
})

test('paging goes on after a name that vanished, and never skips or repeats one that stays', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  const names = Array.from({ length: 30 }, (_, index) => `f${String(index).padStart(2, '0')}`)
  for (const name of names) await client.put(`/${name}`, 1)
  const seen: string[] = []
  for (let after = '', more = true; more; ) {
    const page = await client.namespace.listDirectory({ path: '/', after, limit: 4 })
    for (const { name } of page.entries) seen.push(name)
    after = seen.at(-1) ?? ''
    more = page.more
    // The name to go on after, one that was seen, and one that is to come.
    const at = names.indexOf(after)
    for (const gone of [after, names[at - 1], names[at + 2]]) {
      if (gone !== undefined && more) await client.remove(`/${gone}`)
    }
  }
  const stayed = await client.names('/')
  assert.deepEqual(
    seen.filter((name) => stayed.includes(name)),
    stayed,
  )
  assert.equal(new Set(seen).size, seen.length)
})

test('a long page is cut before it outgrows a frame', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  const stem = 'n'.repeat(1000)
  for (let index = 0; index < 600; index++) {
    await client.namespace.commitFile(client.commitRequest(`/${stem}${index}`, await client.write()))
  }
  const page = await client.namespace.listDirectory({ path: '/', after: '', limit: 1000 })
  assert.ok(page.entries.length < 600 && page.more)
  assert.equal((await client.names('/')).length, 600)
})

test('preconditions say what was lost: which version was expected, and which is there', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  const first = await client.put('/a', 1)
  const second = await client.put('/a', 2)
  assert.ok(second.version > first.version)
  const put = async (precondition: { ifAbsent?: boolean; ifVersion?: Rising }, path = '/a') =>
    client.namespace.commitFile(client.commitRequest(path, await client.write(1), { precondition }))
  const lost = await refused(put({ ifVersion: first.version }), 'changed')
  assert.match(lost.message, /changed since version \d+ \(now \d+\): read it again and retry/)
  assert.equal(lost.details['version'], second.version)
  assert.match((await refused(put({ ifVersion: first.version }, '/b'), 'changed')).message, /now gone/)
  await refused(put({ ifAbsent: true }), 'already-exists')
  await put({ ifVersion: second.version })
  const remove = {
    request: client.request(),
    path: '/a',
    recursive: false,
    precondition: { ifVersion: second.version },
  }
  await refused(client.namespace.remove(remove), 'changed')
  await refused(client.append('/a', 7, 1), 'changed')
})

test('rename() refuses cycles and what does not fit, replaces only when asked', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  await client.makeDirectory('/d/e/f', true)
  await client.put('/d/g', 1)
  await client.put('/h', 2)
  for (const to of ['/d/x', '/d/e/x', '/d/e/f/x']) await refused(client.rename('/d', to), 'invalid-argument')
  await refused(client.rename('/h', '/d'), 'is-a-directory')
  await refused(client.rename('/d', '/h'), 'not-a-directory')
  await refused(client.rename('/h', '/d/g', { replace: false }), 'already-exists')
  await refused(client.rename('/d/e/f', '/d'), 'not-empty')
  await refused(client.rename('/h', '/no/h'), 'not-found')
  await refused(client.rename('/nothing', '/h'), 'not-found')
  await client.rename('/d', '/d')
  await client.rename('/h', '/no/way/h', { makeParents: true })
  await client.rename('/no/way/h', '/d/g')
  assert.equal((await client.namespace.stat({ path: '/d/g' })).attributes.length, 2)
  await client.makeDirectory('/empty')
  await client.rename('/d', '/empty')
  assert.deepEqual(await client.names('/empty'), ['e/', 'g'])
  await checkRows(master.context.kv)
})

test('makeDirectory() makes what is missing only when recursive; remove() keeps what is not empty', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  await refused(client.makeDirectory('/a/b'), 'not-found')
  const make = (path: string) =>
    client.namespace.makeDirectory({ request: client.request(), path, recursive: true, mode: 0o700 })
  assert.equal((await make('/a/b')).made, true)
  const again = await make('/a/b')
  assert.deepEqual([again.made, again.attributes.mode], [false, 0o700])
  await refused(client.makeDirectory('/a/b'), 'already-exists')
  await client.put('/a/f', 1)
  await refused(make('/a/f'), 'not-a-directory')
  await refused(make('/a/f/g'), 'not-a-directory')
  await refused(client.put('/a/b', 1), 'is-a-directory')
  await refused(client.remove('/a'), 'not-empty')
  const only = (path: string, kind: 'file' | 'directory') =>
    client.namespace.remove({ request: client.request(), path, recursive: true, precondition: {}, only: kind })
  await refused(only('/a', 'file'), 'is-a-directory')
  await refused(only('/a/f', 'directory'), 'not-a-directory')
  await refused(client.remove('/a/f/'), 'not-a-directory')
  // Made explicitly: it stays when its last entry goes.
  await client.remove('/a/f')
  await client.remove('/a/b')
  assert.deepEqual(await client.names('/'), ['a/'])
  await client.remove('/a')
  await checkRows(master.context.kv)
})

// S3 may make both: then `a` is the file and `a/` the directory.
test('of a file and a directory of one name each is found', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  await client.makeDirectory('/a')
  await client.put('/a/b', 5)
  await client.put('/c', 7)
  const { kv } = master.context
  const entry = await kv.transact((tx) => tx.get(entryKey(rootInode, 'c')))
  await kv.transact(async (tx) => tx.put(entryKey(rootInode, 'a'), entry as Buffer))
  const kindOf = async (path: string) => (await client.namespace.stat({ path })).attributes.kind
  assert.deepEqual([await kindOf('/a'), await kindOf('/a/'), await kindOf('/a/b')], ['file', 'directory', 'file'])
  assert.deepEqual(await client.names('/'), ['a', 'a/', 'c'])
  await client.rename('/a/', '/d')
  assert.deepEqual(await client.names('/'), ['a', 'c', 'd/'])
})

test('a replaced file stays as private as it was; attributes and xattrs are set under a new version', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  await client.put('/a', 1)
  const set = { mode: 0o600, owner: 'ann', modifiedMs: 5 }
  const changed = await client.namespace.setAttributes({ request: client.request(), path: '/a', set, precondition: {} })
  assert.deepEqual([changed.attributes.mode, changed.attributes.modifiedMs], [0o600, 5])
  const replaced = await client.put('/a', 2)
  assert.deepEqual([replaced.mode, replaced.owner], [0o600, 'ann'])
  assert.ok(replaced.version > changed.attributes.version)
  const xattrs = (names: readonly string[], size = 1) =>
    names.map((name) => ({ name, value: Buffer.alloc(size, name) }))
  const setXattrs = (some: ReturnType<typeof xattrs>, remove: string[] = []) =>
    client.namespace.setXattrs({ request: client.request(), path: '/a', set: { xattrs: some }, remove })
  await setXattrs(xattrs(['x', 'y']))
  await setXattrs(xattrs(['z']), ['x', 'none'])
  const { attributes } = await client.namespace.stat({ path: '/a', wantXattrs: true })
  assert.deepEqual(
    attributes.xattrs?.map(({ name }) => name),
    ['y', 'z'],
  )
  assert.equal((await client.namespace.stat({ path: '/a' })).attributes.xattrs, undefined)
  await refused(setXattrs(xattrs(['p', 'q'], limits.xattrValueBytes)), 'too-large')
  await refused(setXattrs(xattrs([''])), 'invalid-argument')
})

test('a policy belongs to a directory and all below it', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  await client.makeDirectory('/d/e', true)
  const policyOf = async (path: string, makeParents = false) =>
    (await master.namespace.resolvePolicy(path, { makeParents })).name
  const setPolicy = (path: string, policy: string) =>
    client.namespace.setAttributes({ request: client.request(), path, set: {}, precondition: {}, policy })
  assert.equal(await policyOf('/d/e/f'), testPolicy.name)
  await setPolicy('/d', otherPolicy.name)
  assert.equal(await policyOf('/d/e/f'), otherPolicy.name)
  assert.equal(await policyOf('/d/e/x/y/f', true), otherPolicy.name)
  assert.equal(await policyOf('/f'), testPolicy.name)
  await setPolicy('/', otherPolicy.name)
  assert.equal(await policyOf('/f'), otherPolicy.name)
  assert.equal((await client.namespace.stat({ path: '/d/e' })).attributes.policy, otherPolicy.name)
  await refused(setPolicy('/d', 'none'), 'invalid-argument')
  await refused(policyOf('/x/f'), 'not-found')
  await refused(policyOf('/d/e', true), 'is-a-directory')
  await client.put('/file', 1)
  await refused(policyOf('/file/f', true), 'not-a-directory')
  await refused(setPolicy('/file', otherPolicy.name), 'not-a-directory')
})

test('openFile() and getExtents() read a long file; an append extends it, a replacement is noticed', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  await client.putLarge('/a', 600)
  const opened = await client.namespace.openFile({ path: '/a' })
  assert.deepEqual([opened.extents.length, opened.extentCount], [limits.extentsPerPage, 600])
  await client.append('/a', 6000, 1)
  const request = { path: '/a', content: opened.content }
  assert.equal((await client.namespace.getExtents({ ...request, from: 590 })).extents.length, 11)
  assert.deepEqual((await client.namespace.getExtents({ ...request, from: 601 })).extents, [])
  const all = await client.extents('/a')
  assert.equal(new Set(all.map(({ chunk }) => chunk)).size, 601)
  await client.put('/a', 1)
  await refused(client.namespace.getExtents({ ...request, from: 10 }), 'changed')
})

test('copyFile() of a long file goes in steps, and gives all back when the source changes', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  await client.putLarge('/a', 600)
  const request = {
    request: client.request(),
    from: '/a',
    to: '/b',
    precondition: {},
    makeParents: false,
    attributes: {},
  }
  assert.equal((await client.namespace.copyFile(request)).done, false)
  await client.append('/a', 6000, 1)
  await refused(client.namespace.copyFile(request), 'changed')
  await master.purgeAll()
  const { liveChunks, sharedChunks } = await checkRows(master.context.kv)
  assert.deepEqual([liveChunks, sharedChunks], [601, 0])
  const again = { ...request, request: client.request() }
  let steps = 1
  while (!(await client.namespace.copyFile(again)).done) steps++
  assert.ok(steps > 1)
  assert.equal((await client.namespace.copyFile(again)).attributes?.length, 6001)
  assert.deepEqual(await client.extents('/b'), await client.extents('/a'))
  await checkRows(master.context.kv)
})

test('truncate() cuts within a chunk, keeps the old content in trash, and does not extend', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  await client.put('/a', 10, 10, 10)
  const cut = await client.truncate('/a', 15)
  assert.deepEqual([cut.length, cut.crc], [15, undefined])
  assert.deepEqual(
    (await client.extents('/a')).map(({ length, chunkLength }) => [length, chunkLength]),
    [
      [10, 10],
      [5, 10],
    ],
  )
  await refused(client.truncate('/a', 16), 'invalid-argument')
  await client.undelete('/a', { to: '/old' })
  assert.equal((await client.namespace.stat({ path: '/old' })).attributes.length, 30)
  const empty = await client.truncate('/a', 0)
  assert.deepEqual([empty.length, empty.crc], [0, 0])
  await checkRows(master.context.kv)
})

test('concat() moves the bytes in order and keeps the checksum', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  await client.put('/a', 1, 2)
  await client.put('/b', 3)
  await client.put('/c', 4)
  const whole = [...(await client.extents('/a')), ...(await client.extents('/c')), ...(await client.extents('/b'))]
  const joined = await client.concat('/a', '/c', '/b')
  assert.equal(joined.length, 10)
  assert.deepEqual(await client.extents('/a'), whole)
  assert.deepEqual(await client.names('/'), ['a'])
  await client.put('/d', 5)
  await refused(client.concat('/a', '/d', '/d'), 'invalid-argument')
  await refused(client.concat('/a', '/a'), 'invalid-argument')
  await refused(client.concat('/a', '/none'), 'not-found')
  assert.deepEqual(await client.names('/'), ['a', 'd'])
})

test('summarize() adds up a tree in bounded calls, itself included', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  for (let index = 0; index < 1100; index++) await client.makeDirectory(`/t/${index % 40}/${index}`, true)
  await client.put('/t/3/f', 5)
  await client.put('/t/39/1039/f', 6)
  await client.put('/f', 7)
  const sum = { files: 0, directories: 0, lengthBytes: 0, calls: 0 }
  let cursor: Buffer | undefined
  do {
    const part = await client.namespace.summarize({ path: '/t', cursor })
    sum.files += part.files
    sum.directories += part.directories
    sum.lengthBytes += part.lengthBytes
    sum.calls++
    cursor = part.cursor
  } while (cursor !== undefined)
  assert.deepEqual(sum, { files: 2, directories: 1141, lengthBytes: 11, calls: 2 })
  const { files, lengthBytes } = await client.namespace.summarize({ path: '/f' })
  assert.deepEqual([files, lengthBytes], [1, 7])
})

test('commitFile() refuses a checksum that is not that of its chunks', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  const written = await client.write(5)
  const crc = written.extents[0]?.crc as number
  await refused(client.namespace.commitFile(client.commitRequest('/a', written, { crc: crc ^ 1 })), 'corrupt')
  const { attributes } = await client.namespace.commitFile(client.commitRequest('/a', written, { crc }))
  assert.equal(attributes.crc, crc)
})

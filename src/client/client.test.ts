import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startCluster } from '../testing/index.ts'
import type { AshlarClient } from './filesystem.ts'
import { isAshlarError } from './index.ts'

async function cluster(): Promise<{ readonly client: AshlarClient } & AsyncDisposable> {
  return await startCluster({ storage: 'memory' })
}

const failsWith = (code: string) => (error: unknown) => isAshlarError(error) && error.code === code

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

test('readdir(), list(): names in order, page by page, with kinds', async () => {
  await using running = await cluster()
  const { client } = running
  for (const name of ['b', 'a', 'a.txt', 'ä', 'B']) await client.writeFile(`/d/${name}`, name, { makeParents: true })
  await client.mkdir('/d/sub/deep', { recursive: true })
  await client.writeFile('/d/sub/deep/leaf', '')
  assert.deepEqual(await client.readdir('/d'), ['B', 'a', 'a.txt', 'b', 'sub', 'ä'])
  const recursive = await client.readdir('/d', { recursive: true })
  assert.deepEqual(recursive.slice(6), ['sub/deep', 'sub/deep/leaf'])
  const paged = await collect(client.list('/d', { pageEntries: 2 }))
  assert.deepEqual(
    paged.map(({ name }) => name),
    await client.readdir('/d'),
  )
  assert.deepEqual(
    (await collect(client.list('/d', { prefix: 'a' }))).map(({ name }) => name),
    ['a', 'a.txt'],
  )
  assert.deepEqual(
    (await collect(client.list('/d', { after: 'b' }))).map(({ path }) => path),
    ['/d/sub', '/d/ä'],
  )
  const entries = await client.readdir('/d', { withFileTypes: true })
  assert.equal(entries.find(({ name }) => name === 'sub')?.isDirectory(), true)
  await assert.rejects(client.readdir('/nowhere'), failsWith('not-found'))
  await assert.rejects(collect(client.list('/d', { pageEntries: 0 })), failsWith('invalid-argument'))
})

test('mkdir(), rename(), rm(), undelete(), emptyTrash()', async () => {
  await using running = await cluster()
  const { client } = running
  assert.equal(await client.mkdir('/d'), '/d')
  assert.equal(await client.mkdir('/d', { recursive: true }), undefined)
  await assert.rejects(client.mkdir('/d'), failsWith('already-exists'))
  await assert.rejects(client.mkdir('/x/y'), failsWith('not-found'))
  await client.writeFile('/d/f', 'one')
  await client.writeFile('/d/g', 'two')
  await assert.rejects(client.rename('/d/f', '/d/g', { replace: false }), failsWith('already-exists'))
  await client.rename('/d/f', '/d/g')
  assert.equal(await client.readFile('/d/g', 'utf8'), 'one')
  await assert.rejects(client.rename('/d', '/d/inside'), (error) => isAshlarError(error))
  await assert.rejects(client.rmdir('/d'), failsWith('not-empty'))
  await assert.rejects(client.rm('/d'), failsWith('is-a-directory'))
  await assert.rejects(client.unlink('/d'), failsWith('is-a-directory'))
  assert.equal(await client.rm('/nowhere', { force: true }), undefined)
  const trashId = await client.rm('/d', { recursive: true })
  assert.equal(await client.exists('/d'), false)
  const trash = await collect(client.listTrash())
  assert.ok(trash.some((entry) => entry.trashId === trashId && entry.reason === 'removed'))
  await client.undelete('/d', trashId === undefined ? {} : { trashId })
  assert.equal(await client.readFile('/d/g', 'utf8'), 'one')
  await client.rm('/d', { recursive: true })
  assert.ok((await client.emptyTrash()).entries > 0)
  await assert.rejects(client.undelete('/d'), failsWith('not-found'))
})

test('copyFile(), cp(), concat(), truncate(), summarize()', async () => {
  await using running = await cluster()
  const { client } = running
  await client.writeFile('/t/a', 'aaa', { makeParents: true })
  await client.writeFile('/t/sub/b', 'bb', { makeParents: true })
  await client.copyFile('/t/a', '/copy')
  await assert.rejects(client.copyFile('/t/a', '/copy', { ifAbsent: true }), failsWith('already-exists'))
  await assert.rejects(client.cp('/t', '/u'), failsWith('is-a-directory'))
  await assert.rejects(client.cp('/t', '/t/sub/t', { recursive: true }), failsWith('invalid-argument'))
  await client.cp('/t', '/u', { recursive: true })
  assert.equal(await client.readFile('/u/sub/b', 'utf8'), 'bb')
  assert.deepEqual(await client.summarize('/u'), {
    files: 2,
    directories: 2,
    lengthBytes: 5,
    versions: 0,
    versionBytes: 0,
  })
  await client.concat('/copy', ['/u/a', '/u/sub/b'])
  assert.equal(await client.readFile('/copy', 'utf8'), 'aaaaaabb')
  await client.truncate('/copy', 4)
  assert.equal(await client.readFile('/copy', 'utf8'), 'aaaa')
  await assert.rejects(client.truncate('/copy', 5), failsWith('invalid-argument'))
})

test('attributes: mode, owner, times, extended ones', async () => {
  await using running = await cluster()
  const { client } = running
  await client.writeFile('/f', 'x', { mode: 0o600, modifiedMs: 5, xattrs: { 'user.a': 'one' } })
  await client.setXattr('/f', 'user.b', Buffer.from('two'))
  assert.deepEqual((await client.listXattrs('/f')).toSorted(), ['user.a', 'user.b'])
  assert.equal((await client.getXattr('/f', 'user.b')).toString(), 'two')
  await client.removeXattr('/f', 'user.a')
  await assert.rejects(client.getXattr('/f', 'user.a'), failsWith('not-found'))
  await client.chmod('/f', 0o640)
  await client.chown('/f', { owner: 'ann' })
  await client.utimes('/f', { modified: new Date(7) })
  const stats = await client.stat('/f')
  assert.deepEqual([stats.mode, stats.owner, stats.modifiedMs, stats.isFile()], [0o640, 'ann', 7, true])
  await assert.rejects(client.chmod('/f', 0o10000), failsWith('invalid-argument'))
})

test('describeChunks(), describeReplica(), checksum(), nodes(), status(), settings()', async () => {
  await using running = await cluster()
  const { client } = running
  await client.writeFile('/f', 'hello')
  const [chunk, ...more] = await collect(client.describeChunks('/f'))
  assert.ok(chunk !== undefined && more.length === 0)
  assert.equal(chunk.length, 5)
  for (const { serverId } of chunk.replicas) {
    const replica = await client.describeReplica(chunk.chunkId, serverId, { md5: true })
    assert.deepEqual([replica.length, replica.md5], [5, '5d41402abc4b2a76b9719d911017c592'])
  }
  assert.equal(await client.checksum('/f', 'md5'), '5d41402abc4b2a76b9719d911017c592')
  assert.equal(await client.checksum('/f', 'crc32'), '3610a686')
  assert.equal((await client.nodes()).length, 3)
  assert.equal((await client.status()).serversUp, 3)
  assert.ok('trash-keep' in (await client.settings()))
})

test('every name that can be stored comes back byte for byte', async () => {
  await using running = await cluster()
  const { client } = running
  const names = ['é', 'e\u0301', '__proto__', '%2F', ' ', '\n', '😀', 'x'.repeat(1024), '\u0001', '...']
  for (const name of names) await client.writeFile(`/${name}`, name)
  for (const name of names) assert.equal(await client.readFile(`/${name}`, 'utf8'), name)
  assert.deepEqual((await client.readdir('/')).toSorted(), names.toSorted())
})

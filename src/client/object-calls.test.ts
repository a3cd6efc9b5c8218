import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startCluster } from '../testing/index.ts'
import { isAshlarError, objectPath } from './index.ts'
import { shownName } from './paths.ts'

const failsWith = (code: string) => (error: unknown) => isAshlarError(error) && error.code === code

test('objectPath(): any key holds bytes of its own, through every call that takes a path', async () => {
  await using cluster = await startCluster({ storage: 'memory' })
  const { client } = cluster
  await client.mkdir('/b')
  const keys = ['..', '../x', '.', '/', 'a', 'a/', 'a//b', 'a/b', 'n\0l', 'x'.repeat(1024)]
  for (const key of keys) await client.writeFile(objectPath('b', key), `of ${key}`, { xattrs: { k: key } })
  for (const key of keys) {
    assert.equal(await client.readFile(objectPath('b', key), 'utf8'), `of ${key}`)
    const { xattrs } = await client.stat(objectPath('b', key), { xattrs: true })
    assert.equal(xattrs.get('k')?.toString(), key)
  }
  const seen: string[] = []
  for await (const object of client.listObjects('b', { pageEntries: 3, xattrs: true })) {
    assert.ok('key' in object)
    assert.equal(object.stats.xattrs.get('k')?.toString(), object.key)
    seen.push(object.key)
  }
  assert.deepEqual(
    seen,
    keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
  )
  for (const [pageEntries, maxEntries] of [
    [3, 4],
    [3, 3],
    [10, 2],
    [10, 99],
  ] as const) {
    const first: string[] = []
    for await (const object of client.listObjects('b', { pageEntries, maxEntries }))
      first.push('key' in object ? object.key : '')
    assert.deepEqual(first, seen.slice(0, maxEntries))
  }
  for (const maxEntries of [0, 1.5, Number.NaN]) {
    await assert.rejects(client.listObjects('b', { maxEntries }).next(), failsWith('invalid-argument'))
  }
  await client.copyFile(objectPath('b', 'a//b'), objectPath('b', './copy'))
  await client.rename('/b/a', objectPath('b', 'a/../moved'))
  await client.setXattr(objectPath('b', '..'), 'k', 'new')
  await client.rm(objectPath('b', '../x'))
  await client.undelete(objectPath('b', '../x'))
  const below: unknown[] = []
  for await (const object of client.listObjects('b', { prefix: '.', delimiter: '/', after: '.' })) below.push(object)
  assert.deepEqual(
    below.map((object) => (object as { prefix?: string; key?: string }).prefix ?? (object as { key: string }).key),
    ['..', '../', './'],
  )
  await assert.rejects(client.truncate(objectPath('b', 'a/b'), 0), failsWith('invalid-name'))
  await assert.rejects(client.writeFile(objectPath('b', ''), ''), failsWith('invalid-name'))
  await assert.rejects(client.writeFile(objectPath('none', 'k'), ''), failsWith('not-found'))
  await assert.rejects(async () => {
    for await (const _ of client.listObjects('none'));
  }, failsWith('not-found'))
})

test('a file door shows names that it cannot make, and reaches all others', async () => {
  await using cluster = await startCluster({ storage: 'memory' })
  const { client } = cluster
  await client.mkdir('/b')
  for (const key of ['../up', '.', '/', 'd/n\0l', 'd/x']) await client.writeFile(objectPath('b', key), 'bytes')
  const entries = await client.readdir('/b', { recursive: true, withFileTypes: true })
  assert.deepEqual(
    entries.map(({ path, isEscaped }) => `${path}${isEscaped ? ' (escaped)' : ''}`),
    ['/b/%2E (escaped)', '/b/%2E%2E (escaped)', '/b/% (escaped)', '/b/d', '/b/d/n%00l (escaped)', '/b/d/x'],
  )
  assert.equal(shownName('a%b'), 'a%b')
  for (const path of ['/b/../up', '/b/.', '/b//', '/b/d/n\0l']) {
    await assert.rejects(client.writeFile(path, ''), failsWith('invalid-name'))
  }
  assert.deepEqual(await client.summarize('/b'), {
    files: 5,
    directories: 4,
    lengthBytes: 25,
    versions: 0,
    versionBytes: 0,
  })
})

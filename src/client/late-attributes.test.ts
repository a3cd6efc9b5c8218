import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32 } from '../base/crc.ts'
import { startCluster } from '../testing/index.ts'
import { isAshlarError } from './index.ts'

const chunkSizeBytes = 1000

test('writeFile() makes attributes of what was written, in one commit or through a hidden file', async () => {
  await using cluster = await startCluster({ chunkSizeBytes })
  const { client } = cluster
  for (const length of [0, 10, 40 * chunkSizeBytes]) {
    const bytes = Buffer.alloc(length, 'x')
    const stats = await client.writeFile('/f', bytes, {
      mode: 0o600,
      xattrs: (written) => ({ sum: `${written.length} ${written.crc32}` }),
    })
    assert.equal(stats.mode, 0o600)
    assert.equal(String(await client.getXattr('/f', 'sum')), `${length} ${crc32(bytes)}`)
  }
})

test('list() gives extended attributes only where they are asked for, in pages that fit', async () => {
  await using cluster = await startCluster()
  const { client } = cluster
  const value = Buffer.alloc(16 * 1024, 'v')
  const names = Array.from({ length: 70 }, (_, index) => `f${String(index).padStart(2, '0')}`)
  for (const name of names) await client.writeFile(`/d/${name}`, '', { makeParents: true, xattrs: { name, value } })
  const seen: string[] = []
  for await (const { name, stats } of client.list('/d', { xattrs: true })) {
    assert.equal(String(stats.xattrs.get('name')), name)
    assert.ok(stats.xattrs.get('value')?.equals(value))
    seen.push(name)
  }
  assert.deepEqual(seen, names)
  for await (const { stats } of client.list('/d')) assert.equal(stats.xattrs.size, 0)
})

test('copyFile() takes one version of the source only, and other attributes than its own', async () => {
  await using cluster = await startCluster()
  const { client } = cluster
  const first = await client.writeFile('/a', 'old', { xattrs: { kind: 'first' } })
  await client.copyFile('/a', '/b', { ifSourceVersion: first.version })
  assert.equal(String(await client.getXattr('/b', 'kind')), 'first')
  await client.copyFile('/a', '/b', { ifSourceVersion: first.version, xattrs: { other: 'second' } })
  assert.deepEqual(await client.listXattrs('/b'), ['other'])
  await client.writeFile('/a', 'new')
  await assert.rejects(client.copyFile('/a', '/b', { ifSourceVersion: first.version }), (error) =>
    isAshlarError(error, 'changed'),
  )
  assert.equal(await client.readFile('/b', 'utf8'), 'old')
})

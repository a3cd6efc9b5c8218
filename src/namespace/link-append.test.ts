import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkRows } from '../../test/namespace/check-rows.ts'
import { refused } from '../../test/namespace/refused.ts'
import { TestMaster } from '../../test/namespace/test-master.ts'
import { combineCrc32 } from '../base/crc.ts'
import { limits } from '../base/limits.ts'
import { crcOfExtents } from './contents.ts'

test('linkAppend() puts many chunks behind those of a file, in order, at once', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  let length = 0
  let count = 0
  await client.put('/log')
  // Ends in the entry, at the end of a page, one behind it, and in the middle of one.
  for (const added of [3, limits.inlineExtents + limits.extentsPerPage - 3, 1, 600, 700]) {
    const before = length === 0 ? [] : await client.extents('/log')
    const { inode, length: addedLength } = await client.stage('/log', added)
    assert.deepEqual(await client.extents('/log'), before)
    const link = { request: client.request(), inode, path: '/log', expectedLength: length, length: addedLength }
    const { attributes } = await client.namespace.linkAppend(link)
    length += addedLength
    count += added
    const extents = await client.extents('/log')
    assert.deepEqual(extents.slice(0, before.length), before)
    assert.deepEqual([attributes.length, extents.length], [length, count])
    assert.equal(attributes.crc, crcOfExtents(extents))
    // The same request again is answered again, and done once.
    assert.equal((await client.namespace.linkAppend(link)).attributes.version, attributes.version)
    await checkRows(master.context.kv)
  }
  await client.append('/log', length, 1)
  assert.equal((await client.extents('/log')).length, count + 1)
  await client.remove('/log')
  master.timeMs += master.trashKeepMs
  await master.purgeAll()
  assert.equal((await checkRows(master.context.kv)).liveChunks, 0)
})

test('linkAppend() refuses another length, other bytes, a stranger, and too many chunks; what it refused can be dropped', async () => {
  const master = await TestMaster.start()
  const [client, stranger] = [await master.client(), await master.client()]
  await client.put('/log', 5)
  await client.makeDirectory('/d')
  const staged = await client.stage('/log', 10)
  const link = { ...staged, path: '/log', expectedLength: 5 }
  const failure = await refused(
    client.namespace.linkAppend({ ...link, request: client.request(), expectedLength: 4 }),
    'changed',
  )
  assert.equal(failure.details['length'], 5)
  await refused(client.namespace.linkAppend({ ...link, request: client.request(), length: 90 }), 'changed')
  await refused(client.namespace.linkAppend({ ...link, request: client.request(), crc: 1 }), 'corrupt')
  await refused(client.namespace.linkAppend({ ...link, request: client.request(), path: '/none' }), 'not-found')
  await refused(client.namespace.linkAppend({ ...link, request: client.request(), path: '/d' }), 'is-a-directory')
  await refused(stranger.namespace.linkAppend({ ...link, request: stranger.request() }), 'not-found')
  await client.makeDirectory('/versioned')
  await client.put('/versioned/log', 5)
  const keep = { request: client.request(), path: '/versioned', versioning: 'enabled' } as const
  await client.namespace.setVersioning(keep)
  const versioned = { ...link, request: client.request(), path: '/versioned/log' }
  await refused(client.namespace.linkAppend(versioned), 'not-supported')
  const tooMany = await client.stage('/log', limits.extentsPerAppend + 1)
  await refused(client.namespace.linkAppend({ ...link, ...tooMany, request: client.request() }), 'too-large')
  assert.equal((await client.extents('/log')).length, 1)
  // An empty file takes any number: nothing has to be moved.
  await client.put('/empty')
  const { attributes } = await client.namespace.linkAppend({
    ...{ ...tooMany, request: client.request(), path: '/empty', expectedLength: 0 },
  })
  assert.equal(attributes.length, tooMany.length)
  await client.namespace.endSession({ session: client.session })
  await master.leader.expireSessions(100)
  await master.purgeAll()
  assert.equal((await checkRows(master.context.kv)).liveChunks, 2 + limits.extentsPerAppend + 1)
})

test('linkAppend() moves as many chunks as one append may have within the limits of a transaction', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  await client.put('/log', 5)
  const { length, crc } = await client.appendLarge('/log', 5, limits.extentsPerAppend)
  const extents = await client.extents('/log')
  assert.equal(extents.length, 1 + limits.extentsPerAppend)
  assert.equal(length, 5 + 10 * limits.extentsPerAppend)
  const [first, ...rest] = extents
  assert.equal(crc, combineCrc32(first?.crc ?? 0, crcOfExtents(rest) ?? 0, length - 5))
  await checkRows(master.context.kv)
})

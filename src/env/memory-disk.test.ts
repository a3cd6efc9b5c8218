import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testDisk } from '../../test/contract/disk.ts'
import { AshlarError, isAshlarError } from '../base/errors.ts'
import { createMemoryDisk, type MemoryDiskOptions } from './memory-disk.ts'
import { createNodeClock } from './node-clock.ts'

const clock = createNodeClock()

async function newDisk(options: Omit<MemoryDiskOptions, 'clock'> = {}) {
  const disk = createMemoryDisk({ clock, ...options })
  await disk.makeDirectory('/folder')
  return disk
}

testDisk('memory disk', async () => {
  const disk = await newDisk()
  return { disk, folder: '/folder', [Symbol.asyncDispose]: () => disk.removeTree('/folder') }
})

test('crash() keeps the bytes and the length of the last sync', async () => {
  const disk = await newDisk()
  const file = await disk.open('/folder/file', { mode: 'create' })
  await disk.syncDirectory('/folder')
  await file.write([Buffer.alloc(100_000, 1)], 0)
  await file.sync()
  await file.write([Buffer.alloc(150_000, 2)], 50_000)
  await file.truncate(60_000)
  disk.crash()
  const bytes = await disk.readSmall('/folder/file', 1_000_000)
  assert.equal(bytes.length, 100_000)
  assert.ok(bytes.every((byte) => byte === 1))
})

test('crash() keeps only names whose directory was synced', async () => {
  const disk = await newDisk()
  const file = await disk.open('/folder/synced-bytes', { mode: 'create' })
  await file.write([Buffer.from('x')], 0)
  await file.sync()
  disk.crash()
  assert.deepEqual(await disk.list('/folder'), [])

  await disk.writeSmall('/folder/file', Buffer.from('old'))
  await disk.remove('/folder/file')
  disk.crash()
  assert.equal((await disk.readSmall('/folder/file', 10)).toString(), 'old')
})

test('crash() undoes a rename that was not synced, and never half of one', async () => {
  const disk = await newDisk()
  await disk.makeDirectory('/folder/a')
  await disk.makeDirectory('/folder/b')
  await disk.writeSmall('/folder/a/file', Buffer.from('x'))
  await disk.rename('/folder/a/file', '/folder/b/file')
  disk.crash()
  assert.deepEqual([await disk.list('/folder/a'), await disk.list('/folder/b')], [['file'], []])

  await disk.rename('/folder/a/file', '/folder/b/file')
  await disk.syncDirectory('/folder/a')
  disk.crash()
  assert.deepEqual([await disk.list('/folder/a'), await disk.list('/folder/b')], [[], ['file']])
})

test('syncDirectory() of one side of a rename brings back no name of the other', async () => {
  const disk = await newDisk()
  await disk.makeDirectory('/folder/a')
  await disk.makeDirectory('/folder/b')
  await (await disk.open('/folder/a/file', { mode: 'create' })).close()
  await disk.rename('/folder/a/file', '/folder/b/file')
  await disk.syncDirectory('/folder/b')
  await disk.syncDirectory('/folder/a')
  disk.crash()
  assert.deepEqual([await disk.list('/folder/a'), await disk.list('/folder/b')], [[], ['file']])
})

test('crash() at any operation of writeSmall() leaves the old or the new bytes', async () => {
  const outcomes = new Set<string>()
  for (let fatal = 0; fatal < 12; fatal++) {
    const disk = await newDisk()
    await disk.writeSmall('/folder/file', Buffer.from('old'))
    let operations = 0
    disk.setFault(() => {
      if (operations++ === fatal) disk.crash()
      return operations > fatal ? new AshlarError('closed', 'Cannot go on: the power is off') : undefined
    })
    const written = await disk.writeSmall('/folder/file', Buffer.from('new')).then(
      () => true,
      () => false,
    )
    disk.setFault(undefined)
    const text = (await disk.readSmall('/folder/file', 10)).toString()
    assert.ok(text === 'new' || (text === 'old' && !written), `${text} after operation ${fatal}`)
    outcomes.add(`${text} ${written}`)
    await disk.writeSmall('/folder/file', Buffer.from('later'))
    assert.deepEqual(await disk.list('/folder'), ['file'])
  }
  assert.deepEqual(outcomes, new Set(['old false', 'new true']))
})

test('crash() keeps of the rest what its caller chooses', async () => {
  const disk = await newDisk()
  const file = await disk.open('/folder/file', { mode: 'create' })
  await file.write([Buffer.alloc(200_000, 1)], 0)
  disk.crash((change) => change.kind !== 'sector' || (change.index >= 128 && change.index < 256))
  const bytes = await disk.readSmall('/folder/file', 1_000_000)
  assert.equal(bytes.length, 200_000)
  assert.deepEqual([bytes[65_535], bytes[65_536], bytes[131_071], bytes[131_072]], [0, 1, 1, 0])
})

test('crash() kills open files, mounts, locks and what is under way', async () => {
  const disk = await newDisk()
  const process = disk.mount()
  const file = await process.open('/folder/file', { mode: 'create' })
  await process.lock('/folder/lock', 'the dead')
  const write = assert.rejects(process.writeSmall('/folder/other', Buffer.from('x')), isClosed)
  disk.crash(() => true)
  await write
  await assert.rejects(file.write([Buffer.from('x')], 0), isClosed)
  await assert.rejects(process.list('/folder'), isClosed)
  await file.close()
  assert.deepEqual((await disk.list('/folder')).sort(), ['file', 'lock'])
  await (await disk.lock('/folder/lock', 'the living')).release()
})

test('a failed sync is final, and no later one makes its bytes durable', async () => {
  const disk = await newDisk()
  const file = await disk.open('/folder/file', { mode: 'create' })
  await disk.syncDirectory('/folder')
  await file.write([Buffer.from('lost')], 0)
  const failure = new AshlarError('disk-failed', 'Cannot sync: EIO')
  disk.setFault((operation) => (operation === 'sync' ? failure : undefined))
  await assert.rejects(file.sync(), failure)
  disk.setFault(undefined)
  await assert.rejects(file.sync(), failure)
  await assert.rejects(file.write([Buffer.from('x')], 0), failure)
  assert.equal((await disk.readSmall('/folder/file', 10)).toString(), 'lost')
  const again = await disk.open('/folder/file', { mode: 'read-write' })
  await again.sync()
  disk.crash()
  assert.equal((await disk.readSmall('/folder/file', 10)).toString(), '\0\0\0\0')
})

test('a full disk refuses what does not fit, changes nothing, and recovers', async () => {
  const disk = await newDisk({ capacityBytes: 3 * 4096 })
  await disk.writeSmall('/folder/a', Buffer.alloc(5000))
  assert.equal((await disk.space('/folder')).freeBytes, 4096)
  const file = await disk.open('/folder/b', { mode: 'create' })
  await file.write([Buffer.alloc(10, 1)], 0)
  await assert.rejects(file.write([Buffer.alloc(5000, 2)], 0), (error) => isAshlarError(error, 'no-space'))
  assert.equal((await disk.readSmall('/folder/b', 100)).toString('hex'), '01'.repeat(10))
  await disk.remove('/folder/a')
  await file.write([Buffer.alloc(5000, 2)], 0)
  await disk.remove('/folder/b')
  assert.equal(disk.usedBytes, 2 * 4096, 'an open file keeps its room')
  await file.close()
  assert.equal(disk.usedBytes, 0)
})

function isClosed(error: unknown): boolean {
  return isAshlarError(error, 'closed')
}

// Its bytes have their name by then: whoever reads "not found" as "there is none" must not be told so.
test('writeSmall() whose folder cannot be synced any more is a failure of the disk', async () => {
  const disk = await newDisk()
  disk.setFault((operation) =>
    operation === 'sync-directory' ? new AshlarError('not-found', 'Cannot sync: it does not exist') : undefined,
  )
  await assert.rejects(
    disk.writeSmall('/folder/file', Buffer.from('x')),
    (error) => error instanceof AshlarError && error.code === 'disk-failed' && error.applied === 'unknown',
  )
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { idAt, refused, someBytes } from '../../test/contract/chunk-store.ts'
import { AshlarError } from '../base/errors.ts'
import { pageBytes } from '../env/disk.ts'
import { createMemoryDisk, type MemoryDisk } from '../env/memory-disk.ts'
import { createNodeClock } from '../env/node-clock.ts'
import { silentLog } from '../env/node-log.ts'
import { BufferPool } from './buffer-pool.ts'
import { alignUp, footerBytes } from './chunk-file-format.ts'
import { ChunkFileWriter } from './chunk-file-writer.ts'
import { Fence } from './fence.ts'

const MiB = 1024 * 1024

/** A writer of `length` bytes on a disk in memory, whose writes wait while `held` is set. */
async function begin(length: number, { budgetBytes = 64 * MiB } = {}) {
  const paused: (() => void)[] = []
  const hold = { isOn: false, failure: undefined as AshlarError | undefined, paused }
  const disk = createMemoryDisk({
    clock: createNodeClock(),
    fault: (operation) => (operation === 'write' ? hold.failure : undefined),
  })
  const mount = disk.mount({
    pace: (operation, _sizeBytes, go) => {
      if (operation === 'write' && hold.isOn) paused.push(go)
      else setImmediate(go)
    },
  })
  await mount.makeDirectory('/store')
  const pool = new BufferPool(mount, { budgetBytes })
  const fence = new Fence(silentLog)
  const writer = await ChunkFileWriter.create({ disk: mount, pool, fence, path: '/store/chunk', length })
  return { disk, pool, writer, hold }
}

async function finish(writer: ChunkFileWriter, length: number): Promise<void> {
  const { crc, blockCrcs } = writer.finishSums()
  const facts = { id: idAt(1), sequence: 1, slot: 0, length, crc, storedLength: length, storedCrc: crc }
  await writer.finish({ ...facts, blockCrcs })
}

async function contentOf(disk: MemoryDisk, length: number): Promise<Buffer> {
  const file = await disk.open('/store/chunk', { mode: 'read' })
  assert.equal(await file.lengthBytes(), alignUp(length) + footerBytes(length))
  const bytes = Buffer.alloc(length)
  await file.read(bytes, 0)
  await file.close()
  return bytes
}

/** Bytes in whole pages, and how often they were released. */
function inPages(disk: MemoryDisk, bytes: Buffer) {
  const memory = disk.alignedBuffer(bytes.length)
  bytes.copy(memory)
  const lent = { bytes: memory.subarray(0, bytes.length), releases: 0, release: () => void lent.releases++ }
  return lent
}

test('append() writes pages that it may keep from where they are, and releases them only then', async () => {
  const length = 8 * MiB
  const { disk, pool, writer, hold } = await begin(length)
  const bytes = someBytes(length, 1)
  hold.isOn = true
  const lent = Array.from({ length: 8 }, (_, index) => inPages(disk, bytes.subarray(index * MiB, (index + 1) * MiB)))
  for (const each of lent) await writer.append(each.bytes, each.release)
  assert.deepEqual([pool.lentBytes, pool.heldBytes], [length, length], 'they count, and there are no others')
  assert.equal(lent.filter(({ releases }) => releases > 0).length, 0)
  const finishing = finish(writer, length)
  hold.isOn = false
  for (const go of hold.paused.splice(0)) go()
  await finishing
  assert.ok(lent.every(({ releases }) => releases === 1))
  assert.equal(pool.lentBytes, 0)
  assert.ok((await contentOf(disk, length)).equals(bytes))
})

test('append() copies bytes that it may not keep, however they lie', async () => {
  const { disk, writer, hold } = await begin(2 * MiB)
  const bytes = someBytes(2 * MiB, 2)
  hold.isOn = true
  const memory = inPages(disk, bytes.subarray(0, MiB)).bytes
  await writer.append(memory)
  memory.fill(0)
  await writer.append(bytes.subarray(MiB))
  hold.isOn = false
  await finish(writer, 2 * MiB)
  assert.ok((await contentOf(disk, 2 * MiB)).equals(bytes))
})

test('append() copies pages where the store is short of memory, and releases them at once', async () => {
  const { disk, pool, writer } = await begin(3 * MiB, { budgetBytes: 2 * MiB })
  const other = await pool.lease(MiB)
  const lent = [1, 2, 3].map((seed) => inPages(disk, someBytes(MiB, seed)))
  for (const each of lent) await writer.append(each.bytes, each.release)
  await finish(writer, 3 * MiB)
  other.release()
  assert.deepEqual(
    lent.map(({ releases }) => releases),
    [1, 1, 1],
  )
  assert.ok((await contentOf(disk, 3 * MiB)).equals(Buffer.concat(lent.map(({ bytes }) => bytes))))
})

test('discard() releases the pages of a write that failed, each once', async () => {
  const { disk, pool, writer, hold } = await begin(16 * MiB)
  hold.failure = new AshlarError('disk-failed', 'Cannot write: the disk is broken')
  const lent = Array.from({ length: 10 }, (_, seed) => inPages(disk, someBytes(MiB, seed)))
  await refused(
    'disk-failed',
    (async () => {
      for (const each of lent) await writer.append(each.bytes, each.release)
    })(),
  )
  hold.failure = undefined
  await writer.discard()
  const taken = lent.filter(({ releases }) => releases > 0)
  assert.ok(taken.length >= 4 && taken.every(({ releases }) => releases === 1), `${taken.length} were released`)
  assert.equal(pool.lentBytes, 0)
})

test('append() keeps the order of bytes that are kept and bytes that are copied', async () => {
  const piece = fc.record({
    bytes: fc.oneof(fc.integer({ min: 1, max: 40_000 }), fc.constantFrom(pageBytes, 16 * pageBytes, MiB - 1, MiB)),
    isKept: fc.boolean(),
  })
  const run = fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 14 }), async (pieces) => {
    const bytes = someBytes(
      pieces.reduce((sum, each) => sum + each.bytes, 0),
      pieces.length,
    )
    const { disk, pool, writer } = await begin(bytes.length, { budgetBytes: 6 * MiB })
    let at = 0
    let unreleased = 0
    for (const { bytes: count, isKept } of pieces) {
      const part = bytes.subarray(at, at + count)
      at += count
      if (!isKept) {
        await writer.append(part)
        continue
      }
      const lent = inPages(disk, part)
      unreleased++
      await writer.append(lent.bytes, () => {
        unreleased--
        lent.bytes.fill(0)
      })
    }
    await finish(writer, bytes.length)
    assert.deepEqual([unreleased, pool.lentBytes], [0, 0])
    assert.ok((await contentOf(disk, bytes.length)).equals(bytes))
  })
  await fc.assert(run, { numRuns: 40 })
})

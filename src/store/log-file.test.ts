import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { idAt, readWhole, refused, someBytes } from '../../test/contract/chunk-store.ts'
import { StoreRig } from '../../test/store/store-rig.ts'
import { AshlarError } from '../base/errors.ts'
import type { ChunkId } from '../base/ids.ts'
import { recordHeadMinBytes, segmentHeaderBytes } from './segment-format.ts'
import { StoreLayout } from './store-layout.ts'

const KiB = 1024
const segment = (number: number) => new StoreLayout('/store').segment(number)

/** A room is a sixteenth of a segment; a record of more than a quarter of that makes none. */
async function opened(segmentBytes: number, options: ConstructorParameters<typeof StoreRig>[0] = {}) {
  const rig = new StoreRig({ segmentBytes, ...options })
  await rig.open()
  return rig
}

async function put(rig: StoreRig, count: number, from = 0): Promise<Map<ChunkId, Buffer>> {
  const contents = new Map<ChunkId, Buffer>()
  for (let index = from; index < from + count; index++) {
    const bytes = someBytes(KiB, index + 1)
    await rig.store.put(idAt(index), bytes, {})
    contents.set(idAt(index), bytes)
  }
  return contents
}

/** Of a segment with so many records of a KiB. */
function endAfter(records: number): number {
  return segmentHeaderBytes + records * (recordHeadMinBytes + KiB)
}

suite('log file', () => {
  test('small records overwrite room that was made ahead; a clean stop gives it back', async () => {
    const rig = await opened(1024 * KiB)
    const contents = await put(rig, 1)
    const lengthBytes = await rig.lengthOf(segment(1))
    assert.equal(lengthBytes, endAfter(1) + 64 * KiB)
    for (const [id, bytes] of await put(rig, 50, 1)) contents.set(id, bytes)
    assert.equal(await rig.lengthOf(segment(1)), lengthBytes, 'the file did not grow')
    for (const [id, bytes] of await put(rig, 50, 51)) contents.set(id, bytes)
    assert.ok((await rig.lengthOf(segment(1))) > lengthBytes, 'more room was made when that one was full')
    await rig.store.close()
    assert.equal(await rig.lengthOf(segment(1)), endAfter(101))
    await rig.open()
    await rig.check(contents)
  })

  test('a large record makes no room', async () => {
    const rig = await opened(1024 * KiB)
    await rig.store.put(idAt(1), someBytes(40 * KiB), {})
    assert.ok((await rig.lengthOf(segment(1))) < 41 * KiB)
  })

  for (const { what, keeps } of [
    { what: 'all', keeps: true },
    { what: 'nothing', keeps: false },
  ]) {
    test(`after a power cut that kept ${what} the log goes on behind its last record`, async () => {
      const rig = await opened(1024 * KiB)
      const contents = await put(rig, 10)
      rig.crash(() => keeps)
      await rig.open()
      assert.equal(await rig.lengthOf(segment(1)), endAfter(10), 'the room was cut off')
      for (const [id, bytes] of await put(rig, 10, 10)) contents.set(id, bytes)
      await rig.check(contents)
      assert.deepEqual(await rig.list('quarantine'), [])
    })
  }

  test('a segment that takes no more holds its records alone: a rebuild finds nothing to set aside', async () => {
    const rig = await opened(256 * KiB)
    const contents = await put(rig, 300)
    const names = await rig.list('segments')
    assert.ok(names.length > 1, 'more than one segment')
    rig.crash()
    rig.loseIndex()
    await rig.open()
    await rig.check(contents)
    assert.deepEqual(await rig.list('quarantine'), [])
    assert.equal((await rig.lengthOf(segment(1))) % (recordHeadMinBytes + KiB), segmentHeaderBytes)
  })

  test('where the disk has room for the record alone, the record is stored', async () => {
    const rig = await opened(1024 * KiB, { mark: { usedFraction: 1, freeBytes: 0 } })
    rig.disk.setCapacity(rig.disk.usedBytes + 8 * KiB)
    const contents = await put(rig, 2)
    assert.equal(await rig.lengthOf(segment(1)), endAfter(2))
    await rig.check(contents)
  })

  test('a failed sync of what lies in the room fences the store', async () => {
    const rig = await opened(1024 * KiB)
    await put(rig, 1)
    rig.failWhen((operation) => (operation === 'sync' ? new AshlarError('disk-failed', 'Cannot sync: EIO') : undefined))
    await refused('disk-failed', rig.store.put(idAt(1), someBytes(KiB), {}))
    rig.heal()
    await refused('disk-failed', rig.store.put(idAt(2), someBytes(KiB), {}))
    await rig.store.close()
    await rig.open()
    assert.equal(await rig.store.info(idAt(2)), undefined)
    await put(rig, 1, 3)
    assert.deepEqual(await readWhole(rig.store, idAt(3)), someBytes(KiB, 4))
  })
})

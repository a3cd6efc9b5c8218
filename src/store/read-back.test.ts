import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { idAt, readWhole, refused, someBytes } from '../../test/contract/chunk-store.ts'
import { StoreRig } from '../../test/store/store-rig.ts'
import { AshlarError } from '../base/errors.ts'

const MiB = 1024 * 1024
const id = idAt(1)

/** A disk that puts every write one page further than it was told. A segment is still known to it by its temporary name. */
function misplace(rig: StoreRig): void {
  rig.disk.setMisplacing((path, position) => (path.includes('/tmp/') ? position + 4096 : position))
}

suite('commit() with readBack', () => {
  for (const [what, length, folder] of [
    ['record', 5000, 'segments'],
    ['record of many blocks', 700_000, 'segments'],
    ['chunk file', 3 * MiB + 5, 'tmp'],
  ] as const) {
    const bytes = someBytes(length, 3)
    const copy = async ({ store }: StoreRig) => {
      const writer = await store.begin(id, length)
      try {
        await writer.append(bytes)
        return await writer.commit({ readBack: true })
      } finally {
        await writer.abort()
      }
    }

    test(`shows a ${what} that the disk holds as it was written`, async () => {
      const rig = new StoreRig({ segmentBytes: MiB })
      await rig.open()
      assert.equal((await copy(rig)).length, length)
      assert.ok((await readWhole(rig.store, id)).equals(bytes))
      await rig.reopen()
      await rig.check(new Map([[id, bytes]]))
      await rig.store.close()
    })

    test(`never shows a ${what} that reads back wrong: not in digests, not after a start, and its room returns`, async () => {
      const rig = new StoreRig({ segmentBytes: MiB })
      await rig.open()
      await rig.store.put(idAt(9), someBytes(100, 9), {})
      misplace(rig)
      await refused('corrupt', copy(rig))
      rig.disk.setMisplacing(undefined)
      const rest = new Map([[idAt(9), someBytes(100, 9)]])
      await rig.check(rest)
      assert.equal(rig.store.space().reservedBytes, 0)
      rig.loseIndex()
      await rig.reopen()
      await rig.check(rest)
      assert.equal((await copy(rig)).length, length)
      await rig.check(new Map([...rest, [id, bytes]]))
      await rig.store.close()
    })

    test(`shows no ${what} when the process dies between the writing and the proof`, async () => {
      const rig = new StoreRig({ segmentBytes: MiB })
      await rig.open()
      misplace(rig)
      // From the first read of the proof on, everything is dead.
      let isDead = false
      rig.failWhen((operation, path) => {
        if (operation === 'read' && path.includes(`/${folder}/`)) isDead = true
        return isDead ? new AshlarError('closed', 'Cannot use disk: the process is dead') : undefined
      })
      await assert.rejects(copy(rig))
      rig.heal()
      rig.disk.setMisplacing(undefined)
      rig.crash(() => true)
      await rig.open()
      await rig.check(new Map())
      await rig.store.close()
    })
  }

  test('takes a record back that could not be read: a start does not find it, though it is right', async () => {
    const rig = new StoreRig()
    await rig.open()
    const writer = await rig.store.begin(id, 5000)
    await writer.append(someBytes(5000, 3))
    rig.failWhen((operation, path) =>
      operation === 'read' && path.includes('/segments/')
        ? new AshlarError('disk-failed', 'Cannot read: EIO', { details: { errno: 'EIO' } })
        : undefined,
    )
    await refused('disk-failed', writer.commit({ readBack: true }))
    rig.heal()
    await rig.check(new Map())
    rig.loseIndex()
    await rig.reopen()
    await rig.check(new Map())
    await rig.store.close()
  })

  test('put() as clients do it reads nothing back', async () => {
    const rig = new StoreRig()
    await rig.open()
    let reads = 0
    rig.failWhen((operation) => {
      if (operation === 'read') reads++
      return undefined
    })
    await rig.store.put(id, someBytes(2 * MiB, 1), {})
    await rig.store.put(idAt(2), someBytes(2000, 1), {})
    assert.equal(reads, 0)
    rig.heal()
    await rig.store.close()
  })
})

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { idAt, readWhole, someBytes } from '../../test/contract/chunk-store.ts'
import { StoreRig } from '../../test/store/store-rig.ts'
import { limits } from '../base/limits.ts'

const { blockBytes } = limits

suite('openRecord()', () => {
  for (const [length, expectedReads] of [
    [1, 1],
    [blockBytes - 1, 1],
    [blockBytes, 1],
    [blockBytes + 1, 2],
  ] as const) {
    test(`reads a chunk of ${length} bytes from its segment in ${expectedReads === 1 ? 'one read' : 'two'}`, async () => {
      const rig = new StoreRig()
      await rig.open()
      const bytes = someBytes(length, 7)
      await rig.store.put(idAt(1), bytes, {})
      let reads = 0
      rig.failWhen((operation) => {
        if (operation === 'read') reads++
        return undefined
      })
      assert.ok((await readWhole(rig.store, idAt(1))).equals(bytes))
      assert.equal(reads, expectedReads)
      rig.heal()
      await rig.store.close()
    })
  }
})

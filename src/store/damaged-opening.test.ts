import assert from 'node:assert/strict'
import { test } from 'node:test'
import { idAt, someBytes } from '../../test/contract/chunk-store.ts'
import { StoreRig } from '../../test/store/store-rig.ts'

// A write that a disk put one page beside its place made the file longer than any number of openings.
for (const [what, bytes] of [
  ['too long', Buffer.alloc(4097)],
  ['no number', Buffer.from('x7')],
  ['empty', Buffer.alloc(0)],
] as const) {
  test(`openDiskStore() rebuilds the index where the count of openings is ${what}, and refuses nothing`, async () => {
    const rig = new StoreRig()
    await rig.open()
    await rig.store.put(idAt(1), someBytes(100, 1), {})
    const held = await rig.snapshot()
    await rig.store.close()
    await rig.disk.mount().writeSmall('/store/opening', bytes)
    await rig.open()
    assert.deepEqual(await rig.snapshot(), held)
    await rig.store.close()
    await rig.open()
    assert.deepEqual(await rig.snapshot(), held)
    await rig.store.close()
  })
}

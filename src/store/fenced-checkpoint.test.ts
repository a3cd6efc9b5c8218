import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { idAt, refused, someBytes } from '../../test/contract/chunk-store.ts'
import { StoreRig } from '../../test/store/store-rig.ts'
import { AshlarError } from '../base/errors.ts'

const MiB = 1024 * 1024

// Its record was called scanned by the checkpoint that still ran: a file that nothing counted, until the next rebuild.
test('a chunk file whose name was given when the disk failed is known after the next start, as a rebuild knows it', async () => {
  const rig = new StoreRig()
  await rig.open()
  await rig.store.put(idAt(1), someBytes(MiB, 1), {})
  rig.failWhen((operation, at) =>
    operation === 'sync-directory' && at.includes('/chunks/')
      ? new AshlarError('disk-failed', 'Cannot sync: EIO', { details: { errno: 'EIO' } })
      : undefined,
  )
  await refused('disk-failed', rig.store.put(idAt(2), someBytes(MiB, 2), {}))
  rig.heal()
  // A checkpoint of the index is due a second after the first put.
  await wait(1_200)
  rig.crash(() => true)
  await rig.open()
  const found = await rig.snapshot()
  await rig.store.close()
  rig.loseIndex()
  await rig.open()
  assert.deepEqual(found, await rig.snapshot())
  await rig.store.close()
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clusterId, serverId } from '../../test/chunkserver/chunk-server-rig.ts'
import { idAt, someBytes } from '../../test/contract/chunk-store.ts'
import { createMemoryStoreImage, openMemoryStore } from '../store/memory-store.ts'
import { ToldDigests } from './group-digests.ts'

test('ToldDigests tells every group once, then those that changed, until each is acknowledged', async () => {
  const image = createMemoryStoreImage({ server: serverId, cluster: clusterId, capacityBytes: 1e6 })
  const former = await openMemoryStore({ image })
  await former.put(idAt(1, 7), someBytes(10), {})
  await former.put(idAt(1, 8), someBytes(10), {})
  await former.close()

  const store = await openMemoryStore({ image })
  let listings = 0
  const listGroups = store.groups.bind(store)
  store.groups = () => {
    listings++
    return listGroups()
  }
  const told = new ToldDigests(store)
  const tell = async ({ isHeard }: { readonly isHeard: boolean }) => {
    const { digests, acknowledged } = await told.changed()
    if (isHeard) acknowledged()
    return digests.map(({ group }) => Number(group))
  }

  assert.deepEqual(await tell({ isHeard: false }), [7, 8])
  assert.deepEqual(await tell({ isHeard: true }), [7, 8])
  const listed = listings
  assert.deepEqual(await tell({ isHeard: true }), [])

  await store.put(idAt(2, 9), someBytes(10), {})
  assert.deepEqual(await tell({ isHeard: false }), [9])
  await store.delete([idAt(1, 7)])
  assert.deepEqual((await tell({ isHeard: true })).sort(), [7, 9])
  assert.deepEqual(await tell({ isHeard: true }), [])
  assert.equal(listings, listed, 'what changed is known without asking for all groups')

  told.reset()
  assert.deepEqual((await tell({ isHeard: true })).sort(), [7, 8, 9])
  await store.close()
})

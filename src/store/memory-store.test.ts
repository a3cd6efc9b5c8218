import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chunkStoreContract, idAt, refused, someBytes } from '../../test/contract/chunk-store.ts'
import type { ClusterId, ServerId } from '../base/ids.ts'
import { createMemoryStoreImage, openMemoryStore } from './memory-store.ts'

const cluster = 'c'.repeat(32) as ClusterId
const server = 'a'.repeat(32) as ServerId

chunkStoreContract('memory', async ({ capacityBytes }) => {
  const image = createMemoryStoreImage({ server, cluster, capacityBytes })
  let store = await openMemoryStore({ image })
  return {
    store,
    async reopen() {
      await store.close()
      store = await openMemoryStore({ image })
      return store
    },
    dispose: () => store.close(),
  }
})

test('damage() is found by the next read, and the replica is set aside', async () => {
  const store = await openMemoryStore({ image: createMemoryStoreImage({ server, cluster, capacityBytes: 1e6 }) })
  const reported: string[] = []
  store.onQuarantine((id) => reported.push(id))
  await store.put(idAt(1), someBytes(100_000), {})
  store.damage(idAt(1), 99_999)
  const reader = await store.open(idAt(1))
  assert.equal((await reader.read({ offset: 0, length: 1 })).bytes.length, 65_536)
  await refused('corrupt', reader.read({ offset: 99_999, length: 1 }))
  await refused('chunk-missing', store.open(idAt(1)))
  assert.deepEqual(reported, [idAt(1)])
  assert.deepEqual([store.space().usedBytes, store.space().quarantinedBytes], [0, 100_000])
})

test('openMemoryStore() refuses a second opening and another cluster', async () => {
  const image = createMemoryStoreImage({ server, cluster, capacityBytes: 100 })
  await refused('wrong-cluster', openMemoryStore({ image, identity: { cluster: 'd'.repeat(32) as ClusterId } }))
  const store = await openMemoryStore({ image })
  await refused('in-use', openMemoryStore({ image }))
  await store.close()
  await openMemoryStore({ image })
})

test('setDiskRoom() refuses writes while the disk beneath is full', async () => {
  const store = await openMemoryStore({ image: createMemoryStoreImage({ server, cluster, capacityBytes: 100 }) })
  store.setDiskRoom(0)
  assert.equal(store.space().refusal, 'disk-full')
  await refused('no-space', store.begin(idAt(1), 1))
  store.setDiskRoom(10)
  await store.put(idAt(1), someBytes(10), {})
})

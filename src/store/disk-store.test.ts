import assert from 'node:assert/strict'
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { chunkStoreContract, idAt, readWhole, someBytes } from '../../test/contract/chunk-store.ts'
import type { ClusterId, GroupId } from '../base/ids.ts'
import { createNodeEnv } from '../env/node-env.ts'
import { openDiskStore } from './open-disk-store.ts'

const cluster = 'c'.repeat(32) as ClusterId

chunkStoreContract('disk', async ({ capacityBytes }) => {
  const path = await mkdtemp(join(tmpdir(), 'ashlar-store-'))
  const env = createNodeEnv({ log: 'silent' })
  const open = (create: boolean) =>
    openDiskStore({ env, path, identity: { cluster }, create, capacityBytes, reserveBytes: 64 * 1024 })
  let store = await open(true)
  return {
    store,
    async reopen() {
      await store.close()
      store = await open(false)
      return store
    },
    async dispose() {
      await store.close()
      await rm(path, { recursive: true })
    },
  }
})

test('openDiskStore() rebuilds an SQLite index that is damaged, or gone', async () => {
  const path = await mkdtemp(join(tmpdir(), 'ashlar-store-'))
  const env = createNodeEnv({ log: 'silent' })
  const open = (create = false) =>
    openDiskStore({ env, path, identity: { cluster }, create, capacityBytes: 2 ** 30, reserveBytes: 0 })
  try {
    let store = await open(true)
    for (let sequence = 0; sequence < 50; sequence++) {
      await store.put(idAt(sequence), someBytes(sequence === 7 ? 1024 * 1024 : 1000, sequence + 1), {})
    }
    await store.delete([idAt(3)])
    const before = await store.digests(7 as GroupId)
    await store.close()
    const spoil = [
      () => writeFile(join(path, 'index/chunks.sqlite'), Buffer.alloc(8192, 'not a database')),
      () => truncate(join(path, 'index/chunks.sqlite'), 5000),
      () => rm(join(path, 'index'), { recursive: true }),
    ]
    for (const damage of spoil) {
      await damage()
      store = await open()
      assert.deepEqual(await store.digests(7 as GroupId), before)
      assert.deepEqual(await readWhole(store, idAt(7)), someBytes(1024 * 1024, 8))
      assert.equal(await store.info(idAt(3)), undefined)
      await store.close()
    }
  } finally {
    await rm(path, { recursive: true })
  }
})

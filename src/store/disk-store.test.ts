import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chunkStoreContract } from '../../test/contract/chunk-store.ts'
import type { ClusterId } from '../base/ids.ts'
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

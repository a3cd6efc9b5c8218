/** Backups in a whole cluster: what waits for them, and that no end of a master makes its own metadata look old. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BackupEntry } from '../../src/client/index.ts'
import { startCluster, type TestCluster } from '../../src/testing/index.ts'
import { eventually } from '../cli/cli-process.ts'

const current = (cluster: TestCluster) =>
  eventually('backups are current', async () => (await cluster.client.status()).backup?.state === 'current')

for (const storage of ['memory', 'disk'] as const) {
  test(`a master that is killed again and again under writes goes on, and takes none of it for a loss (${storage})`, async () => {
    await using cluster = await startCluster({ backups: true, storage, chunkServers: 4 })
    await current(cluster)
    for (let round = 0; round < 3; round++) {
      const writes = Array.from({ length: 20 }, (_, at) =>
        cluster.client.writeFile(`/f-${round}-${at}`, `${round} ${at}`),
      )
      await cluster.client.mkdir(`/d-${round}`)
      await cluster.restartMaster()
      await Promise.all(writes)
      await current(cluster)
      const { restoreNeeded, backup } = await cluster.client.status()
      assert.deepEqual([restoreNeeded, backup?.problem, backup?.servers], [undefined, undefined, 3])
    }
    let backups: readonly BackupEntry[] = []
    await eventually('older ones are gone', async () => {
      backups = (await cluster.client.backups.list()).backups
      return backups.length === 2
    })
    let sizeBytes = 0
    for await (const part of cluster.client.backups.download()) {
      assert.equal(part.includes('f-0-1'), false, 'clients are given nothing that can be read')
      sizeBytes += part.length
    }
    assert.ok(sizeBytes >= (backups[0]?.sizeBytes ?? 0))
  })
}

test('space returns with backups as without: what permits a delete is on chunk servers soon', async () => {
  await using cluster = await startCluster({ backups: true, chunkServers: 3 })
  await cluster.client.writeFile('/large', Buffer.alloc(100_000, 1))
  await cluster.client.rm('/large')
  await cluster.client.emptyTrash()
  await eventually('the chunks are gone', async () => (await cluster.client.status()).usedBytes === 0)
})

test('a cluster for tests keeps no backups unless it is asked to', async () => {
  await using cluster = await startCluster({ chunkServers: 1 })
  assert.equal((await cluster.client.status()).backup, undefined)
  await assert.rejects(cluster.client.backups.make(), { code: 'not-supported' })
  await assert.rejects(cluster.client.backups.list(), { code: 'not-supported' })
})

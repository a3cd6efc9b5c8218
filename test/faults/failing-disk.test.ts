/** Real disks that fail or fill beneath real chunk servers. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type AshlarClient, connect, isAshlarError } from '../../src/client/index.ts'
import { buildFailingDisk, needs, TemporaryFolder, withEnvironment } from './preloaded.ts'
import { RealCluster } from './real-cluster.ts'

const MiB = 2 ** 20

// Retried, the second fsync would answer OK for pages that the kernel has already dropped.
test('one failed sync fences a real chunk server for good; nothing is acknowledged by it, and a restart makes it whole', {
  skip: needs(['cc']),
}, async () => {
  using folder = new TemporaryFolder()
  const cluster = new RealCluster(folder.at('data'), ['--port', '0', '--capacity', '64MiB'])
  const variables = {
    LD_PRELOAD: buildFailingDisk(folder.path),
    FAIL_PATH: '/chunkserver-2/segments/',
    FAIL_CALL: 'fdatasync',
    FAIL_FROM: '3',
    FAIL_TO: '3',
    ASHLAR_LOG: 'error',
  }
  const names = Array.from({ length: 6 }, (_, index) => `/f${index}`)
  try {
    await withEnvironment(variables, () => cluster.start())
    {
      await using client = await connect({ cluster: cluster.clusterPath })
      for (const name of names) await client.writeFile(name, `of ${name}`)
      await until(async () => (await client.nodes()).some(({ state }) => state !== 'up'), 'a server that is fenced')
      const status = await client.status()
      assert.equal(status.serversUp, 2, 'only the failed one is out')
      assert.ok(status.underReplicatedChunks > 0, 'it vouched for nothing after its sync failed')
      for (const name of names) assert.equal(await client.readFile(name, 'utf8'), `of ${name}`)
    }
    assert.equal(cluster.messages.match(/store is fenced/g)?.length, 1)
    await cluster.stop()
    await cluster.start()
    await using client = await connect({ cluster: cluster.clusterPath })
    await until(async () => (await client.status()).underReplicatedChunks === 0, 'the missing replicas')
    for (const name of names) assert.equal(await client.readFile(name, 'utf8'), `of ${name}`)
  } finally {
    await cluster.stop()
  }
})

test('three full disks refuse with a reason per server, leave no part of the file, and recover by deletes alone', {
  skip: needs(['mount', 'umount'], { root: true }),
}, async () => {
  using folder = new TemporaryFolder()
  const cluster = new RealCluster(folder.at('data'), ['--port', '0'])
  const disks = [1, 2, 3].map((index) => join(cluster.folder, `chunkserver-${index}`))
  const mounted: string[] = []
  try {
    for (const disk of disks) {
      mkdirSync(disk, { recursive: true })
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=48m', 'none', disk])
      mounted.push(disk)
    }
    await cluster.start()
    await using client = await connect({ cluster: cluster.clusterPath })
    const { stored, failure } = await fillUp(client)
    assert.ok(isAshlarError(failure, 'no-space'), String(failure))
    assert.equal(failure.applied, 'no')
    assert.equal((failure.details['reasons'] as unknown[]).length, 3)
    assert.ok(stored >= 2, `${stored} files were stored`)
    for (let index = 0; index < stored; index++) {
      assert.ok((await client.readFile(`/f${index}`)).equals(Buffer.alloc(5 * MiB, index + 1)))
    }
    assert.equal(await client.exists(`/f${stored}`), false)
    for (const disk of disks) assert.deepEqual(readdirSync(join(disk, 'tmp')), [])
    for (let index = 0; index < stored; index++) await client.rm(`/f${index}`)
    await client.emptyTrash()
    await until(async () => (await client.status()).pendingDeletes === 0, 'the deletes')
    await until(() => writes(client), 'room')
  } finally {
    await cluster.stop().catch(() => cluster.killAll())
    for (const disk of mounted) execFileSync('umount', [disk])
  }
})

async function fillUp(client: AshlarClient): Promise<{ readonly stored: number; readonly failure: unknown }> {
  for (let stored = 0; stored < 20; stored++) {
    try {
      await client.writeFile(`/f${stored}`, Buffer.alloc(5 * MiB, stored + 1))
    } catch (failure) {
      return { stored, failure }
    }
  }
  throw new Error('the disks never filled')
}

async function writes(client: AshlarClient): Promise<boolean> {
  try {
    await client.writeFile('/again', Buffer.alloc(5 * MiB, 99))
    return true
  } catch (error) {
    // The servers tell their room once a second.
    if (isAshlarError(error, 'no-space')) return false
    throw error
  }
}

async function until(isSo: () => Promise<boolean>, what: string): Promise<void> {
  for (let look = 0; look < 100; look++) {
    if (await isSo()) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`waited in vain for ${what}`)
}

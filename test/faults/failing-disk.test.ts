/** Real disks that fail or fill beneath real chunk servers. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type AshlarClient, connect, isAshlarError } from '../../src/client/index.ts'
import { ownLoopbackAddress } from '../own-loopback-address.ts'
import { bin, buildFailingDisk, needs, TemporaryFolder, withEnvironment } from './preloaded.ts'
import { type ReadyLine, RealCluster } from './real-cluster.ts'

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
  const late = '/while-it-is-fenced'
  try {
    await withEnvironment(variables, () => cluster.start())
    {
      await using client = await connect({ cluster: cluster.clusterPath })
      for (const name of names) await client.writeFile(name, `of ${name}`)
      await until(async () => (await client.nodes()).some(({ state }) => state !== 'up'), 'a server that is fenced')
      const status = await client.status()
      assert.equal(status.serversUp, 2, 'only the failed one is out')
      await client.writeFile(late, `of ${late}`)
      assert.ok(status.underReplicatedChunks > 0, 'it vouched for nothing after its sync failed')
      for (const name of names) assert.equal(await client.readFile(name, 'utf8'), `of ${name}`)
    }
    assert.equal(cluster.messages.match(/store is fenced/g)?.length, 1)
    await cluster.stop()
    await cluster.start()
    await using client = await connect({ cluster: cluster.clusterPath })
    await until(async () => (await client.status()).underReplicatedChunks === 0, 'the missing replicas')
    for (const name of [...names, late]) assert.equal(await client.readFile(name, 'utf8'), `of ${name}`)
  } finally {
    await cluster.stop()
  }
})

for (const { what, mountOptions, sizeBytes } of [
  { what: 'disks', mountOptions: 'size=48m', sizeBytes: 5 * MiB },
  { what: 'inode tables', mountOptions: 'size=200m,nr_inodes=34', sizeBytes: 1.5 * MiB },
]) {
  test(`three full ${what} refuse with a reason per server, leave no part of the file, and recover by deletes alone`, {
    skip: needs(['mount', 'umount'], { root: true }),
  }, async () => {
    using folder = new TemporaryFolder()
    const cluster = new RealCluster(folder.at('data'), ['--port', '0'])
    const disks = [1, 2, 3].map((index) => join(cluster.folder, `chunkserver-${index}`))
    const mounted: string[] = []
    const contentOf = (index: number) => Buffer.alloc(sizeBytes, index + 1)
    try {
      for (const disk of disks) {
        mkdirSync(disk, { recursive: true })
        execFileSync('mount', ['-t', 'tmpfs', '-o', mountOptions, 'none', disk])
        mounted.push(disk)
      }
      await cluster.start()
      await using client = await connect({ cluster: cluster.clusterPath })
      const { stored, failure } = await fillUp(client, contentOf)
      assert.ok(isAshlarError(failure, 'no-space'), String(failure))
      assert.equal(failure.applied, 'no')
      assert.equal((failure.details['reasons'] as unknown[]).length, 3)
      assert.ok(stored >= 2, `${stored} files were stored`)
      for (let index = 0; index < stored; index++) {
        assert.ok((await client.readFile(`/f${index}`)).equals(contentOf(index)))
      }
      assert.equal(await client.exists(`/f${stored}`), false)
      for (const disk of disks) assert.deepEqual(readdirSync(join(disk, 'tmp')), [])
      for (let index = 0; index < stored; index++) await client.rm(`/f${index}`)
      await client.emptyTrash()
      await until(async () => (await client.status()).pendingDeletes === 0, 'the deletes')
      await until(() => writes(client, contentOf(99)), 'room')
    } finally {
      await cluster.stop().catch(() => cluster.killAll())
      for (const disk of mounted) execFileSync('umount', [disk])
    }
  })
}

test('a disk that takes no log line stops nothing', {
  skip: !existsSync('/dev/full') && 'needs /dev/full',
}, async () => {
  using folder = new TemporaryFolder()
  const args = ['up', '--data', folder.at('data'), '--host', ownLoopbackAddress, '--json']
  const up = spawn('sh', ['-c', 'exec "$0" "$@" 2> /dev/full', bin, ...args], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, ASHLAR_LOG: 'debug' },
  })
  const exited = new Promise<number | null>((resolve) => up.once('exit', resolve))
  let pids: readonly number[] = []
  try {
    const [line] = await Promise.race([once(up.stdout, 'data'), exited.then(() => assert.fail('ashlar up ended'))])
    pids = (JSON.parse(String(line)) as ReadyLine).processes.map(({ pid }) => pid)
    await using client = await connect({ cluster: folder.at('data', 'cluster.json') })
    for (let index = 0; index < 20; index++) await client.writeFile(`/f${index}`, `content ${index}`)
    for (let index = 0; index < 20; index++) {
      assert.equal(await client.readFile(`/f${index}`, 'utf8'), `content ${index}`)
    }
    assert.equal((await client.status()).serversUp, 3)
  } finally {
    // `up` first, so that it starts none again.
    up.kill('SIGKILL')
    await exited
    for (const pid of pids) process.kill(pid, 'SIGKILL')
  }
})

async function fillUp(
  client: AshlarClient,
  contentOf: (index: number) => Buffer,
): Promise<{ readonly stored: number; readonly failure: unknown }> {
  for (let stored = 0; stored < 20; stored++) {
    try {
      await client.writeFile(`/f${stored}`, contentOf(stored))
    } catch (failure) {
      return { stored, failure }
    }
  }
  throw new Error('the disks never filled')
}

async function writes(client: AshlarClient, content: Buffer): Promise<boolean> {
  try {
    await client.writeFile('/again', content)
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

/** Chunk servers that are started on a folder, or with a join file, that is not theirs: each is refused before it can harm. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { connect } from '../../src/client/index.ts'
import { HandCluster, master } from './hand-cluster.ts'
import { needs, runRefused, TemporaryFolder } from './preloaded.ts'
import { RealCluster } from './real-cluster.ts'

const linux = needs(['cp'])

suite('a chunk server that must not start', { skip: linux }, () => {
  const folder = new TemporaryFolder()
  const cluster = new RealCluster(folder.at('data'), ['--port', '0', '--capacity', '64MiB'])
  const original = join(cluster.folder, 'chunkserver-1')
  const joinPath = join(cluster.folder, 'master', 'join.json')
  const start = (data: string, joinFile = joinPath) =>
    runRefused(['chunkserver', '--data', data, '--cluster', joinFile, '--listen', '127.0.0.1:0'])

  before(async () => {
    await cluster.start()
    await using client = await connect({ cluster: cluster.clusterPath })
    await client.writeFile('/kept', 'kept')
  })
  after(async () => {
    await cluster.stop()
    folder[Symbol.dispose]()
  })

  async function stillServes(): Promise<void> {
    await using client = await connect({ cluster: cluster.clusterPath })
    assert.equal((await client.status()).serversUp, 3)
    assert.equal(await client.readFile('/kept', 'utf8'), 'kept')
  }

  // Two processes with one identity would each vouch for what only one of them holds.
  test('a copy made by cp -a is not taken while the original is up, and the original stays', async () => {
    execFileSync('cp', ['-a', original, folder.at('copy')])
    const { exitCode, stderr } = await start(folder.at('copy'))
    assert.match(stderr, /another process with this identity is up/)
    assert.equal(exitCode, 1)
    await stillServes()
  })

  test('a second process on the same folder is refused by the lock', async () => {
    const { exitCode, stderr } = await start(original)
    assert.equal(exitCode, 1)
    assert.match(stderr, /Cannot lock .*chunkserver-1\/lock/)
    await stillServes()
  })

  test('a folder of another cluster is refused by its cluster id', async () => {
    const stranger = { ...JSON.parse(readFileSync(joinPath, 'utf8')), clusterId: 'ab'.repeat(16) }
    writeFileSync(folder.at('stranger.json'), JSON.stringify(stranger))
    execFileSync('cp', ['-a', original, folder.at('other')])
    const { exitCode, stderr } = await start(folder.at('other'), folder.at('stranger.json'))
    assert.equal(exitCode, 1)
    assert.match(stderr, /cluster/)
    await stillServes()
  })

  test('a server of another cluster is refused by the master, whichever of id and secret is another', async () => {
    const mine = JSON.parse(readFileSync(joinPath, 'utf8'))
    const others = [{ clusterId: 'cd'.repeat(16) }, { clusterSecret: Buffer.alloc(32, 7).toString('base64') }]
    for (const [index, other] of others.entries()) {
      const joinFile = folder.at(`join-${index}.json`)
      writeFileSync(joinFile, JSON.stringify({ ...mine, ...other }))
      const { exitCode, stderr } = await start(folder.at(`new-${index}`), joinFile)
      assert.equal(exitCode, 1)
      assert.match(stderr, /secret|key|cluster/)
    }
    await stillServes()
  })
})

suite('a disk that is missing or read-only at start', () => {
  test('an empty mount point is refused, and nothing is written into it', { skip: linux }, async () => {
    using folder = new TemporaryFolder()
    const cluster = await stoppedCluster(folder)
    const mountPoint = join(cluster.folder, 'chunkserver-1')
    renameSync(mountPoint, folder.at('held'))
    mkdirSync(mountPoint)
    await assert.rejects(cluster.start(), /its store is missing .* disk of its own, see that it is mounted/)
    assert.deepEqual(readdirSync(mountPoint), [])
    rmdirSync(mountPoint)
    renameSync(folder.at('held'), mountPoint)
    await readsKept(cluster)
  })

  // A new cluster there would answer every read with "not found".
  test('a master whose folder is gone makes no new cluster in its place, unless its trace was removed', {
    skip: linux,
  }, async () => {
    using folder = new TemporaryFolder()
    await using cluster = new HandCluster(folder.at('by-hand'), { chunkServers: 0 })
    await cluster.startOne(master)
    await cluster.stop()
    const { clusterPath } = cluster
    const before = readFileSync(clusterPath, 'utf8')
    renameSync(cluster.data(master), folder.at('held'))
    mkdirSync(cluster.data(master))
    await assert.rejects(
      cluster.startOne(master),
      /it is missing.*ashlar restore.*For a new cluster in its place, remove .*\.master\.ashlar first/s,
    )
    assert.deepEqual(readdirSync(cluster.data(master)), [])
    rmdirSync(cluster.data(master))
    renameSync(folder.at('held'), cluster.data(master))
    await cluster.startOne(master)
    await cluster.stop()
    assert.equal(JSON.parse(readFileSync(clusterPath, 'utf8')).clusterId, JSON.parse(before).clusterId)
    rmSync(cluster.data(master), { recursive: true })
    rmSync(join(cluster.folder, '.master.ashlar'))
    await cluster.startOne(master)
    assert.notEqual(JSON.parse(readFileSync(clusterPath, 'utf8')).clusterId, JSON.parse(before).clusterId)
  })

  test('a read-only mount is refused, and serves again once it is writable', {
    skip: needs(['mount', 'umount'], { root: true }),
  }, async () => {
    using folder = new TemporaryFolder()
    const cluster = await stoppedCluster(folder)
    const disk = join(cluster.folder, 'chunkserver-1')
    execFileSync('mount', ['--bind', disk, disk])
    try {
      execFileSync('mount', ['-o', 'remount,ro,bind', disk])
      await assert.rejects(cluster.start(), /its folder cannot be written/)
    } finally {
      execFileSync('umount', [disk])
    }
    await readsKept(cluster)
  })
})

// Each would answer under the other's failure domain: copies that are believed to be apart could end up together.
test('two data folders that were swapped are refused by name, and serve again when they are back', {
  skip: linux,
}, async () => {
  using folder = new TemporaryFolder()
  const cluster = await stoppedCluster(folder)
  const [one, other] = ['chunkserver-1', 'chunkserver-2'].map((name) => join(cluster.folder, name)) as [string, string]
  const swap = () => {
    renameSync(one, folder.at('held'))
    renameSync(other, one)
    renameSync(folder.at('held'), other)
  }
  swap()
  await assert.rejects(cluster.start(), /Cannot .*chunkserver-[12]/)
  swap()
  await readsKept(cluster)
})

async function stoppedCluster(folder: TemporaryFolder): Promise<RealCluster> {
  const cluster = new RealCluster(folder.at('data'), ['--port', '0', '--capacity', '64MiB'])
  await cluster.start()
  {
    await using client = await connect({ cluster: cluster.clusterPath })
    await client.writeFile('/kept', 'kept')
  }
  await cluster.stop()
  return cluster
}

async function readsKept(cluster: RealCluster): Promise<void> {
  await cluster.start()
  try {
    await using client = await connect({ cluster: cluster.clusterPath })
    assert.equal(await client.readFile('/kept', 'utf8'), 'kept')
    assert.equal((await client.status()).serversUp, 3)
  } finally {
    await cluster.stop()
  }
}

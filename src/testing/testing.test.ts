import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { suite, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { someBytes } from '../../test/contract/chunk-store.ts'
import type { AshlarError } from '../base/errors.ts'
import type { ChunkReport } from '../client/index.ts'
import { startCluster, type TestChunkServer, type TestCluster, type TestClusterOptions } from './index.ts'

async function until(condition: () => boolean | Promise<boolean>, what: string, withinMs = 15_000): Promise<void> {
  const untilMs = Date.now() + withinMs
  while (!(await condition())) {
    assert.ok(Date.now() < untilMs, `not within ${withinMs} ms: ${what}`)
    await delay(10)
  }
}

async function chunksOf(cluster: TestCluster, path: string): Promise<ChunkReport[]> {
  const chunks: ChunkReport[] = []
  for await (const chunk of cluster.client.describeChunks(path)) chunks.push(chunk)
  return chunks
}

async function underReplicated(cluster: TestCluster): Promise<number> {
  return (await cluster.client.status()).underReplicatedChunks
}

function server(cluster: TestCluster, index: number): TestChunkServer {
  return cluster.chunkServers[index] as TestChunkServer
}

/** Mixed sizes: a record in a segment, a chunk file, several chunks. */
const sizes = [1, 5000, 1_500_000, 5_000_000]
const chunkSizeBytes = 2 ** 21

async function writeSome(cluster: TestCluster, folder: string): Promise<void> {
  const write = (size: number) =>
    cluster.client.writeFile(`${folder}/${size}`, someBytes(size, size), { makeParents: true })
  await Promise.all(sizes.map(write))
}

async function checkSome(cluster: TestCluster, folder: string): Promise<void> {
  for (const size of sizes) {
    const bytes = await cluster.client.readFile(`${folder}/${size}`)
    assert.ok(bytes.equals(someBytes(size, size)), `${folder}/${size}`)
  }
}

for (const storage of ['memory', 'disk'] as const) {
  const start = (options: TestClusterOptions = {}) => startCluster({ storage, chunkSizeBytes, ...options })

  suite(`startCluster() on ${storage}`, () => {
    test('corrupt() of a replica: right bytes are served, it is quarantined and repaired', async () => {
      await using cluster = await start()
      await writeSome(cluster, '/d')
      let count = 0
      for (const size of sizes) {
        for (const { chunkId } of await chunksOf(cluster, `/d/${size}`)) {
          await server(cluster, count % 3).corrupt(chunkId)
          await server(cluster, (count + 1) % 3).corrupt(chunkId)
          count++
        }
      }
      for (let round = 0; round < 3; round++) await checkSome(cluster, '/d')
      // A read may have met no bad replica, or not each of them: what nobody read is found by reading it all.
      const held = async () => {
        const counts = await Promise.all(
          sizes.map(async (size) => {
            const chunks = await chunksOf(cluster, `/d/${size}`)
            const holds = chunks.flatMap(({ chunkId }) => cluster.chunkServers.map((each) => each.holds(chunkId)))
            return (await Promise.all(holds)).filter((isHere) => isHere).length
          }),
        )
        return counts.reduce((sum, here) => sum + here, 0)
      }
      for (const size of sizes) {
        for (const { chunkId } of await chunksOf(cluster, `/d/${size}`)) {
          for (const { id } of cluster.chunkServers) {
            await cluster.client.describeReplica(chunkId, id, { md5: true }).catch((error: AshlarError) => {
              assert.ok(['corrupt', 'chunk-missing'].includes(error.code), String(error))
            })
          }
        }
      }
      const quarantined = cluster.chunkServers.reduce((sum, each) => sum + each.space().quarantinedChunks, 0)
      assert.equal(quarantined, 2 * count)
      await until(async () => (await held()) === 3 * count, 'all replicas are here again', 25_000)
      for (const size of sizes) {
        for (const { chunkId, crc } of await chunksOf(cluster, `/d/${size}`)) {
          for (const { id } of cluster.chunkServers) {
            assert.equal((await cluster.client.describeReplica(chunkId, id, { md5: true })).crc, crc)
          }
        }
      }
    })

    test('kill() of one of three: reads and writes go on, degraded; restart() makes it whole', async () => {
      await using cluster = await start()
      await writeSome(cluster, '/before')
      await server(cluster, 1).kill()
      assert.equal(server(cluster, 1).isRunning, false)
      await checkSome(cluster, '/before')
      await writeSome(cluster, '/during')
      await checkSome(cluster, '/during')
      assert.ok((await underReplicated(cluster)) > 0)
      assert.ok((await cluster.client.stat('/during/5000')).underReplicated)
      const [chunk] = await chunksOf(cluster, '/during/5000')
      assert.equal(chunk?.missing, 1)
      const nodes = await cluster.client.nodes()
      assert.notEqual(nodes.find(({ id }) => id === server(cluster, 1).id)?.state, 'up')

      await server(cluster, 1).restart()
      await until(async () => (await underReplicated(cluster)) === 0, 'nothing is under-replicated')
      await until(async () => server(cluster, 1).holds((chunk as ChunkReport).chunkId), 'the member caught up')
      // Alone it serves all of it.
      await server(cluster, 0).kill()
      await server(cluster, 2).kill()
      await checkSome(cluster, '/before')
      await checkSome(cluster, '/during')
    })

    test('restartMaster() loses nothing acknowledged, and clients go on', async () => {
      await using cluster = await start()
      await writeSome(cluster, '/d')
      for (let round = 0; round < 3; round++) {
        const written = cluster.client.writeFile('/racing', String(round))
        await cluster.restartMaster()
        await written
        assert.equal(await cluster.client.readFile('/racing', 'utf8'), String(round))
      }
      await checkSome(cluster, '/d')
      const other = await cluster.connect()
      assert.deepEqual(await other.readdir('/'), ['d', 'racing'])
    })

    test('everything killed and started again: every acknowledged file is whole', async () => {
      await using cluster = await start()
      await writeSome(cluster, '/d')
      await Promise.all(cluster.chunkServers.map((each) => each.kill()))
      await cluster.restartMaster()
      await Promise.all(cluster.chunkServers.map((each) => each.restart()))
      await checkSome(cluster, '/d')
      await writeSome(cluster, '/e')
      await checkSome(cluster, '/e')
    })
  })
}

test('fill(): refused with a reason per server, reads and deletes go on, space returns after emptyTrash()', async () => {
  const capacityBytes = 1_000_000
  await using cluster = await startCluster({ capacityBytes })
  const { client } = cluster
  await client.writeFile('/big', someBytes(600_000))
  await client.writeFile('/small', 'small')
  for (const each of cluster.chunkServers) await each.fill()
  await assert.rejects(client.writeFile('/more', someBytes(10)), (error: AshlarError) => {
    assert.deepEqual([error.code, error.applied], ['no-space', 'no'])
    const reasons = JSON.stringify(error.details)
    for (const { id } of cluster.chunkServers) assert.ok(reasons.includes(id), `no reason for ${id}: ${reasons}`)
    return true
  })
  assert.equal(await client.readFile('/small', 'utf8'), 'small')
  await client.rm('/big')
  assert.equal(server(cluster, 0).space().usedBytes, 600_005, 'trash counts as used')
  await client.emptyTrash()
  const isEmpty = () => cluster.chunkServers.every((each) => each.space().usedBytes === 5)
  await until(isEmpty, 'the space returns', 10_000)
  await until(
    async () => (await client.writeFile('/more', someBytes(500_000)).catch(() => undefined)) !== undefined,
    'room',
  )
  // One that is full is not down: no write is acknowledged with fewer than three copies.
  await server(cluster, 0).fill()
  await assert.rejects(client.writeFile('/again', someBytes(1000)), { code: 'no-space' })
  await server(cluster, 0).unfill()
  assert.equal(server(cluster, 0).space().capacityBytes, capacityBytes)
})

test('slow(): reads hedge past a slow member, and no wrong byte comes', async () => {
  await using cluster = await startCluster({ chunkSizeBytes })
  await writeSome(cluster, '/d')
  server(cluster, 0).slow(60_000)
  // Whoever waits for the slow member meets the deadline of a read (10 s) instead.
  const failure = await Promise.race([checkSome(cluster, '/d'), delay(9_000, 'it was waited for', { ref: false })])
  assert.equal(failure, undefined)
})

test('partition() of one server: reads and writes go on without it; heal() makes it whole', async () => {
  await using cluster = await startCluster({ chunkSizeBytes })
  await writeSome(cluster, '/before')
  server(cluster, 2).partition()
  await checkSome(cluster, '/before')
  await writeSome(cluster, '/during')
  await checkSome(cluster, '/during')
  const [chunk] = await chunksOf(cluster, '/during/5000')
  assert.equal(await server(cluster, 2).holds((chunk as ChunkReport).chunkId), false)
  server(cluster, 2).heal()
  await until(() => server(cluster, 2).holds((chunk as ChunkReport).chunkId), 'the member caught up', 25_000)
})

test('puts racing every fault: what was acknowledged is whole, what was not is absent or whole', async () => {
  await using cluster = await startCluster({ chunkServers: 4, chunkSizeBytes: 65_536 })
  const { client } = cluster
  const acknowledged = new Map<string, Buffer>()
  const attempted = new Map<string, Buffer>()
  let isOver = false
  const writer = async (lane: number) => {
    for (let count = 0; !isOver; count++) {
      const path = `/${lane}-${count}`
      const bytes = someBytes(1 + ((count * 37_411) % 200_000), lane * 1000 + count + 1)
      attempted.set(path, bytes)
      try {
        await client.writeFile(path, bytes)
        acknowledged.set(path, bytes)
      } catch {
        // Faults may refuse it; then it is whole or absent.
        await delay(5)
      }
    }
  }
  const writing = [0, 1, 2, 3].map(writer)
  const pause = () => delay(40)
  await pause()
  await server(cluster, 0).kill()
  await pause()
  await server(cluster, 0).restart()
  server(cluster, 1).slow(30)
  await pause()
  await cluster.restartMaster()
  server(cluster, 1).slow(0)
  await server(cluster, 2).fill()
  await pause()
  await server(cluster, 2).unfill()
  server(cluster, 3).partition()
  await pause()
  server(cluster, 3).heal()
  const [some] = acknowledged.keys()
  const [chunk] = await chunksOf(cluster, some as string)
  for (const each of cluster.chunkServers) {
    if (await each.holds((chunk as ChunkReport).chunkId)) {
      await each.corrupt((chunk as ChunkReport).chunkId)
      break
    }
  }
  await pause()
  isOver = true
  await Promise.all(writing)
  assert.ok(acknowledged.size > 10, `${acknowledged.size} were acknowledged`)
  for (const [path, bytes] of attempted) {
    if (!acknowledged.has(path) && !(await client.exists(path))) continue
    assert.ok((await client.readFile(path)).equals(bytes), path)
  }
})

test('close() removes what was stored, and await using calls it', async () => {
  const folders = () => readdirSync(tmpdir()).filter((name) => name.startsWith('ashlar-testing-'))
  const before = new Set(folders())
  let mine: string | undefined
  {
    await using cluster = await startCluster({ storage: 'disk', http: true })
    mine = folders().find((name) => !before.has(name))
    assert.ok(mine !== undefined)
    const { url, token } = cluster.http ?? assert.fail('no door')
    const headers = { authorization: `Bearer ${token}` }
    assert.equal((await fetch(`${url}/status`, { headers })).status, 200)
  }
  assert.equal(existsSync(`${tmpdir()}/${mine}`), false)
})

test('startCluster() refuses a policy that its servers do not allow, and closes what it began', async () => {
  await assert.rejects(startCluster({ chunkServers: 2, policy: 'replicated-3' }), { code: 'invalid-argument' })
  await using one = await startCluster({ chunkServers: 1 })
  await one.client.writeFile('/f', 'x')
  assert.equal((await chunksOf(one, '/f'))[0]?.replicas.length, 1)
})

test('addChunkServer() joins while the cluster runs, and takes its share', async () => {
  await using cluster = await startCluster({ chunkServers: 3, capacityBytes: 100_000 })
  for (let index = 0; index < 3; index++) await cluster.addChunkServer({ capacityBytes: 100_000 })
  assert.equal((await cluster.client.nodes()).length, 6)
  await until(async () => {
    await cluster.client.writeFile(`/${Math.random()}`, someBytes(2000))
    return cluster.chunkServers.every((each) => each.space().usedBytes > 0)
  }, 'every server holds something')
})

test('a server that was killed says so; kill() twice is fine', async () => {
  await using cluster = await startCluster()
  const one = server(cluster, 0)
  await one.kill()
  await one.kill()
  assert.throws(() => one.space(), { code: 'closed' })
  await assert.rejects(one.fill(), { code: 'closed' })
  await one.restart()
  assert.equal(one.space().chunks, 0)
})

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { ChunkReport } from '../../src/client/index.ts'
import { startCluster, type TestChunkServer, type TestCluster } from '../../src/testing/index.ts'
import { someBytes } from '../contract/chunk-store.ts'

async function until(condition: () => boolean | Promise<boolean>, what: string, withinMs = 30_000): Promise<void> {
  const untilMs = Date.now() + withinMs
  while (!(await condition())) {
    assert.ok(Date.now() < untilMs, `not within ${withinMs} ms: ${what}`)
    await delay(20)
  }
}

/** Mixed sizes: a record in a segment, a chunk file, several chunks. */
const sizes = [1, 3000, 70_000, 1_500_000, 2_500_000]
const options = { chunkSizeBytes: 2 ** 20, deadAfterMs: 1500 }

async function fillFolder(cluster: TestCluster, folder: string): Promise<void> {
  for (let copy = 0; copy < 4; copy++) {
    await Promise.all(
      sizes.map((size) =>
        cluster.client.writeFile(`${folder}/${copy}-${size}`, someBytes(size, size + copy), { makeParents: true }),
      ),
    )
  }
}

async function checkFolder(cluster: TestCluster, folder: string): Promise<void> {
  for (let copy = 0; copy < 4; copy++) {
    for (const size of sizes) {
      const bytes = await cluster.client.readFile(`${folder}/${copy}-${size}`)
      assert.ok(bytes.equals(someBytes(size, size + copy)), `${folder}/${copy}-${size}`)
    }
  }
}

async function chunksBelow(cluster: TestCluster, folder: string): Promise<ChunkReport[]> {
  const chunks: ChunkReport[] = []
  for (const name of await cluster.client.readdir(folder)) {
    for await (const chunk of cluster.client.describeChunks(`${folder}/${name}`)) chunks.push(chunk)
  }
  return chunks
}

/** Every group has three members that count, on running servers. */
async function isWhole(cluster: TestCluster): Promise<boolean> {
  const running = new Set(cluster.chunkServers.filter((each) => each.isRunning).map(({ id }) => id))
  const { groups } = await cluster.client.map()
  return groups.every(
    ({ members }) =>
      members.length === 3 && members.every(({ server, state }) => state === 'in' && running.has(server)),
  )
}

/** Every chunk is on exactly the three members of its group. */
async function checkReplicas(cluster: TestCluster, folder: string): Promise<void> {
  const { groups } = await cluster.client.map()
  for (const { chunkId, group } of await chunksBelow(cluster, folder)) {
    const members = groups.find(({ id }) => id === group)?.members.map(({ server }) => server) ?? []
    for (const each of cluster.chunkServers.filter(({ isRunning }) => isRunning)) {
      if (members.includes(each.id)) assert.ok(await each.holds(chunkId), `${each.id} lacks ${chunkId}`)
    }
  }
}

async function totalChunks(cluster: TestCluster): Promise<number> {
  const running = cluster.chunkServers.filter(({ isRunning }) => isRunning)
  return running.reduce((sum, each) => sum + each.space().chunks, 0)
}

const server = (cluster: TestCluster, index: number) => cluster.chunkServers[index] as TestChunkServer

suite('repair', () => {
  test('a dead server: every group is whole again on the others, and it returns without its old copies', async () => {
    await using cluster = await startCluster({ ...options, chunkServers: 5 })
    await fillFolder(cluster, '/before')
    await server(cluster, 2).kill()
    await fillFolder(cluster, '/during')
    await until(() => isWhole(cluster), 'all groups are whole without the dead server')
    for (const folder of ['/before', '/during']) {
      await checkFolder(cluster, folder)
      await checkReplicas(cluster, folder)
    }
    await cluster.client.rm('/before', { recursive: true })
    await cluster.client.emptyTrash()
    await server(cluster, 2).restart()
    await cluster.client.close()
    const chunks = await waitForRest(cluster)
    assert.equal(chunks, 3 * (4 * 8))
  })
})

/** Until what the servers hold stops changing. */
async function waitForRest(cluster: TestCluster): Promise<number> {
  let chunks = await totalChunks(cluster)
  for (let stable = 0; stable < 60; stable++) {
    await delay(100)
    const now = await totalChunks(cluster)
    if (now !== chunks) stable = 0
    chunks = now
  }
  return chunks
}

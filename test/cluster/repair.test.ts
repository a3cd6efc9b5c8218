/** Members change under a client's eyes: a cluster of production parts in this process, its servers killed, drained and added. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { startCluster, type TestChunkServer, type TestCluster } from '../../src/testing/index.ts'
import { someBytes } from '../contract/chunk-store.ts'

async function until(condition: () => boolean | Promise<boolean>, what: string, withinMs = 60_000): Promise<void> {
  const untilMs = Date.now() + withinMs
  while (!(await condition())) {
    assert.ok(Date.now() < untilMs, `not within ${withinMs} ms: ${what}`)
    await delay(20)
  }
}

/** Mixed sizes: a record in a segment, a chunk file, several chunks. */
const sizes = [1, 3000, 70_000, 1_500_000, 2_500_000]
const copies = 3
const chunksOfFolder = copies * (1 + 1 + 1 + 2 + 3)
const options = { chunkSizeBytes: 2 ** 20, deadAfterMs: 1500 }

async function fillFolder(cluster: TestCluster, folder: string): Promise<void> {
  for (let copy = 0; copy < copies; copy++) {
    await Promise.all(
      sizes.map((size) =>
        cluster.client.writeFile(`${folder}/${copy}-${size}`, someBytes(size, size + copy), { makeParents: true }),
      ),
    )
  }
}

async function checkFolder(cluster: TestCluster, folder: string): Promise<void> {
  for (let copy = 0; copy < copies; copy++) {
    for (const size of sizes) {
      const bytes = await cluster.client.readFile(`${folder}/${copy}-${size}`)
      assert.ok(bytes.equals(someBytes(size, size + copy)), `${folder}/${copy}-${size}`)
    }
  }
}

const server = (cluster: TestCluster, index: number) => cluster.chunkServers[index] as TestChunkServer

/** Every group has three members that count, on running servers, and every chunk is on its three. */
async function isWhole(cluster: TestCluster): Promise<boolean> {
  const running = new Set(cluster.chunkServers.filter((each) => each.isRunning).map(({ id }) => id))
  const { groups } = await cluster.client.map()
  return groups.every(
    ({ members }) =>
      members.length === 3 && members.every(({ server: id, state }) => state === 'in' && running.has(id)),
  )
}

async function checkReplicas(cluster: TestCluster, folder: string): Promise<void> {
  const { groups } = await cluster.client.map()
  for (const name of await cluster.client.readdir(folder)) {
    for await (const { chunkId, group } of cluster.client.describeChunks(`${folder}/${name}`)) {
      for (const { server: id } of groups.find((each) => each.id === group)?.members ?? []) {
        const member = cluster.chunkServers.find((each) => each.id === id) as TestChunkServer
        assert.ok(await member.holds(chunkId), `${id} lacks ${chunkId}`)
      }
    }
  }
}

test('a dead server: every chunk is on three others again, and it returns without what was its own', async () => {
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
  await checkFolder(cluster, '/during')
  // Ids given back, so that what the old copies were of is known to be over.
  await cluster.client.close()
  const total = () => cluster.chunkServers.reduce((sum, each) => sum + each.space().chunks, 0)
  await until(() => total() === 3 * chunksOfFolder, 'nothing rises from the dead, and orphans go')
})

test('a second server dies and masters restart during a repair: nothing is lost, and all is whole at the end', async () => {
  await using cluster = await startCluster({ ...options, chunkServers: 6 })
  await fillFolder(cluster, '/d')
  await server(cluster, 5).kill()
  const isBegun = async () => (await cluster.client.map()).groups.some(({ members }) => members.length > 3)
  await until(isBegun, 'a repair')
  await cluster.restartMaster()
  await server(cluster, 4).kill()
  await cluster.client.setSetting('hold-off', '0s')
  await until(isBegun, 'a repair of both')
  await cluster.restartMaster()
  await checkFolder(cluster, '/d')
  await until(() => isWhole(cluster), 'all groups are whole')
  await checkReplicas(cluster, '/d')
  await checkFolder(cluster, '/d')
  assert.equal((await cluster.client.status()).underReplicatedChunks, 0)
})

test('a server is drained under writes, leaves, and takes groups again when that is cancelled', async () => {
  await using cluster = await startCluster({ ...options, deadAfterMs: 5000, chunkServers: 5 })
  const { client } = cluster
  await fillFolder(cluster, '/before')
  const { id } = server(cluster, 1)
  await client.duties.drain(id)
  await fillFolder(cluster, '/during')
  const stateOf = async () => (await client.nodes()).find((node) => node.id === id)?.state
  await until(async () => (await stateOf()) === 'left', 'the drain')
  await server(cluster, 1).kill()
  for (const folder of ['/before', '/during']) {
    await checkReplicas(cluster, folder)
    await checkFolder(cluster, folder)
  }
  await server(cluster, 1).restart()
  assert.equal(await stateOf(), 'left')
  await client.duties.cancelDrain(id)
  assert.equal(await stateOf(), 'up')
  const isMember = async () =>
    (await client.map()).groups.some(({ members }) => members.some((each) => each.server === id))
  await until(isMember, 'groups of its own')
})

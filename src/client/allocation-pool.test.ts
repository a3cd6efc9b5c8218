import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { FakeCluster, testBytes } from '../../test/client/fake-cluster.ts'
import { refuse } from '../../test/client/hooked-service.ts'
import { isAshlarError } from '../base/errors.ts'

const twoGroups = {
  servers: 6,
  groups: [
    [0, 1, 2],
    [3, 4, 5],
  ],
}

async function writeMany(write: (index: number) => Promise<unknown>, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, index) => write(index)))
}

test('AllocationPool never gives an id twice, however many ask at once', async () => {
  await using cluster = await FakeCluster.start()
  const client = await cluster.connect()
  await writeMany((index) => client.writeFile(`/${index}`, `file ${index}`), 200)
  assert.equal(cluster.servers[0]?.chunks.size, 200)
  for (const index of [0, 99, 199]) assert.equal(await client.readFile(`/${index}`, 'utf8'), `file ${index}`)
})

test('AllocationPool asks for more ids the more are used, so that few writes wait', async () => {
  await using cluster = await FakeCluster.start()
  const client = await cluster.connect()
  for (let index = 0; index < 150; index++) await client.writeFile(`/${index}`, 'x')
  const counts = cluster.master.calls
    .filter(({ name }) => name === 'allocate')
    .map(({ request }) => (request as { readonly count: number }).count)
  assert.deepEqual(counts.slice(0, 3), [16, 32, 64])
  assert.ok(counts.length <= 6, `${counts.length} requests`)
})

test('AllocationPool gives used-up allocations back only when their chunks are committed', async () => {
  await using cluster = await FakeCluster.start()
  // Kept three times in its life: on a busy machine 20 ms were too few, and what a session that ended holds never comes back.
  cluster.master.sessionLifeMs = 900
  const client = await cluster.connect()
  const early: number[] = []
  const gate = Promise.withResolvers<void>()
  cluster.master.hooks.set('releaseAllocations', async (request, _context, next) => {
    const { allocations } = request as { readonly allocations: readonly { readonly firstSequence: number }[] }
    if (!cluster.master.files.has('/0')) early.push(...allocations.map(({ firstSequence }) => firstSequence))
    return await next()
  })
  cluster.master.hooks.set('commitFile', async (request, _context, next) => {
    if ((request as { readonly path: string }).path === '/0') await gate.promise
    return await next()
  })
  const slow = client.writeFile('/0', 'holds the first allocation')
  for (let index = 1; index < 40; index++) await client.writeFile(`/${index}`, 'x')
  const kept = cluster.master.count('keepSession')
  while (cluster.master.count('keepSession') < kept + 2) await delay(5)
  gate.resolve()
  await slow
  while (cluster.master.count('releaseAllocations') === 0) await delay(5)
  assert.ok(!early.includes(0), 'the first allocation came back while a commit was under way')
})

test('AllocationPool begins no chunk so late that its commit could meet a closed allocation', async () => {
  await using cluster = await FakeCluster.start()
  cluster.master.allocationLifeMs = 40
  const client = await cluster.connect()
  await client.writeFile('/a', 'x')
  await delay(45)
  cluster.master.allocations.clear()
  await client.writeFile('/b', 'x')
  assert.equal(cluster.master.count('commitFile'), 2)
  assert.equal(cluster.master.count('allocate'), 2)
})

test('AllocationPool leaves a group as soon as the map says that a member is away', async () => {
  await using cluster = await FakeCluster.start(twoGroups)
  const client = await cluster.connect()
  await client.writeFile('/a', 'x')
  cluster.setState(0, 'suspect')
  cluster.master.hooks.set('allocate', async (request, _context, next) => {
    // As the real master: groups that are whole come first.
    const group = request as { avoid: readonly number[] }
    group.avoid = [1]
    return await next()
  })
  await client.map()
  await client.writeFile('/b', 'x')
  assert.equal(cluster.servers[3]?.chunks.size, 1)
})

test('a large file is spread over groups', async () => {
  await using cluster = await FakeCluster.start({ ...twoGroups, chunkSizeBytes: 1_100_000 })
  const client = await cluster.connect()
  let turn = 0
  cluster.master.hooks.set('allocate', async (request, _context, next) => {
    const group = request as { avoid: readonly number[] }
    group.avoid = [(turn++ % 2) + 1]
    return await next()
  })
  await client.writeFile('/big', testBytes(20_000_000))
  const [first, second] = [cluster.servers[0]?.chunks.size ?? 0, cluster.servers[3]?.chunks.size ?? 0]
  assert.equal(first + second, 19)
  assert.ok(Math.min(first, second) >= 4, `${first} and ${second}`)
})

test('a writer is not refused for what is wrong with the path of another one', async () => {
  await using cluster = await FakeCluster.start()
  const client = await cluster.connect()
  cluster.master.hooks.set('allocate', async (request, _context, next) => {
    await delay(5)
    return (request as { readonly path: string }).path.startsWith('/missing/') ? refuse('not-found') : await next()
  })
  const wrong = assert.rejects(client.writeFile('/missing/a', 'x'), (error) => isAshlarError(error, 'not-found'))
  await Promise.all([wrong, client.writeFile('/b', 'x'), client.writeFile('/c', 'x')])
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startCluster } from '../testing/index.ts'

// Each directory that a client does not know yet costs it a question, whose allocation once stayed in hand: a tree of
// a thousand directories met the session's limit of allocations.
test('a client that writes into many directories keeps few allocations in hand', async () => {
  await using cluster = await startCluster()
  const { client } = cluster
  for (const killed of [false, true]) {
    if (killed) await cluster.chunkServers[0]?.kill()
    const paths = Array.from({ length: 600 }, (_, index) => `/tree-${killed}/${index % 200}/${index}`)
    for (let at = 0; at < paths.length; at += 40) {
      await Promise.all(paths.slice(at, at + 40).map((path) => client.writeFile(path, 'x', { makeParents: true })))
    }
    const { openAllocations } = await client.status()
    assert.ok(openAllocations <= 120, `${openAllocations} allocations are open, a server killed: ${killed}`)
  }
})

test('a client with ids in hand asks for no others because of a directory that it does not know', async () => {
  await using cluster = await startCluster()
  const { client } = cluster
  await client.writeFile('/first', 'x')
  const before = (await client.status()).openAllocations
  for (let index = 0; index < 12; index++) await client.writeFile(`/many/${index}/file`, 'x', { makeParents: true })
  const { openAllocations } = await client.status()
  assert.ok(openAllocations <= before + 1, `${before} allocations were open, then ${openAllocations}`)
})

test('a directory of another policy gets ids of its own, whatever is in hand', async () => {
  await using cluster = await startCluster()
  const { client } = cluster
  await client.writeFile('/first', 'x')
  await client.mkdir('/once')
  await client.setPolicy('/once', 'replicated-1')
  await client.writeFile('/once/file', 'x')
  const policies: (string | undefined)[] = []
  for await (const { policy } of client.describeChunks('/once/file')) policies.push(policy)
  assert.deepEqual(policies, ['replicated-1'])
})

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

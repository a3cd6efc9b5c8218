/** An append of many chunks, as somebody else sees it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startCluster } from '../../src/testing/index.ts'

// A crash in the middle of it leaves the same: the first part of what one call appended (found by rounds of SIGKILL).
test('appendFile() of more chunks than fit inline is seen whole or not at all', async () => {
  const chunkSizeBytes = 1024
  await using cluster = await startCluster({ chunkSizeBytes })
  const { client } = cluster
  await client.writeFile('/log', '')
  // Each way of each message takes a while, so that the steps are apart.
  for (const server of cluster.chunkServers) await server.slow(20)
  const seen = new Set<number>()
  let isDone = false
  const look = async () => {
    while (!isDone) seen.add((await client.stat('/log')).size)
  }
  const looking = look()
  await client.appendFile('/log', Buffer.alloc(20 * chunkSizeBytes, 1), { expectedLength: 0 })
  isDone = true
  await looking
  assert.deepEqual(
    [...seen].filter((size) => size !== 0 && size !== 20 * chunkSizeBytes),
    [],
  )
})

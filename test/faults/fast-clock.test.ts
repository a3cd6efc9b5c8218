/** Clocks that run ten times too fast, the monotonic one too: what expires is early or late, what was acknowledged stays. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { connect, isAshlarError } from '../../src/client/index.ts'
import { Arena, whyNoArena } from './arena.ts'
import { master, type ServerName } from './hand-cluster.ts'
import { whyNotLong } from './preloaded.ts'

const needs = ['faketime'] as const
const writingMs = 6_000

async function runsFast(name: ServerName): Promise<void> {
  await using arena = new Arena({ needs, fakesMonotonic: (server) => server === name })
  const { cluster } = arena
  arena.setClock(name, '+0 x10')
  await cluster.start()
  const acknowledged: string[] = []
  {
    await using client = await connect({ cluster: cluster.clusterPath, timeoutMs: 10_000 })
    await client.writeFile('/deleted', 'back')
    await client.rm('/deleted')
    const startedMs = performance.now()
    const untilMs = startedMs + writingMs
    const { mtimeMs } = await client.writeFile('/first', 'first')
    for (let count = 0; performance.now() < untilMs; count++) {
      const path = `/f${count}`
      try {
        await client.writeFile(path, path.repeat(1_000))
        acknowledged.push(path)
        await wait(20)
      } catch (error) {
        // Unavailable it may be, as long as it says so.
        assert.ok(isAshlarError(error), String(error))
      }
    }
    if (name === master) {
      const passedMs = (await client.writeFile('/last', 'last')).mtimeMs - mtimeMs
      assert.ok(passedMs > 5 * (performance.now() - startedMs), `only ${passedMs} ms passed at the master`)
    }
  }
  assert.ok(acknowledged.length > 0)
  await cluster.stop()
  arena.setClock(name, '+0')
  await cluster.start()
  await using client = await connect({ cluster: cluster.clusterPath, timeoutMs: 20_000 })
  for (const path of acknowledged) assert.equal(await client.readFile(path, 'utf8'), path.repeat(1_000))
  await client.undelete('/deleted')
  assert.equal(await client.readFile('/deleted', 'utf8'), 'back')
  for (let look = 0; look < 300 && (await client.status()).underReplicatedChunks > 0; look++) await wait(100)
  const { serversUp, underReplicatedChunks } = await client.status()
  assert.deepEqual([serversUp, underReplicatedChunks], [3, 0])
}

test(
  'a master whose clocks run ten times too fast loses nothing, and is well again with a right clock',
  {
    skip: whyNotLong() || whyNoArena(needs),
  },
  () => runsFast(master),
)

test(
  'a chunk server whose clocks run ten times too fast loses nothing, and is well again with a right clock',
  {
    skip: whyNotLong() || whyNoArena(needs),
  },
  () => runsFast('chunkserver-2'),
)

/** Links that work badly, all at once: work goes on, and nobody takes a slow server for a dead one. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { connect } from '../../src/client/index.ts'
import { Arena, whyNoArena } from './arena.ts'
import { whyNotLong } from './preloaded.ts'

const needs = ['networks'] as const
const content = (index: number) => Buffer.alloc(64 * 1024, index + 1)

test('with 30 % of the packets of one server lost, another at 1 Mbit/s and a third flapping, writes progress and nothing is repaired', {
  skip: whyNotLong() || whyNoArena(needs),
  timeout: 170_000,
}, async (t) => {
  await using arena = new Arena({ needs, variables: () => ({ ASHLAR_LOG: 'debug' }) })
  const { cluster, networks } = arena
  assert.ok(networks !== undefined)
  await cluster.start()
  let isFlapping = true
  const flapping = async () => {
    while (isFlapping) {
      networks.cutOutgoing('chunkserver-3')
      await wait(700)
      networks.heal('chunkserver-3')
      await wait(1_300)
    }
  }
  await using client = await connect({ cluster: cluster.clusterPath, timeoutMs: 60_000 })
  networks.lose('chunkserver-1', 0.3)
  networks.narrow('chunkserver-2', 1_000_000)
  const flaps = flapping()
  let stored = 0
  try {
    const untilMs = performance.now() + 40_000
    for (; stored < 12 && performance.now() < untilMs; stored++) await client.writeFile(`/f${stored}`, content(stored))
  } finally {
    isFlapping = false
    await flaps
    for (const name of cluster.chunkServers) networks.heal(name)
  }
  t.diagnostic(`${stored} files were stored meanwhile`)
  assert.ok(stored > 0, 'writes progress')
  const { serversUp } = await client.status()
  for (let index = 0; index < stored; index++) assert.ok((await client.readFile(`/f${index}`)).equals(content(index)))
  for (let look = 0; look < 300 && (await client.status()).underReplicatedChunks > 0; look++) await wait(100)
  assert.equal((await client.status()).underReplicatedChunks, 0)
  // Silence that is shorter than a death is no reason to copy anything, but for what was written with a member away.
  const deaths = cluster.messages.match(/"to":"dead"/g)?.length ?? 0
  const copies = cluster.messages.match(/"step":"(copy|replace)"/g)?.length ?? 0
  t.diagnostic(`${serversUp} up at the end, ${deaths} deaths, ${copies} copies made by comparison`)
  assert.equal(deaths, 0)
  assert.ok(copies <= stored * 2, `${copies} copies for ${stored} files`)
})

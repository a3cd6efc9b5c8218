/** A disk that answers, a hundred times slower: nobody may wait for it who need not, and it is not dead. */
import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { connect } from '../../src/client/index.ts'
import { Arena, whyNoArena } from './arena.ts'
import type { ServerName } from './hand-cluster.ts'
import { whyNotLong } from './preloaded.ts'

const needs = ['failing disk'] as const
const slow = 'chunkserver-1' satisfies ServerName
const files = 40
const delayMs = 100

// The figures are in docs/reliability.md: here only what does not depend on the machine.
test('reads with one disk 100 times slower: none fails, hardly any waits for it, and its server stays up', {
  skip: whyNotLong() || whyNoArena(needs),
}, async (t) => {
  await using arena = new Arena({ needs })
  const { cluster } = arena
  await cluster.start()
  await using client = await connect({ cluster: cluster.clusterPath, timeoutMs: 20_000 })
  const content = Buffer.alloc(200_000, 7)
  for (let index = 0; index < files; index++) await client.writeFile(`/f${index}`, content)
  const readAll = async () => {
    const latenciesMs: number[] = []
    for (let round = 0; round < 5; round++) {
      for (let index = 0; index < files; index++) {
        const startedMs = performance.now()
        assert.ok((await client.readFile(`/f${index}`)).equals(content))
        latenciesMs.push(performance.now() - startedMs)
      }
    }
    return latenciesMs.sort((a, b) => a - b)
  }
  const at = (sorted: readonly number[], share: number) => sorted[Math.floor(sorted.length * share)] as number
  await readAll()
  const baseline = await readAll()
  writeFileSync(arena.orderFile, `${cluster.data(slow)}/ read 0 0 0 ${delayMs}\n`)
  const degraded = await readAll()
  rmSync(arena.orderFile)
  t.diagnostic(
    `ms at p50 and p99: ${[baseline, degraded].map((all) => [at(all, 0.5), at(all, 0.99)].map((ms) => ms.toFixed(1)).join(' ')).join('; then ')}`,
  )
  const waited = degraded.filter((ms) => ms >= delayMs).length
  assert.ok(waited <= files, `${waited} of ${degraded.length} reads waited for the slow disk`)
  assert.equal((await client.status()).serversUp, 3)
})

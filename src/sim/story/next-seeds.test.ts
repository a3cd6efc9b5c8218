import assert from 'node:assert/strict'
import { test } from 'node:test'
import { swarm, swarmPlan } from '../swarm.ts'
import { nextSeeds } from './next-seeds.ts'

test('swarmPlan() is the script of its seed, without the operations', () => {
  for (const seed of [0, 7, 120]) {
    const { operations: _, ...plan } = swarm(seed)
    assert.deepEqual(swarmPlan(seed), plan)
  }
})

// What a story recommends must hold what it says.
test('nextSeeds() names a dead server, a cut network and a dead master, each of another seed whose script has it', () => {
  for (const seed of [7, 12, 40_000, 2 ** 32 - 1]) {
    const found = nextSeeds(seed)
    assert.equal(new Set(found.map((one) => one.seed)).size, 3, `after seed ${seed}`)
    assert.ok(found.every((one) => one.seed !== seed))
    for (const { seed: next, fault, text } of found) {
      const { faults, durationMs } = swarm(next)
      const planned = faults.find(({ id }) => id === fault.id)
      assert.deepEqual(planned, fault)
      assert.ok(fault.atAnswer === undefined && fault.atWrite === undefined, 'it waits for nothing')
      assert.ok(fault.atMs < durationMs && faults.length <= 4)
      assert.ok(text.endsWith(` at ${(fault.atMs / 1000).toFixed(1)} s`), text)
    }
    const kinds = found.map(({ fault }) => `${'host' in fault ? fault.host.replace(/-\d+/, '') : ''} ${fault.kind}`)
    assert.ok(
      kinds.some((kind) => /^chunkserver (kill|power-loss)$/.test(kind)),
      kinds.join(),
    )
    assert.ok(
      kinds.some((kind) => /^ partition$/.test(kind)),
      kinds.join(),
    )
    assert.ok(
      kinds.some((kind) => /^master (kill|power-loss)$/.test(kind)),
      kinds.join(),
    )
  }
})

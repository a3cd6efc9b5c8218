/**
 * The simulator in small: a hundred seeds keep every promise, and the same seed gives the same run.
 *
 *     ASHLAR_SIM_SEEDS=5000 ASHLAR_SIM_FIRST=1 npm test -- test/sim/seeds
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runSeeds, type SeedResult } from '../../src/cli/sim/seed-runs.ts'

const first = Number(process.env['ASHLAR_SIM_FIRST'] ?? 1)
const count = Number(process.env['ASHLAR_SIM_SEEDS'] ?? 100)
const never = new AbortController().signal
const { NODE_V8_COVERAGE: coverageFolder } = process.env

async function run(options: { readonly first: number; readonly count: number; readonly twice: boolean }) {
  const results: SeedResult[] = []
  await runSeeds({ ...options, signal: never, onResult: (result) => results.push(result) })
  return results
}

test('simulate() keeps every promise under the faults of a hundred seeds', async (t) => {
  // Threads that count the lines they touch take two fifths more time: those of the next test do.
  delete process.env['NODE_V8_COVERAGE']
  t.after(() => {
    if (coverageFolder !== undefined) process.env['NODE_V8_COVERAGE'] = coverageFolder
  })
  const results = await run({ first, count, twice: false })
  const failed = results.filter(({ violations }) => violations.length > 0)
  const texts = failed.map(({ seed, violations }) => `seed ${seed}: ${violations[0]?.oracle}: ${violations[0]?.text}`)
  assert.deepEqual(texts, [])
  assert.equal(results.length, count)
  // A simulator that injects nothing, or asks nothing, would pass as well.
  assert.ok(results.some(({ faults }) => faults > 5))
  assert.ok(results.every(({ events, operations }) => events > 1000 && operations > 100))
  assert.ok(results.filter(({ isUndecided }) => isUndecided).length <= count / 20)
  const virtualMs = results.reduce((sum, result) => sum + result.virtualMs, 0)
  t.diagnostic(`${(virtualMs / 1000).toFixed(0)} s of clusters' time`)
})

test('simulate() repeats a run exactly, event by event', async () => {
  const results = await run({ first: first + 7, count: 3, twice: true })
  for (const { seed, traceHash, secondHash } of results) assert.equal(secondHash, traceHash, `seed ${seed}`)
  assert.equal(new Set(results.map(({ traceHash }) => traceHash)).size, 3)
})

/** A few rounds of each common fault in every test run; `npm run test:faults` does many, of all. @module */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytesOf, type Content, History, matches } from './history.ts'
import { type RoundsOptions, runRounds, whyNotHere } from './rounds.ts'

// Those that end everything compare the disks before anything starts again.
const short: readonly (RoundsOptions & { readonly name: string })[] = [
  {
    name: 'two rounds of SIGKILL for every process under a mixed load lose no acknowledged byte, and leave no byte too many',
    ...{ mode: 'kill', rounds: 2, seed: 20_261, restEvery: 2 },
  },
  {
    name: 'a power cut of every disk under a mixed load loses no acknowledged byte',
    ...{ mode: 'power', rounds: 1, seed: 20_262, restEvery: 0 },
  },
  {
    name: 'a failed sync under a mixed load, and then a power cut, lose no acknowledged byte',
    ...{ mode: 'fsync', rounds: 1, seed: 20_263, restEvery: 0 },
  },
  {
    name: 'disks that fill under a mixed load lose no acknowledged byte, and take writes again when they have room',
    ...{ mode: 'full', rounds: 1, seed: 20_264, restEvery: 0 },
  },
]

for (const { name, ...options } of short) {
  test(name, { skip: whyNotHere(options.mode) }, async (t) => {
    const result = await runRounds({ ...options, copyCheckChance: 1, say: (line) => t.diagnostic(line) })
    assert.deepEqual(result.violations, [])
    assert.ok(result.acknowledgements > 20, `the load did something: ${result.acknowledgements}`)
  })
}

// The judge itself: a round that could not fail would prove nothing.
test('History.allowed() knows the last acknowledged state, the one under way, and what a late acknowledgement hides', () => {
  const [first, second, third] = [1, 2, 3].map((seed) => ({ seed, length: 1000 })) as [Content, Content, Content]
  const history = new History()
  history.begin('/a', first)
  history.acknowledge('/a')
  assert.deepEqual(history.allowed('/a', Number.POSITIVE_INFINITY), [first])
  history.begin('/a', second)
  assert.deepEqual(history.allowed('/a', Number.POSITIVE_INFINITY), [first, second])
  history.acknowledge('/a')
  assert.deepEqual(history.allowed('/a', 0), [second, first, undefined])
  history.begin('/a', third)
  history.refuse('/a')
  assert.deepEqual(history.allowed('/a', Number.POSITIVE_INFINITY), [second])
})

test('matches() sees a half file, a mix of two and a missing one', () => {
  const content = { seed: 9, length: 10_000 }
  const bytes = bytesOf(content)
  assert.ok(matches(bytes, content))
  assert.ok(!matches(bytes.subarray(0, 5_000), content))
  assert.ok(!matches(Buffer.concat([bytes.subarray(0, 5_000), bytesOf({ seed: 10, length: 5_000 })]), content))
  assert.ok(!matches(undefined, content))
  assert.ok(matches(undefined, undefined))
})

test('History.held() tells old bytes from wrong ones', () => {
  const history = new History()
  for (const seed of [1, 2]) {
    history.begin('/a', { seed, length: 1000 })
    history.acknowledge('/a')
  }
  assert.ok(history.held('/a', bytesOf({ seed: 1, length: 1000 })))
  assert.ok(!history.held('/a', bytesOf({ seed: 3, length: 1000 })))
})

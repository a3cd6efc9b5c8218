/**
 * Rounds of faults in every test run: one or two of what hits clusters most. Those that are skipped as long run with
 * `npm run test:faults:long`; `npm run test:faults` does as many rounds as wanted, of each mode.
 * @module
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { bytesOf, type Content, History, matches } from './history.ts'
import type { Mode } from './injections.ts'
import { whyNotLong } from './preloaded.ts'
import { type RoundsOptions, runRounds, whyNotHere } from './rounds.ts'

const seed = 20_261

/** Where everything ends at once, the disks are compared before anything starts again. */
function rounds(mode: Mode, count = 3, options: Pick<RoundsOptions, 'restEvery' | 'door'> = {}) {
  return async (t: TestContext) => {
    const say = (line: string) => t.diagnostic(line)
    const result = await runRounds({ mode, rounds: count, seed, copyCheckChance: 1, ...options, say })
    assert.deepEqual(result.violations, [])
    assert.ok(result.acknowledgements > 20, `the load did something: ${result.acknowledgements}`)
  }
}

const skip = (mode: Mode) => ({ skip: whyNotHere(mode) })
const long = (mode: Mode) => ({ skip: whyNotLong() || whyNotHere(mode) })

test(
  'two rounds of SIGKILL for every process under a mixed load lose no acknowledged byte',
  skip('kill'),
  rounds('kill', 2),
)
test(
  'two rounds of SIGKILL for every process lose no object that the S3 door acknowledged',
  skip('kill'),
  rounds('kill', 2, { restEvery: 0, door: 's3' }),
)
test(
  'a power cut of every disk loses no object that the S3 door acknowledged',
  long('power'),
  rounds('power', 2, { door: 's3' }),
)
test(
  'a power cut of every disk under a mixed load loses no acknowledged byte',
  skip('power'),
  rounds('power', 1, { restEvery: 0 }),
)
test(
  'a failed sync under a mixed load, and then a power cut, lose no acknowledged byte',
  skip('fsync'),
  rounds('fsync', 1, { restEvery: 0 }),
)
test(
  'disks that fill under a mixed load lose no acknowledged byte, and take writes again when they have room',
  skip('full'),
  rounds('full', 1, { restEvery: 0 }),
)

test('one process dies by SIGKILL and comes back, under a mixed load', long('kill-one'), rounds('kill-one'))
test('a process dies just before or after any write, sync or rename, and then all', long('crash'), rounds('crash', 6))
test(
  'a process is stopped and goes on, for shorter and longer than a server may be silent',
  long('stop'),
  rounds('stop'),
)
test('the power of one machine goes and returns, under a mixed load', long('power-one'), rounds('power-one'))
test('half of a write is stored, of the metadata or of a chunk', long('torn'), rounds('torn'))
test('a disk is slow for a while, under a mixed load', long('slow'), rounds('slow'))
test('a disk turns read-only beneath a running server, and is mounted anew', long('readonly'), rounds('readonly'))
test(
  'the clocks of running servers jump by a year and an hour, and run ten times too fast',
  long('clock'),
  rounds('clock'),
)
test(
  'links are cut, one way too, lossy, narrow and flapping, under a mixed load',
  long('network'),
  rounds('network', 6),
)
test('bits flip and chunk files swap on a chunk server that is down', long('rot'), rounds('rot'))

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

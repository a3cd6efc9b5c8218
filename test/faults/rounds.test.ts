/** A few rounds of death in every test run; `test/faults/rounds.ts` does many. @module */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { bytesOf, History, matches } from './history.ts'
import { runRounds } from './rounds.ts'

const powercut = join(dirname(fileURLToPath(import.meta.url)), '../../tools/powercut.py')

test('two rounds of SIGKILL for every process under a mixed load lose no acknowledged byte', async (t) => {
  const result = await runRounds({
    rounds: 2,
    mode: 'kill',
    seed: 20_261,
    maxLoadMs: 2_500,
    say: (line) => t.diagnostic(line),
  })
  assert.deepEqual(result.violations, [])
  assert.ok(result.acknowledgements > 20, `the load did something: ${result.acknowledgements}`)
})

test('a power cut of every disk under a mixed load loses no acknowledged byte', {
  skip: whyNoPowerCut(),
}, async (t) => {
  const result = await runRounds({
    rounds: 1,
    mode: 'power',
    seed: 20_262,
    maxLoadMs: 2_500,
    say: (line) => t.diagnostic(line),
  })
  assert.deepEqual(result.violations, [])
  assert.ok(result.acknowledgements > 20, `the load did something: ${result.acknowledgements}`)
})

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

type Content = Parameters<typeof bytesOf>[0]

function whyNoPowerCut(): string | false {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'a power cut needs root on Linux (loop devices)'
  const folder = mkdtempSync(join(tmpdir(), 'ashlar-powercut-'))
  try {
    execFileSync('python3', [powercut, 'make', join(folder, 'disk'), '--size', '64M'], { stdio: 'pipe' })
    execFileSync('python3', [powercut, 'drop', join(folder, 'disk')], { stdio: 'pipe' })
    return false
  } catch (error) {
    return `no loop device can be mounted here: ${String((error as { stderr?: Buffer }).stderr ?? error)
      .trim()
      .split('\n')
      .at(-1)}`
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

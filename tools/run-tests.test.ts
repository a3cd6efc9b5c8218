import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { nodeArguments, selectFiles } from './test.ts'
import { coverageByFolder } from './test-reporter.ts'

let folder: string

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'ashlar-tests-'))
  writeFileSync(
    join(folder, 'good.test.mjs'),
    "import { test } from 'node:test'\ntest('a', () => {})\ntest('b', () => {})",
  )
  writeFileSync(
    join(folder, 'bad.test.mjs'),
    "import { test } from 'node:test'\ntest('c', () => { throw new Error('broken') })",
  )
})

after(() => rmSync(folder, { recursive: true }))

function run(names: readonly string[], options: readonly string[], extraEnv: NodeJS.ProcessEnv = {}) {
  const { NODE_TEST_CONTEXT: _, ...env } = { ...process.env, ...extraEnv }
  const args = nodeArguments(
    names.map((name) => join(folder, name)),
    options,
    false,
  )
  return spawnSync(process.execPath, args, { encoding: 'utf8', env, timeout: 30_000 })
}

test('selectFiles() takes all files, or those that match a filter', () => {
  const files = ['src/kv/a.test.ts', 'src/base/a.test.ts', 'tools/b.test.ts']
  assert.deepEqual(selectFiles(files, []), ['src/base/a.test.ts', 'src/kv/a.test.ts', 'tools/b.test.ts'])
  assert.deepEqual(selectFiles(files, ['./src/kv', 'b.test']), ['src/kv/a.test.ts', 'tools/b.test.ts'])
  assert.deepEqual(selectFiles(files, ['nothing']), [])
})

test('nodeArguments() ends with Node’s summary, and exits 0 when all tests pass', () => {
  const { status, stdout } = run(['good.test.mjs'], [])
  assert.equal(status, 0)
  assert.match(stdout, /✔ a .*\n✔ b [\s\S]*\nℹ tests 2\nℹ suites 0\nℹ pass 2\nℹ fail 0\n[^✔]*ℹ duration_ms [\d.]+\n$/)
})

test('nodeArguments() reports a failure with its reason, and exits 1', () => {
  const { status, stdout } = run(['good.test.mjs', 'bad.test.mjs'], [])
  assert.equal(status, 1)
  assert.match(stdout, /failing tests:[\s\S]*Error: broken[\s\S]*ℹ pass 2\nℹ fail 1\n[^✖]*$/)
})

test('nodeArguments() passes options on', () => {
  assert.match(run(['good.test.mjs'], ['--test-name-pattern=a']).stdout, /ℹ tests 1\n/)
})

test('nodeArguments() ends a file that hangs', () => {
  writeFileSync(join(folder, 'hang.test.mjs'), 'setInterval(() => {}, 1000)')
  const { status, stdout } = run(['hang.test.mjs'], [], { TEST_FILE_TIMEOUT_MS: '300' })
  assert.equal(status, 1)
  assert.match(stdout, /it hangs after 300 ms\. Still open: Timeout/)
})

test('coverageByFolder() sums files, not percentages', () => {
  const file = (path: string, coveredLineCount: number, totalLineCount: number) => ({
    path,
    coveredLineCount,
    totalLineCount,
    coveredBranchCount: 1,
    totalBranchCount: 2,
    coveredFunctionCount: 0,
    totalFunctionCount: 0,
  })
  const text = coverageByFolder(
    [file('/p/src/kv/a.ts', 1, 1), file('/p/src/kv/b/c.ts', 0, 3), file('/p/src/base/a.ts', 4, 4)],
    '/p',
  )
  const rows = text.split('\n').map((line) => line.split(/ {2,}/))
  assert.deepEqual(rows.slice(1, 4), [
    ['src/base', '100.0', '50.0', '–', '1'],
    ['src/kv', '25.0', '50.0', '–', '2'],
    ['all', '62.5', '50.0', '–', '3'],
  ])
})

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'

const runChild = import.meta.resolve('./run-child.ts')

/** The exit code of a server whose work is `work`, with `exitWith` and an empty module around it. */
function exitCodeOf(work: string): number | null {
  // As in the package: nothing waits for the end.
  const source = `import { runChild } from '${runChild}'\nvoid runChild(async (options, { exitWith }) => { ${work} })`
  const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', source]
  return spawnSync(process.execPath, [...args, '--', '{}', '{}'], { stdio: 'ignore' }).status
}

test('runChild() ends with the code of its work, and not with 0 when that never ends', () => {
  assert.equal(exitCodeOf(''), 0)
  assert.equal(exitCodeOf('exitWith(3)'), 3)
  assert.equal(exitCodeOf('await new Promise(() => {})'), 13)
})

/** A failing script as a test file, ready to be kept: it fails until the bug is mended, and guards it afterwards. @module */
import type { Script } from './script.ts'
import type { Outcome } from './simulate.ts'
import { tellStory } from './story/tell-story.ts'

export interface TestFile {
  /** Relative to the project. */
  readonly path: string
  readonly text: string
}

export function testFileOf(script: Script, outcome: Outcome): TestFile {
  const [first] = outcome.violations
  const broken = first?.oracle ?? 'nothing'
  const story = tellStory(script, outcome, { isBrief: true }).map((line) => ` * ${line}`.trimEnd())
  return {
    path: `test/sim/seed-${script.seed}-${broken}.test.ts`,
    text: `/**
${story.join('\n')}
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Script } from '../../src/sim/script.ts'
import { simulate } from '../../src/sim/simulate.ts'

const script: Script = ${JSON.stringify(script, null, 2)}

test('simulate() keeps every promise in the shrunk run of seed ${script.seed}', async () => {
  const { violations } = await simulate(script)
  assert.deepEqual(violations, [])
})
`,
  }
}

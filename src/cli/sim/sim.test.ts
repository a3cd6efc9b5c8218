import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { swarm } from '../../sim/swarm.ts'
import type { Output } from '../output.ts'
import { runSim } from './sim.ts'

function recorder() {
  const lines: string[] = []
  const output: Output = {
    json: false,
    isTerminal: false,
    line: (text) => lines.push(...text.split('\n')),
    object: () => undefined,
    note: () => undefined,
    warning: () => undefined,
    bytes: async () => undefined,
  }
  return { lines, output }
}

test('runSim() tells one story, in short before it, its verdict and how fast it was behind it', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'ashlar-sim-'))
  t.after(() => rm(folder, { recursive: true }))
  const scriptPath = join(folder, 'script.json')
  const { operations, ...plan } = swarm(7)
  await writeFile(
    scriptPath,
    JSON.stringify({ ...plan, durationMs: 1_000, operations: operations.slice(0, 3), faults: [] }),
  )
  const { lines, output } = recorder()
  const isFine = await runSim({
    ...{ output, stop: new AbortController().signal, scriptPath, story: true, firstSeed: 7, seeds: 1 },
    ...{ jobs: 1, checkDeterminism: false, shrink: false, exportPath: undefined, keepFolder: undefined },
  })
  assert.equal(isFine, true)
  assert.match(lines[0] ?? '', /^THE STORY OF SEED 7/)
  const at = (text: RegExp) => lines.findIndex((line) => text.test(line))
  const verdict = lines.findLastIndex((line) => /every promise was kept/.test(line))
  const firstDeed = at(/Client 1 makes the directory/)
  assert.ok(at(/^In short: .*every promise was kept/) > 0 && at(/^In short: /) < firstDeed)
  assert.ok(firstDeed < verdict && verdict < at(/times real time/))
  // The verdict is told once.
  assert.equal(at(/^seed 7: every promise kept/), -1)
})

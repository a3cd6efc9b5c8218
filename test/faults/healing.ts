/**
 * How a cluster heals, at its real size and with real processes: servers die, rot, join, leave and come back, and the master's disk is
 * lost, under constant reading and writing. Each scenario says what it found wrong, which must be nothing, and the figures.
 *
 *     npm run test:healing -- --scenario one-dies --files 20000 --bytes 5GiB
 *     npm run test:healing -- --scenario all-of-them --files 500 --bytes 64MiB --dead-after 3s
 * @module
 */
import { parseArgs } from 'node:util'
import { parseSize } from '../../src/base/sizes.ts'
import { runReturn } from './healing/comes-back.ts'
import { type deaths, type Ended, runDeaths } from './healing/deaths.ts'
import { runGrowth } from './healing/grow-and-drain.ts'
import { runMasterLoss } from './healing/master-disk.ts'
import { runRot } from './healing/quiet-rot.ts'
import type { StageOptions } from './healing/stage.ts'

type Scenario = (options: StageOptions) => Promise<Ended>

const death =
  (name: keyof typeof deaths): Scenario =>
  (options) =>
    runDeaths(name, options)

export const scenarios = {
  'one-dies': death('one-dies'),
  'two-at-once': death('two-at-once'),
  'second-during-repair': death('second-during-repair'),
  rack: death('rack'),
  all: death('all'),
  rot: runRot,
  'grow-and-drain': runGrowth,
  'comes-back': runReturn,
  'master-disk': runMasterLoss,
} as const satisfies Readonly<Record<string, Scenario>>
export type ScenarioName = keyof typeof scenarios

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      scenario: { type: 'string', default: 'one-dies' },
      files: { type: 'string', default: '2000' },
      bytes: { type: 'string', default: '256MiB' },
      seed: { type: 'string', default: '1' },
      'dead-after': { type: 'string', default: '30s' },
    },
  })
  const names = Object.keys(scenarios) as ScenarioName[]
  const wanted = values.scenario === 'all-of-them' ? names : names.filter((name) => name === values.scenario)
  if (wanted.length === 0) throw new Error(`there is no scenario ${values.scenario}: all-of-them, ${names.join(', ')}`)
  for (const name of wanted) {
    const result = await scenarios[name]({
      files: Number(values.files),
      bytes: parseSize(values.bytes),
      seed: Number(values.seed),
      deadAfter: values['dead-after'],
      say: (line) => process.stdout.write(`${name}: ${line}\n`),
    })
    process.stdout.write(`${JSON.stringify(result, null, 2)}\n`)
    if (result.violations.length > 0) process.exitCode = 1
  }
}

if (import.meta.main) await main()

/** Registers `ashlar sim`. @module */
import { AshlarError } from '../../base/errors.ts'
import { createOutput } from '../output.ts'
import type { VerbRegistry } from '../verb-registry.ts'
import { examplesText } from '../verbs/verb.ts'
import { addLayoutOptions, describesLayout } from './layout-options.ts'
import { addPlacementOptions, type RawPlacementOptions } from './placement-options.ts'

interface RawSimOptions extends RawPlacementOptions {
  readonly seeds?: string
  readonly jobs?: string
  readonly script?: string
  readonly checkDeterminism?: boolean
  readonly shrink?: boolean
  readonly story?: boolean
  readonly export?: string
  readonly keep?: string
  readonly rate?: boolean
  readonly json?: boolean
}

const seedEnd = 2 ** 32

export function registerSim({ program, host, exitWith }: VerbRegistry): void {
  const command = program
    .command('sim [what]')
    .summary('simulate whole clusters under faults, and check every promise')
    .description(
      'Runs whole clusters (master, chunk servers, clients) inside this process on virtual time, a minute each, under faults drawn from a seed, and checks ' +
        'every promise. The same seed gives the same run, event by event. Exits with 1 when a promise was broken.',
    )
    .option('--seed <n>', 'the first seed, 0 to 4294967295 (default: a random one, which is printed)')
    .option('--seeds <n>', 'how many seeds, from --seed on (default: 1)')
    .option('--jobs <n>', 'how many at once (default: one for each core)')
    .option('--script <file>', 'run this script (JSON, as --keep writes it) and not a seed')
    .option('--check-determinism', 'run each twice, and compare the hashes of all that happened')
    .option('--shrink', 'make the first failure small, tell its story and print it as a test')
    .option('--story', 'tell what happened, in words')
    .option('--export <file>', 'write the history of single files as JSON lines, for tools/porcupine')
    .option('--keep <dir>', 'write the script of each failure, and when shrunk its test, into this folder')
    .option(
      '--rate',
      'measure how many times faster than real time one core simulates a steady cluster (--seeds: runs)',
    )
    .option('--json', 'one JSON object per seed on stdout, then one for all')
  addPlacementOptions(addLayoutOptions(command))
    .addHelpText(
      'after',
      examplesText([
        'sim --seed 42',
        'sim --seed 7 --story',
        'sim --seed 1 --seeds 1000',
        'sim --seed 42 --shrink',
        'sim --servers 200 --racks 10 --kill-rack 3',
        'sim placement --servers 1000 --chunks 1e8',
      ]),
    )
    .action(async (what: string | undefined, raw: RawSimOptions) => {
      if (what !== undefined || describesLayout(raw)) {
        const { runLayoutMode } = await import('./layout.ts')
        runLayoutMode(what, raw, createOutput({ json: raw.json === true }))
        return
      }
      const seeds = numberOf('seeds', raw.seeds, { least: 1, most: seedEnd })
      if (raw.rate === true) {
        const { tellRate } = await import('./rate.ts')
        const isClean = await tellRate(createOutput({ json: raw.json === true }), { runs: seeds, stop: host.stop })
        if (!isClean) exitWith(1)
        return
      }
      const { runSim } = await import('./sim.ts')
      const isFine = await runSim({
        output: createOutput({ json: raw.json === true }),
        stop: host.stop,
        firstSeed: numberOf('seed', raw.seed, { least: 0, most: seedEnd - 1 }),
        seeds: seeds ?? 1,
        jobs: numberOf('jobs', raw.jobs, { least: 1, most: 1024 }),
        scriptPath: raw.script,
        checkDeterminism: raw.checkDeterminism === true,
        shrink: raw.shrink === true,
        story: raw.story === true,
        exportPath: raw.export,
        keepFolder: raw.keep,
      })
      if (!isFine) exitWith(1)
    })
}

function numberOf(
  name: string,
  text: string | undefined,
  { least, most }: { readonly least: number; readonly most: number },
): number | undefined {
  if (text === undefined) return undefined
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return value
  throw new AshlarError(
    'invalid-argument',
    `Cannot use --${name} ${text.slice(0, 40)}: give a number, ${least} to ${most}`,
  )
}

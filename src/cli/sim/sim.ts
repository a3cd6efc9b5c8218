/** `ashlar sim`: runs seeds, says what they showed, and makes failures small enough to read. @module */
import { randomInt } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AshlarError } from '../../base/errors.ts'
import { historyLines } from '../../sim/history-jsonl.ts'
import type { OracleName } from '../../sim/oracles/violation.ts'
import type { Script } from '../../sim/script.ts'
import { shrink } from '../../sim/shrink.ts'
import { type Outcome, simulate } from '../../sim/simulate.ts'
import { tellStory } from '../../sim/story/tell-story.ts'
import { swarm } from '../../sim/swarm.ts'
import { testFileOf } from '../../sim/test-file.ts'
import { Witness } from '../../sim/witness.ts'
import type { Output } from '../output.ts'
import { packageVersion } from '../version.ts'
import { runScript, runSeeds, type SeedResult } from './seed-runs.ts'

export interface SimOptions {
  readonly output: Output
  readonly stop: AbortSignal
  /** Default: a random one. */
  readonly firstSeed: number | undefined
  readonly seeds: number
  readonly jobs: number | undefined
  readonly scriptPath: string | undefined
  readonly checkDeterminism: boolean
  readonly shrink: boolean
  readonly story: boolean
  readonly exportPath: string | undefined
  readonly keepFolder: string | undefined
}

/** Of failures, told in full. */
const mostTold = 5

/** @returns whether every promise was kept */
export async function runSim(options: SimOptions): Promise<boolean> {
  const { output, stop } = options
  const firstSeed = options.firstSeed ?? randomInt(2 ** 32 - options.seeds)
  const startedMs = performance.now()
  const failed: SeedResult[] = []
  const sums = { seeds: 0, virtualMs: 0, undecided: 0 }
  // Of one run that is told, a good verdict comes at the end of its story.
  const isOneStory = options.story && options.seeds === 1 && !options.shrink
  const onResult = (result: SeedResult) => {
    sums.seeds++
    sums.virtualMs += result.virtualMs
    if (result.isUndecided) sums.undecided++
    if (result.violations.length > 0) failed.push(result)
    const isAlone = options.seeds === 1 && !isOneStory
    tellResult(output, result, { isAlone, isTold: failed.length <= mostTold })
  }
  const script = options.scriptPath === undefined ? undefined : await readScript(options.scriptPath)
  if (script !== undefined) onResult(await runScript(script, { twice: options.checkDeterminism }))
  else {
    await runSeeds({
      first: firstSeed,
      count: options.seeds,
      jobs: options.jobs,
      twice: options.checkDeterminism,
      signal: stop,
      onResult,
    })
  }
  const elapsedMs = performance.now() - startedMs
  const scriptOf = (seed: number) => script ?? swarm(seed)
  const shown = failed[0]?.seed ?? firstSeed
  if (isOneStory) await tellRun(output, scriptOf(shown))
  tellSums(output, { ...sums, failed: failed.length, elapsedMs, firstSeed })
  if (options.story && !options.shrink && !isOneStory) await tellRun(output, scriptOf(shown))
  if (options.exportPath !== undefined) await exportHistory(scriptOf(shown), options.exportPath)
  if (options.keepFolder !== undefined) for (const { seed } of failed) await keep(options.keepFolder, scriptOf(seed))
  const [first] = failed
  if (options.shrink && first !== undefined) {
    const { oracle } = first.violations[0] as { readonly oracle: OracleName }
    await shrinkAndTell(scriptOf(first.seed), { ...options, oracle })
  }
  return failed.length === 0
}

function tellResult(
  output: Output,
  result: SeedResult,
  { isAlone, isTold }: { readonly isAlone: boolean; readonly isTold: boolean },
): void {
  const { seed, violations, traceHash, virtualMs, operations, faults, isUndecided } = result
  output.object({ event: 'seed', ok: violations.length === 0, ...result, version: packageVersion() })
  if (violations.length === 0 && !isAlone) return
  const state = violations.length === 0 ? 'every promise kept' : 'a promise was broken'
  const work = `${operations} operations, ${faults} faults, ${(virtualMs / 1000).toFixed(1)} s of the cluster's time`
  output.line(`seed ${seed}: ${state} (${work}; hash ${traceHash}${isUndecided ? '; order undecided' : ''})`)
  if (!isTold) return
  for (const { oracle, text } of violations.slice(0, 10)) output.line(`  ${oracle}: ${text}`)
  if (violations.length > 0) output.line(`  Run "ashlar sim --seed ${seed} --shrink" for the story and a test.`)
}

function tellSums(
  output: Output,
  sums: {
    readonly firstSeed: number
    readonly seeds: number
    readonly failed: number
    readonly undecided: number
    readonly virtualMs: number
    readonly elapsedMs: number
  },
): void {
  const version = packageVersion()
  const timesRealTime = Math.round(sums.virtualMs / sums.elapsedMs)
  output.object({ event: 'sum', ...sums, timesRealTime, version, node: process.versions.node })
  const undecided = sums.undecided === 0 ? '' : `, ${sums.undecided} without a verdict on order`
  output.line(
    `${sums.seeds} ${sums.seeds === 1 ? 'seed' : 'seeds'} from ${sums.firstSeed} on, ${sums.failed} failed${undecided}: ` +
      `${(sums.virtualMs / 1000).toFixed(0)} s of clusters' time in ${(sums.elapsedMs / 1000).toFixed(1)} s, ` +
      `${timesRealTime} times real time (Ashlar ${version}, Node ${process.versions.node})`,
  )
}

async function tellRun(output: Output, script: Script): Promise<void> {
  const { story } = await toldRun(script)
  output.object({ event: 'story', seed: script.seed, story })
  output.line(`${story.join('\n')}\n`)
}

async function toldRun(
  script: Script,
  { isShrunk = false } = {},
): Promise<{ readonly story: readonly string[]; readonly outcome: Outcome }> {
  const witness = new Witness()
  const outcome = await simulate(script, { witness })
  return { story: tellStory(script, outcome, { witness, isShrunk }), outcome }
}

async function exportHistory(script: Script, path: string): Promise<void> {
  const { history } = await simulate(script)
  await writeFile(path, `${historyLines(history).join('\n')}\n`)
}

async function shrinkAndTell(
  script: Script,
  { output, oracle, keepFolder }: SimOptions & { readonly oracle: OracleName },
): Promise<void> {
  output.note('making the failure smaller …')
  const shrunk = await shrink(script, { simulate, oracle })
  const { story, outcome } = await toldRun(shrunk.script, { isShrunk: true })
  const file = testFileOf(shrunk.script, outcome)
  output.object({ event: 'shrunk', runs: shrunk.runs, script: shrunk.script, story, test: file })
  output.line(`\nThe smallest failing run found in ${shrunk.runs} tries:\n\n${story.join('\n')}`)
  output.line(`\nAs a test, for ${file.path}:\n\n${file.text}`)
  if (keepFolder === undefined) return
  await keep(keepFolder, shrunk.script, `seed-${script.seed}-shrunk`)
  await writeFile(join(keepFolder, file.path.slice(file.path.lastIndexOf('/') + 1)), file.text)
}

async function keep(folder: string, script: Script, name = `seed-${script.seed}`): Promise<void> {
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, `${name}.json`), `${JSON.stringify(script, null, 2)}\n`)
}

async function readScript(path: string): Promise<Script> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Script
  } catch (cause) {
    throw new AshlarError('invalid-argument', `Cannot read ${path}: it is no script of a simulation`, { cause })
  }
}

/**
 * Plants each bug in turn, and shows that the simulator finds it: at which seed, and in how many seconds of the processor.
 * Exits 1 when one is not found.
 *
 *     npm run sim:planted                    all of them, up to 400 seeds each
 *     npm run sim:planted -- 100 ack list    up to 100 seeds, those whose name holds one of these
 * @module
 */
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { plantedBugs } from './bugs.ts'
import type { PlantedBug } from './grounds.ts'
import type { HuntResult } from './hunt.ts'

const file = (name: string) => fileURLToPath(new URL(name, import.meta.url))

/** @param options.from the first seed to try @param options.isControl without the bug, on its ground alone */
export async function findBug(
  bug: PlantedBug,
  { from, seeds, isControl = false }: { readonly from: number; readonly seeds: number; readonly isControl?: boolean },
): Promise<HuntResult> {
  const args = ['--disable-warning=ExperimentalWarning', '--import', file('plant.ts'), file('hunt.ts')]
  const child = spawn(process.execPath, [...args, String(from), String(seeds)], {
    env: { ...process.env, ASHLAR_PLANTED: bug.name, ASHLAR_PLANTED_CONTROL: isControl ? 'yes' : 'no' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  const code = await new Promise((resolve) => child.once('close', resolve))
  if (code !== 0) throw new Error(`Cannot hunt ${bug.name}: the hunter ended with ${String(code)}`)
  return JSON.parse(output) as HuntResult
}

/** As {@link findBug}, of a seed that keeps every promise without the bug: only that shows the bug. */
async function findForSure(bug: PlantedBug, seeds: number): Promise<HuntResult> {
  let cpuMs = 0
  for (let from = 1; ; ) {
    const found = await findBug(bug, { from, seeds: seeds - from + 1 })
    cpuMs += found.cpuMs
    const result = { ...found, seedsTried: found.seed ?? seeds, cpuMs }
    if (found.seed === undefined) return result
    const control = await findBug(bug, { from: found.seed, seeds: 1, isControl: true })
    cpuMs += control.cpuMs
    if (control.seed === undefined) return { ...result, cpuMs }
    process.stderr.write(`seed ${found.seed} fails without any bug: ${control.oracle}: ${control.text}\n`)
    from = found.seed + 1
  }
}

async function main(args: readonly string[]): Promise<void> {
  const seeds = Number(args.find((arg) => /^\d+$/.test(arg)) ?? 400)
  const names = args.filter((arg) => !/^\d+$/.test(arg))
  const wanted = plantedBugs.filter(({ name }) => names.length === 0 || names.some((part) => name.includes(part)))
  process.stdout.write('| bug | what is wrong | found at seed | seconds | broken promise |\n|---|---|---|---|---|\n')
  const left = [...wanted]
  const isFound: boolean[] = []
  let cpuInAllMs = 0
  const hunter = async () => {
    for (let bug = left.shift(); bug !== undefined; bug = left.shift()) {
      const { seed, cpuMs, oracle } = await findForSure(bug, seeds)
      isFound.push(seed !== undefined)
      cpuInAllMs += cpuMs
      const found = seed === undefined ? `**not in ${seeds}**` : String(seed)
      process.stdout.write(`| ${bug.name} | ${bug.what} | ${found} | ${(cpuMs / 1000).toFixed(1)} | ${oracle} |\n`)
    }
  }
  await Promise.all(Array.from({ length: Math.min(huntersAtOnce, wanted.length) }, hunter))
  const missed = isFound.filter((one) => !one).length
  process.stdout.write(
    `\n${isFound.length} bugs planted, ${isFound.length - missed} found, in ${(cpuInAllMs / 60_000).toFixed(1)} minutes of one core\n`,
  )
  if (missed > 0) process.exitCode = 1
}

const huntersAtOnce = availableParallelism()

if (import.meta.main) await main(process.argv.slice(2))

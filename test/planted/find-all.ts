/**
 * Plants each bug in turn, and shows that the simulator finds it: the seed, how many seeds and how much time it took.
 * Exits 1 when one is not found.
 *
 *     npm run sim:planted                    all of them, up to 400 seeds each
 *     npm run sim:planted -- 100 ack receipt up to 100 seeds, those whose name holds one of these
 * @module
 */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type PlantedBug, plantedBugs } from './bugs.ts'
import type { HuntResult } from './hunt.ts'

const file = (name: string) => fileURLToPath(new URL(name, import.meta.url))

/** @param from the first seed to try */
export async function findBug(bug: PlantedBug, from: number, seeds: number): Promise<HuntResult> {
  const args = ['--disable-warning=ExperimentalWarning', '--import', file('plant.ts'), file('hunt.ts')]
  const child = spawn(process.execPath, [...args, String(from), String(seeds)], {
    env: { ...process.env, ASHLAR_PLANTED: bug.name },
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

async function main(args: readonly string[]): Promise<void> {
  const seeds = Number(args.find((arg) => /^\d+$/.test(arg)) ?? 400)
  const names = args.filter((arg) => !/^\d+$/.test(arg))
  const wanted = plantedBugs.filter(({ name }) => names.length === 0 || names.some((part) => name.includes(part)))
  process.stdout.write('| bug | what is wrong | found at seed | seeds | seconds | by |\n|---|---|---|---|---|---|\n')
  let isMissed = false
  for (const bug of wanted) {
    const { seed, seedsTried, elapsedMs, oracle } = await findBug(bug, 1, seeds)
    isMissed ||= seed === undefined
    const found = seed === undefined ? '**not found**' : String(seed)
    const seconds = (elapsedMs / 1000).toFixed(1)
    process.stdout.write(`| ${bug.name} | ${bug.what} | ${found} | ${seedsTried} | ${seconds} | ${oracle} |\n`)
  }
  if (isMissed) process.exitCode = 1
}

if (import.meta.main) await main(process.argv.slice(2))

/**
 * Simulates seed after seed for hours, and keeps what fails: the script, the shrunk script, and a ready test.
 *
 *     npm run sim:soak -- --hours 8 --first 1000000 --keep sim-failures
 *
 * Exits 1 when a seed failed.
 * @module
 */
import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { runSeeds, type SeedResult } from '../src/cli/sim/seed-runs.ts'

const { values } = parseArgs({
  options: {
    hours: { type: 'string', default: '1' },
    first: { type: 'string', default: String(randomInt(2 ** 31)) },
    keep: { type: 'string', default: 'sim-failures' },
    jobs: { type: 'string' },
  },
})
const untilMs = performance.now() + Number(values.hours) * 3_600_000
const reportEveryMs = 60_000
/** Of failures that are shrunk while the soak goes on; the rest keep their seed in the output. */
const mostShrunk = 10
const ashlar = join(import.meta.dirname, '../bin/ashlar')

const stop = new AbortController()
const sums = { seeds: 0, failed: 0, undecided: 0, virtualMs: 0 }
const shrinking: Promise<unknown>[] = []
const startedMs = performance.now()
let reportedMs = startedMs

function onResult({ seed, violations, virtualMs, isUndecided }: SeedResult): void {
  sums.seeds++
  sums.virtualMs += virtualMs
  if (isUndecided) sums.undecided++
  const [first] = violations
  if (first !== undefined) {
    sums.failed++
    console.log(`seed ${seed}: ${first.oracle}: ${first.text}`)
    if (shrinking.length < mostShrunk) shrinking.push(shrinkInto(values.keep, seed))
  }
  const nowMs = performance.now()
  if (nowMs >= untilMs) stop.abort()
  if (nowMs - reportedMs < reportEveryMs) return
  reportedMs = nowMs
  report()
}

function report(): void {
  const elapsedMs = performance.now() - startedMs
  console.log(
    `${sums.seeds} seeds, ${sums.failed} failed, ${sums.undecided} undecided; ${(sums.virtualMs / 3_600_000).toFixed(1)} h of ` +
      `clusters' time in ${(elapsedMs / 60_000).toFixed(1)} min, ${Math.round(sums.virtualMs / elapsedMs)} times real time`,
  )
}

/** In a process of its own, beside the soak. */
function shrinkInto(folder: string, seed: number): Promise<void> {
  const child = spawn(ashlar, ['sim', '--seed', String(seed), '--shrink', '--keep', folder, '--json'], {
    stdio: 'ignore',
  })
  return new Promise((resolve) => {
    child.once('error', (error) => {
      console.log(`seed ${seed} cannot be shrunk: ${error.message}`)
      resolve()
    })
    child.once('exit', () => resolve())
  })
}

const first = Number(values.first)
console.log(`from seed ${first} on, for ${values.hours} h; failures go to ${values.keep}/`)
await runSeeds({
  first,
  count: 2 ** 32 - first,
  jobs: values.jobs === undefined ? undefined : Number(values.jobs),
  twice: false,
  signal: stop.signal,
  onResult,
})
await Promise.all(shrinking)
report()
if (sums.failed > 0) process.exitCode = 1

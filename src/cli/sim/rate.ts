/**
 * `ashlar sim --rate`: how many times faster than real time one core simulates a steady cluster, boot, checks and all; without
 * faults, and with those of the swarm.
 *
 * By the time that this process had the processor (the compiler's and the collector's threads too), so that what else runs on
 * the machine matters little; the first runs, in which code is still being compiled, are not counted. One thread does all of
 * it, one of those in which seeds run. This file is also what that thread runs.
 * @module
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { simulate } from '../../sim/simulate.ts'
import { steadyScript } from '../../sim/steady-script.ts'
import type { Output } from '../output.ts'
import { seedResources } from './seed-runs.ts'

const warmUpRuns = 40
/** With faults, after those without: most is compiled by then. */
const moreWarmUpRuns = 10
const defaultRuns = 20
const role = 'ashlar-sim-rate'

interface Sums {
  readonly hasFaults: boolean
  readonly runs: number
  readonly virtualMs: number
  readonly events: number
  readonly operations: number
  readonly failed: number
  readonly cpuMs: number
}

export async function tellRate(
  output: Output,
  { runs = defaultRuns, stop }: { readonly runs?: number | undefined; readonly stop: AbortSignal },
): Promise<boolean> {
  const both = await measureApart(runs, stop)
  for (const sums of both) tell(output, sums)
  return both.every(({ failed }) => failed === 0)
}

function tell(output: Output, sums: Sums): void {
  const { hasFaults, virtualMs, cpuMs, events, operations } = sums
  const timesRealTime = Math.round(virtualMs / cpuMs)
  output.object({ event: 'rate', ...sums, timesRealTime })
  const perSecond = (count: number) => ((1000 * count) / virtualMs).toFixed(1)
  output.line(
    `5 chunk servers, ${hasFaults ? 'faults' : 'no faults'}, ${perSecond(operations)} operations and ${perSecond(events)} events a virtual second: ` +
      `${timesRealTime} times real time on one core, ${((1000 * cpuMs) / events).toFixed(1)} µs an event ` +
      `(${sums.runs} runs, ${(cpuMs / 1000).toFixed(1)} s of processor time)`,
  )
}

/** @returns nothing: it was stopped */
function measureApart(runs: number, stop: AbortSignal): Promise<readonly Sums[]> {
  if (stop.aborted) return Promise.resolve([])
  const worker = new Worker(new URL(import.meta.url), { workerData: { role, runs }, resourceLimits: seedResources })
  const onStop = () => void worker.terminate()
  stop.addEventListener('abort', onStop, { once: true })
  return new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
    worker.once('exit', () => {
      stop.removeEventListener('abort', onStop)
      resolve([])
    })
  })
}

async function measure(runs: number, hasFaults: boolean): Promise<Sums> {
  const warmUps = hasFaults ? moreWarmUpRuns : warmUpRuns
  for (let seed = 0; seed < warmUps; seed++) await simulate(steadyScript(seed, { hasFaults }))
  const sums = { hasFaults, runs, virtualMs: 0, events: 0, operations: 0, failed: 0 }
  const before = process.cpuUsage()
  for (let seed = 0; seed < runs; seed++) {
    const { virtualMs, events, operations, ok } = await simulate(steadyScript(warmUpRuns + seed, { hasFaults }))
    sums.virtualMs += virtualMs
    sums.events += events
    sums.operations += operations
    if (!ok) sums.failed++
  }
  const { user, system } = process.cpuUsage(before)
  return { ...sums, cpuMs: (user + system) / 1000 }
}

if (!isMainThread && (workerData as { readonly role?: unknown } | null)?.role === role) {
  const { runs } = workerData as { readonly runs: number }
  parentPort?.postMessage([await measure(runs, false), await measure(runs, true)])
}

/**
 * `ashlar sim --rate`: how many times faster than real time one core simulates a steady cluster, boot, checks and all.
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
const defaultRuns = 20
const role = 'ashlar-sim-rate'

interface Sums {
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
  const sums = await measureApart(runs, stop)
  if (sums === undefined) return true
  const { virtualMs, cpuMs, events, operations } = sums
  const timesRealTime = Math.round(virtualMs / cpuMs)
  output.object({ event: 'rate', ...sums, timesRealTime })
  const perSecond = (count: number) => ((1000 * count) / virtualMs).toFixed(1)
  output.line(
    `5 chunk servers, ${perSecond(operations)} operations and ${perSecond(events)} events a virtual second: ` +
      `${timesRealTime} times real time on one core, ${((1000 * cpuMs) / events).toFixed(1)} µs an event ` +
      `(${sums.runs} runs, ${(cpuMs / 1000).toFixed(1)} s of processor time)`,
  )
  return sums.failed === 0
}

/** @returns undefined: it was stopped */
function measureApart(runs: number, stop: AbortSignal): Promise<Sums | undefined> {
  if (stop.aborted) return Promise.resolve(undefined)
  const worker = new Worker(new URL(import.meta.url), { workerData: { role, runs }, resourceLimits: seedResources })
  const onStop = () => void worker.terminate()
  stop.addEventListener('abort', onStop, { once: true })
  return new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
    worker.once('exit', () => {
      stop.removeEventListener('abort', onStop)
      resolve(undefined)
    })
  })
}

async function measure(runs: number): Promise<Sums> {
  for (let seed = 0; seed < warmUpRuns; seed++) await simulate(steadyScript(seed))
  const sums = { runs, virtualMs: 0, events: 0, operations: 0, failed: 0 }
  const before = process.cpuUsage()
  for (let seed = 0; seed < runs; seed++) {
    const { virtualMs, events, operations, ok } = await simulate(steadyScript(warmUpRuns + seed))
    sums.virtualMs += virtualMs
    sums.events += events
    sums.operations += operations
    if (!ok) sums.failed++
  }
  const { user, system } = process.cpuUsage(before)
  return { ...sums, cpuMs: (user + system) / 1000 }
}

if (!isMainThread && (workerData as { readonly role?: unknown } | null)?.role === role) {
  parentPort?.postMessage(await measure((workerData as { readonly runs: number }).runs))
}

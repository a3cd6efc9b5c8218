/**
 * `ashlar sim --rate`: how many times faster than real time one core simulates a steady cluster, boot, checks and all.
 *
 * By the time that this process had the processor, so that what else runs on the machine matters little; the first runs,
 * in which code is still being compiled, are not counted. One thread does all of it.
 * @module
 */

import { simulate } from '../../sim/simulate.ts'
import { steadyScript } from '../../sim/steady-script.ts'
import type { Output } from '../output.ts'

const warmUpRuns = 10
const defaultRuns = 20

export async function tellRate(
  output: Output,
  { runs = defaultRuns, stop }: { readonly runs?: number | undefined; readonly stop: AbortSignal },
): Promise<boolean> {
  for (let seed = 0; seed < warmUpRuns && !stop.aborted; seed++) await simulate(steadyScript(seed))
  const sums = { runs: 0, virtualMs: 0, events: 0, operations: 0, failed: 0 }
  const before = process.cpuUsage()
  for (let seed = 0; seed < runs && !stop.aborted; seed++) {
    const { virtualMs, events, operations, ok } = await simulate(steadyScript(warmUpRuns + seed))
    sums.runs++
    sums.virtualMs += virtualMs
    sums.events += events
    sums.operations += operations
    if (!ok) sums.failed++
  }
  const { user, system } = process.cpuUsage(before)
  const cpuMs = (user + system) / 1000
  const timesRealTime = Math.round(sums.virtualMs / cpuMs)
  output.object({ event: 'rate', ...sums, cpuMs, timesRealTime })
  const perSecond = (count: number) => ((1000 * count) / sums.virtualMs).toFixed(1)
  output.line(
    `5 chunk servers, ${perSecond(sums.operations)} operations and ${perSecond(sums.events)} events a virtual second: ` +
      `${timesRealTime} times real time on one core, ${((1000 * cpuMs) / sums.events).toFixed(1)} µs an event ` +
      `(${sums.runs} runs, ${(cpuMs / 1000).toFixed(1)} s of processor time)`,
  )
  return sums.failed === 0
}

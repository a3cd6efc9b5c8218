/**
 * Processor time of the cluster's processes, by the kernel's count: what a repair costs there is known also on a machine that others use.
 * @module
 */
import { readFileSync } from 'node:fs'
import type { HandCluster } from '../hand-cluster.ts'

/** Of `/proc/PID/stat` on Linux. */
const msPerTick = 10

/** Of all that run, since each began, in milliseconds; by name. 0 where the kernel does not tell. */
export function processorTimes(cluster: HandCluster): ReadonlyMap<string, number> {
  return new Map(
    cluster.names.filter((name) => cluster.isRunning(name)).map((name) => [name, processorMs(cluster.pid(name))]),
  )
}

/** Of those that run at both times. */
export function processorMsBetween(from: ReadonlyMap<string, number>, to: ReadonlyMap<string, number>): number {
  let sum = 0
  for (const [name, ms] of to) if (from.has(name)) sum += ms - (from.get(name) ?? 0)
  return sum
}

function processorMs(pid: number): number {
  if (process.platform !== 'linux') return 0
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  // The name may hold spaces: what follows is counted from the bracket that ends it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * msPerTick
}

/**
 * A cluster of real processes (`ashlar up`: a master and three chunk servers) on a folder of its own, and what each process
 * costs: CPU time and memory, as Linux counts them.
 * @module
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const ashlar = join(import.meta.dirname, '..', 'bin', 'ashlar')
/** Clock ticks a second in /proc: fixed on Linux. */
const ticksPerSecond = 100

export interface ClusterProcess {
  readonly role: 'master' | 'chunkserver'
  readonly pid: number
  readonly data: string
}

interface Ready {
  readonly event: 'ready'
  readonly cluster: string
  readonly processes: readonly ClusterProcess[]
}

export interface LocalCluster extends AsyncDisposable {
  /** Path of `cluster.json`. */
  readonly clusterPath: string
  readonly processes: readonly ClusterProcess[]
  /** From the start of `ashlar up` to its word that reads and writes succeed. */
  readonly readyMs: number
}

/** @param options.profileFolder where each process leaves a CPU profile when it ends */
export async function startLocalCluster(
  folder: string,
  options: { readonly profileFolder?: string | undefined } = {},
): Promise<LocalCluster> {
  const { profileFolder } = options
  const profiling = profileFolder === undefined ? {} : { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profileFolder}` }
  const startMs = performance.now()
  const up = spawn(ashlar, ['up', '--data', folder, '--port', '0', '--json', '--trash-keep', '1h'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...profiling },
  })
  const exited = once(up, 'exit')
  const lines = createInterface({ input: up.stdout })
  const first = await Promise.race([once(lines, 'line'), exited.then(() => undefined)])
  if (first === undefined) throw new Error('Cannot measure: the cluster did not start')
  const { cluster, processes } = JSON.parse(first[0] as string) as Ready
  return {
    clusterPath: cluster,
    processes,
    readyMs: performance.now() - startMs,
    async [Symbol.asyncDispose]() {
      up.kill('SIGTERM')
      await exited
    },
  }
}

/** CPU seconds since a process began: user and system, all threads. */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  // The name in parentheses may hold spaces; what follows it starts with field 3.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

/** Resident memory now and at its highest, in MiB. */
export function memoryMiBOf(pid: number): { readonly now: number; readonly peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  const of = (name: string) => Math.round(Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1024)
  return { now: of('VmRSS'), peak: of('VmHWM') }
}

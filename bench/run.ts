/**
 * Ashlar beside the limits of the machine it runs on, in one run: limit and ours alternate, and medians are compared.
 *
 *     npm run bench -- [--rounds 3] [--only large,small] [--large-mib 1024] [--folder DIR] [--profile DIR] [--json]
 *
 * Starts a cluster of processes on a folder below `--folder` (default: the system's for temporary files) and removes it.
 * Up to eight times `--large-mib` of disk are used. Nothing here fails for being slow. A round of small files goes before the
 * others and does not count: the five processes compile their code in it, which costs as much again as the files.
 * @module
 */
import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type AshlarClient, connect } from '../src/client/index.ts'
import { cpuSecondsOf, type LocalCluster, startLocalCluster } from './local-cluster.ts'
import { loopbackRates } from './loopback.ts'
import { diskReadRate, diskWriteRate, syncRate, threeCopyRate } from './machine-limits.ts'
import { memoryOf, printJson, printText } from './report.ts'
import { type Cost, grouped, Results } from './results.ts'
import { secondsOf } from './spread.ts'
import { largeFiles, type Measured, smallFiles } from './workloads.ts'

const MiB = 1024 * 1024
const loopbackMs = 500
const syncsPerWriter = 1_000

interface BenchOptions {
  readonly rounds: number
  readonly only: readonly string[]
  readonly largeBytes: number
  readonly folder: string
  readonly profile: string | undefined
  readonly json: boolean
}

function readOptions(): BenchOptions {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      only: { type: 'string', default: 'large,small' },
      'large-mib': { type: 'string', default: '1024' },
      folder: { type: 'string', default: tmpdir() },
      profile: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  })
  return {
    rounds: Number(values.rounds),
    only: values.only.split(','),
    largeBytes: Number(values['large-mib']) * MiB,
    folder: values.folder,
    profile: values.profile === undefined ? undefined : resolve(values.profile),
    json: values.json,
  }
}

/** The thread pool of the disk calls must be as large as in `bin/ashlar`, and Node reads its size at the start. */
function restartWithThreads({ profile }: BenchOptions): never {
  const profiling = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`]
  const { status } = spawnSync(process.execPath, [...profiling, ...process.argv.slice(1)], {
    stdio: 'inherit',
    env: { ...process.env, UV_THREADPOOL_SIZE: '16' },
  })
  process.exit(status ?? 1)
}

function costOf({ processes }: LocalCluster): Cost {
  const sum = (role: string) =>
    processes.filter((one) => one.role === role).reduce((seconds, { pid }) => seconds + cpuSecondsOf(pid), 0)
  return { client: cpuSecondsOf(process.pid), master: sum('master'), chunkServers: sum('chunkserver') }
}

function difference(after: Cost, before: Cost): Cost {
  return {
    client: after.client - before.client,
    master: after.master - before.master,
    chunkServers: after.chunkServers - before.chunkServers,
  }
}

/** A workload that takes its time and its processes' CPU time down. */
function measuring(cluster: LocalCluster, results: Results): Measured {
  return async (name, { unit, amount }, work) => {
    const before = costOf(cluster)
    const seconds = await secondsOf(work)
    results.add({ name, unit, amount, seconds }, difference(costOf(cluster), before))
    tell(name, amount / seconds, unit)
  }
}

function tell(name: string, rate: number, unit = ''): void {
  process.stderr.write(`${name}: ${grouped(rate)} ${unit}\n`)
}

async function main(options: BenchOptions): Promise<void> {
  const { rounds, only, largeBytes, json, profile } = options
  const folder = await mkdtemp(join(options.folder, 'ashlar-bench-'))
  if (profile !== undefined) await mkdir(profile, { recursive: true })
  const results = new Results()
  const limit = async (name: string, rate: Promise<number>) => {
    results.addLimit(name, await rate)
    tell(`limit: ${name}`, await rate)
  }
  try {
    await using cluster = await startLocalCluster(join(folder, 'cluster'), { profileFolder: profile })
    await using client = await connect({ cluster: cluster.clusterPath })
    const measured = measuring(cluster, results)
    if (only.includes('small')) await warmUp(client)
    for (let round = 0; round < rounds; round++) {
      const workload = { client, measured, directory: `/round-${round}` }
      if (only.includes('large')) await largeRound(limit, { folder, largeBytes, workload })
      if (only.includes('small')) await smallRound(limit, { folder, workload })
    }
    const memory = memoryOf(cluster.processes)
    if (json) printJson(results, { memory, readyMs: cluster.readyMs })
    else printText(results, memory)
  } finally {
    await rm(folder, { recursive: true })
  }
}

type Limit = (name: string, rate: Promise<number>) => Promise<void>
type Workload = { readonly client: AshlarClient; readonly measured: Measured; readonly directory: string }

async function warmUp(client: AshlarClient): Promise<void> {
  const uncounted: Measured = async (_name, _what, work) => {
    await work()
  }
  await smallFiles({ client, measured: uncounted, directory: '/warm-up' }, 64)
}

async function largeRound(
  limit: Limit,
  { folder, largeBytes, workload }: { folder: string; largeBytes: number; workload: Workload },
): Promise<void> {
  const totalBytes = largeBytes
  await limit('disk write, 1 stream', diskWriteRate(folder, { streams: 1, totalBytes }))
  await limit('bare three-copy writer', threeCopyRate(folder, { totalBytes }))
  const one = { ...workload, directory: `${workload.directory}/large-1` }
  await largeFiles(one, { streams: 1, totalBytes })
  await limit('disk write, 3 streams', diskWriteRate(folder, { streams: 3, totalBytes }))
  await limit('disk read, 1 stream', diskReadRate(folder, { streams: 1, totalBytes }))
  const four = { ...workload, directory: `${workload.directory}/large-4` }
  await largeFiles(four, { streams: 4, totalBytes })
  await limit('disk read, 3 streams', diskReadRate(folder, { streams: 3, totalBytes }))
}

async function smallRound(limit: Limit, { folder, workload }: { folder: string; workload: Workload }): Promise<void> {
  await limit('append + fdatasync, 1 writer', syncRate(folder, { writers: 1, count: syncsPerWriter }))
  await limit('append + fdatasync, 3 writers', syncRate(folder, { writers: 3, count: syncsPerWriter }))
  const { streamMiB, roundTrips } = await loopbackRates([1, 16, 64], loopbackMs)
  await limit('loopback stream, MiB/s', Promise.resolve(streamMiB))
  for (const [depth, rate] of roundTrips) {
    await limit(`loopback round trips, ${depth} in flight`, Promise.resolve(rate))
  }
  for (const inFlight of [1, 16, 64]) {
    await smallFiles({ ...workload, directory: `${workload.directory}/small-${inFlight}` }, inFlight)
  }
}

const options = readOptions()
if (process.env['UV_THREADPOOL_SIZE'] === undefined) restartWithThreads(options)
else await main(options)

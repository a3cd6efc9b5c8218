/**
 * Ashlar beside the limits of the machine it runs on, and beside rivals that are there, in one run: limits and workloads alternate,
 * round by round, and medians are compared.
 *
 *     npm run bench                                  everything, five rounds, as the package runs: about twenty minutes
 *     npm run bench -- --list                        the groups of workloads
 *     npm run bench -- --only large,small --rounds 3 --scale 0.1 --large-mib 4096 --folder DIR --sources --no-go --json
 *     npm run bench -- --out bench/results/last.json keeps the figures; --page makes docs/performance.md and its plots from that file
 *     npm run bench -- --compare bench/results/last.json [--with FILE]   what became worse, by parts of the limit; exit code 1 if anything did
 *     npm run bench -- --profile small               CPU profiles and flame graphs of each process, in bench-profile-small/
 *
 * Works on a folder below `--folder` (default: the system's for temporary files) and removes it; up to eight times `--large-mib` of
 * disk are used. Nothing here fails for being slow. Rivals are named by the environment (`rivals/`).
 * @module
 */
import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { connect } from '../src/client/index.ts'
import type { Bench, Group, Surroundings } from './bench.ts'
import { Recorder, type Report } from './figures.ts'
import { connections } from './groups/connections.ts'
import { footprint } from './groups/footprint.ts'
import { largeFiles } from './groups/large-files.ts'
import { metadata } from './groups/metadata.ts'
import { repair } from './groups/repair.ts'
import { rivals } from './groups/rivals.ts'
import { s3Objects } from './groups/s3-objects.ts'
import { smallFiles } from './groups/small-files.ts'
import { startUp } from './groups/start-up.ts'
import { streams } from './groups/streams.ts'
import { startLocalCluster } from './local-cluster.ts'
import { loadNow, machineNow } from './machine.ts'
import { type BenchOptions, readOptions } from './options.ts'
import { makePackage, projectFolder } from './package-copy.ts'
import { collectProfiles } from './profile/collect.ts'
import { changesText, compare } from './report/compare.ts'
import { readReport, resultsPath, writePage } from './report/page.ts'
import { groupTables, runText, targetTable } from './report/tables.ts'
import { rivalsOf } from './rivals/rival.ts'
import { makeS3Load } from './s3/s3-load.ts'

const startMs = performance.now()

/** To stderr, with the time since the start. */
function tell(text: string): void {
  const seconds = Math.floor((performance.now() - startMs) / 1000)
  process.stderr.write(`${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}  ${text}\n`)
}

/** The thread pool of the disk calls must be as large as in `bin/ashlar`, and Node reads its size at the start. */
async function restartWithThreads({ profile }: BenchOptions): Promise<void> {
  const folder = profile === undefined ? undefined : profileFolderOf(profile)
  const profiling = folder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${folder}`]
  const args = [...profiling, '--disable-warning=ExperimentalWarning', ...process.argv.slice(1)]
  const { status, pid } = spawnSync(process.execPath, args, {
    stdio: 'inherit',
    env: { ...process.env, UV_THREADPOOL_SIZE: '16' },
  })
  process.exitCode = status ?? 1
  if (folder !== undefined) await tellProfiles(folder, new Map([[pid, 'client']]))
}

async function tellProfiles(folder: string, roles: ReadonlyMap<number, string>): Promise<void> {
  for (const path of await collectProfiles(folder, roles)) tell(`flame graph: ${path}`)
}

function profileFolderOf(group: string): string {
  return resolve(`bench-profile-${group}`)
}

function groupsOf(folder: string, { go }: Pick<BenchOptions, 'go'>): readonly Group[] {
  const load = makeS3Load(folder, { go })
  const present = rivalsOf(process.env)
  const usual = [startUp, footprint, repair, metadata, largeFiles, smallFiles, s3Objects(load), rivals(load, present)]
  return [...usual, streams, connections]
}

function chosen(groups: readonly Group[], { only }: BenchOptions): readonly Group[] {
  const unknown = only?.find((name) => !groups.some((group) => group.name === name))
  if (unknown !== undefined) throw new Error(`Cannot run the bench: there is no group "${unknown}". --list shows them`)
  return groups.filter(({ name, isOnRequest = false }) => only?.includes(name) ?? !isOnRequest)
}

async function runGroups(
  groups: readonly Group[],
  { options, surroundings }: { options: BenchOptions; surroundings: Surroundings },
): Promise<void> {
  const { folder, root, profileFolder } = surroundings
  for (const group of groups) {
    if (group.alone === undefined) continue
    tell(`— ${group.name}`)
    await group.alone(surroundings)
  }
  const together = groups.filter(({ round }) => round !== undefined)
  if (together.length === 0) return
  const data = join(folder, 'cluster')
  const roles = new Map<number, string>()
  {
    await using cluster = await startLocalCluster(data, { root, profileFolder })
    let chunkServers = 0
    for (const { role, pid } of cluster.processes) {
      roles.set(pid, role === 'chunkserver' ? `${role}-${++chunkServers}` : role)
    }
    await using client = await connect({ cluster: cluster.clusterPath })
    const bench = (group: Group, round: number): Bench => ({
      ...surroundings,
      cluster,
      client,
      round,
      group: group.name,
    })
    for (const group of together) {
      tell(`— ${group.name}: warm-up`)
      await group.warmUp?.(bench(group, -1))
    }
    for (let round = 0; round < options.rounds; round++) {
      for (const group of together) {
        tell(`— ${group.name}: round ${round + 1} of ${options.rounds}`)
        await group.round?.(bench(group, round))
      }
    }
  }
  if (profileFolder !== undefined) await tellProfiles(profileFolder, roles)
}

async function measureAll(options: BenchOptions): Promise<Report> {
  const loadBefore = loadNow()
  const folder = await mkdtemp(join(options.folder, 'ashlar-bench-'))
  const profileFolder = options.profile === undefined ? undefined : profileFolderOf(options.profile)
  if (profileFolder !== undefined) await mkdir(profileFolder, { recursive: true })
  try {
    const root = options.sources ? projectFolder : await makePackage(join(folder, 'package'))
    const recorder = new Recorder()
    const { rounds, scale, largeBytes } = options
    const surroundings = { settings: { rounds, scale, largeBytes }, folder, root, profileFolder, recorder, tell }
    await runGroups(chosen(groupsOf(folder, options), options), { options, surroundings })
    return { version: 1, machine: machineNow(loadBefore), rounds, scale, figures: recorder.figures() }
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function main(options: BenchOptions): Promise<void> {
  const needsRun = !options.page && options.with === undefined
  if (needsRun && process.env['UV_THREADPOOL_SIZE'] === undefined) return await restartWithThreads(options)
  const report = needsRun ? await measureAll(options) : await readReport(options.with ?? options.out ?? resultsPath)
  const text = JSON.stringify(report, undefined, 1)
  if (needsRun && options.out !== undefined) {
    await mkdir(dirname(options.out), { recursive: true })
    await writeFile(options.out, `${text}\n`)
  }
  if (options.json) console.log(text)
  else if (options.page) await writePage(report)
  else if (needsRun)
    console.log(`${runText(report)}\n\n${groupTables(report)}\n\n### Targets\n\n${targetTable(report)}`)
  if (options.compare === undefined) return
  const changes = compare(await readReport(options.compare), report)
  console.error(changesText(changes))
  if (changes.some(({ verdict }) => verdict === 'worse')) process.exitCode = 1
}

const options = readOptions(process.argv.slice(2))
if (options.list) {
  for (const { name, summary } of groupsOf('', { go: false })) console.log(`${name.padEnd(12)}${summary}`)
} else {
  await main(options)
}

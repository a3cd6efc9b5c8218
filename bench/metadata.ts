/**
 * Many files: empty ones (metadata only) made through the SDK in one directory, then in many, on a cluster of processes.
 * Prints the rate of creation per step, the master's memory as files grow, the rate of listing and the wait for its first page, the
 * bytes of the database per file, and how long the master takes to start on them.
 *
 *     node bench/metadata.ts [--files 1000000] [--directories 10000] [--in-flight 256] [--folder DIR] [--json]
 *
 * With the defaults it makes two million files, which takes a quarter of an hour and 700 MB of disk.
 * @module
 */
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type AshlarClient, connect } from '../src/client/index.ts'
import { cpuSecondsOf, type LocalCluster, memoryMiBOf, startLocalCluster } from './local-cluster.ts'
import { median, secondsOf, spread } from './spread.ts'

/** A shape is made in so many steps, so that a rate which falls is seen. */
const steps = 4
const firstPageLooks = 20

const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '1000000' },
    directories: { type: 'string', default: '10000' },
    'in-flight': { type: 'string', default: '256' },
    folder: { type: 'string', default: tmpdir() },
    json: { type: 'boolean', default: false },
  },
})
const files = Number(values.files)
const directories = Number(values.directories)
const inFlight = Number(values['in-flight'])

const facts: Record<string, number> = {}

function note(name: string, value: number): void {
  facts[name] = value
  if (!values.json) console.log(`${name.padEnd(64)}${Math.round(value).toLocaleString('en').padStart(12)}`)
}

function masterOf(cluster: LocalCluster): LocalCluster['processes'][number] {
  const master = cluster.processes.find(({ role }) => role === 'master')
  if (master === undefined) throw new Error('Cannot measure: there is no master')
  return master
}

async function bytesBelow(folder: string): Promise<number> {
  let bytes = 0
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    // A file may go between the listing and the look: a log of the database that was just emptied.
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name)).catch(() => undefined))?.size ?? 0
  }
  return bytes
}

/** @param pathOf of a file by its number */
async function create(
  { client, cluster }: { readonly client: AshlarClient; readonly cluster: LocalCluster },
  title: string,
  pathOf: (index: number) => string,
): Promise<void> {
  const empty = Buffer.alloc(0)
  const { pid } = masterOf(cluster)
  const perStep = Math.floor(files / steps)
  for (let step = 0; step < steps; step++) {
    const cpuBefore = cpuSecondsOf(pid)
    const seconds = await secondsOf(() =>
      spread(perStep, inFlight, (index) => client.writeFile(pathOf(step * perStep + index), empty)),
    )
    const made = `${title}, after ${((step + 1) * perStep).toLocaleString('en')} files`
    note(`${made}: creations/s`, perStep / seconds)
    note(`${made}: master CPU µs each`, (1e6 * (cpuSecondsOf(pid) - cpuBefore)) / perStep)
    note(`${made}: master resident MiB`, memoryMiBOf(pid).now)
  }
}

async function list(client: AshlarClient, title: string, paths: readonly string[]): Promise<void> {
  let entries = 0
  const seconds = await secondsOf(async () => {
    for (const path of paths) for await (const _ of client.list(path)) entries++
  })
  note(`${title}: entries listed/s`, entries / seconds)
  note(`${title}: entries listed`, entries)
}

/** What somebody waits for who opens a directory: its first page of 1,000 entries, each from a list of its own. */
async function firstPage(client: AshlarClient, title: string, path: string): Promise<void> {
  const milliseconds: number[] = []
  for (let look = 0; look < firstPageLooks; look++) {
    const entries = client.list(path)
    milliseconds.push(1000 * (await secondsOf(() => entries.next())))
    await entries.return?.()
  }
  note(`${title}: first page of a list, ms in the median`, median(milliseconds))
  note(`${title}: first page of a list, ms at most`, Math.max(...milliseconds))
}

async function measure(folder: string): Promise<void> {
  const data = join(folder, 'cluster')
  {
    await using cluster = await startLocalCluster(data)
    await using client = await connect({ cluster: cluster.clusterPath })
    const { pid, data: masterData } = masterOf(cluster)
    note('empty: ready after ms', cluster.readyMs)
    note('empty: master resident MiB', memoryMiBOf(pid).now)
    const bytesAtFirst = await bytesBelow(masterData as string)

    await client.mkdir('/one')
    await create({ client, cluster }, 'one directory', (index) => `/one/file-${String(index).padStart(8, '0')}`)
    await firstPage(client, 'one directory', '/one')
    await list(client, 'one directory', ['/one'])
    note('after listing: master resident MiB', memoryMiBOf(pid).now)
    note('after listing: client resident MiB', memoryMiBOf(process.pid).now)
    note('one directory: database bytes a file', ((await bytesBelow(masterData as string)) - bytesAtFirst) / files)

    const directoryOf = (index: number) => `/many/${String(index % directories).padStart(5, '0')}`
    await client.mkdir('/many')
    await spread(directories, inFlight, (index) => client.mkdir(directoryOf(index)))
    await create({ client, cluster }, 'many directories', (index) => `${directoryOf(index)}/file-${index}`)
    await list(
      client,
      'many directories',
      Array.from({ length: directories }, (_, index) => directoryOf(index)),
    )
    note('both: database bytes a file', ((await bytesBelow(masterData as string)) - bytesAtFirst) / (2 * files))
  }
  await using again = await startLocalCluster(data)
  note('both: ready again after ms', again.readyMs)
  note('both: master resident MiB after the start', memoryMiBOf(masterOf(again).pid).now)
}

const folder = await mkdtemp(join(values.folder, 'ashlar-bench-'))
try {
  await measure(folder)
  if (values.json) console.log(JSON.stringify(facts))
} finally {
  await rm(folder, { recursive: true })
}

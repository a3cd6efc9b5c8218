/**
 * What a cluster takes: memory of all processes at rest, after many small files and under large streams, and bytes on disk and
 * written to disk for each byte stored. Once a run, on a cluster of its own.
 *
 * Memory of all processes is given twice: once with the pages that they share, which is Node's own program, counted once: what the cluster
 * takes from the machine. And as the sum of what `ps` shows, where they count in each process. Of single processes it is their own pages.
 * @module
 */
import { randomFillSync } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type AshlarClient, connect } from '../../src/client/index.ts'
import { type Group, note, type Surroundings, scaled } from '../bench.ts'
import { type LocalCluster, startLocalCluster } from '../local-cluster.ts'
import { bytesWrittenBeneath, forgetPeak, memoryOf } from '../processes.ts'
import { spread } from '../spread.ts'
import { readStreams, writeStreams } from './large-files.ts'

const group = 'footprint'
const MiB = 1024 * 1024
const fileBytes = 4096
const copies = 3
const fullFileCount = 100_000
const settleMs = 3_000

export const footprint: Group = {
  name: group,
  summary: 'memory of each process; bytes on disk and written for each byte stored',
  alone: async (bench) => {
    const data = join(bench.folder, 'footprint')
    await using cluster = await startLocalCluster(data, { root: bench.root })
    await using client = await connect({ cluster: cluster.clusterPath })
    await settle()
    noteMemory(bench, cluster, 'at rest')

    const count = scaled(bench, fullFileCount, 500)
    const before = await use(cluster, client)
    await smallFiles(client, count)
    await settle()
    const after = await use(cluster, client)
    noteMemory(bench, cluster, `after ${fullFileCount.toLocaleString('en')} files of 4 KiB`)
    const noteOf = (name: string, unit: 'bytes' | 'ratio', value: number) => {
      // Where no disk is beneath, nothing tells what was written to it.
      if (!Number.isNaN(value)) note(bench, { group, name, unit }, value)
    }
    noteOf('disk per 4 KiB file and copy', 'bytes', (after.chunkBytes - before.chunkBytes) / count / copies)
    noteOf(
      'change log of the metadata on chunk servers, per 4 KiB file and copy',
      'bytes',
      (after.backupBytes - before.backupBytes) / count / copies,
    )
    noteOf('metadata per 4 KiB file', 'bytes', (after.metadataBytes - before.metadataBytes) / count)
    const stored = count * fileBytes * copies
    noteOf('written per byte stored, 4 KiB files', 'ratio', (after.writtenBytes - before.writtenBytes) / stored)

    for (const { pid } of cluster.processes) forgetPeak(pid)
    const what = { directory: '/large', streams: 4, pieces: Math.ceil(bench.settings.largeBytes / 4 / MiB) }
    await writeStreams(client, what)
    const written = (await use(cluster, client)).writtenBytes - after.writtenBytes
    noteOf('written per byte stored, large files', 'ratio', written / (what.pieces * what.streams * MiB * copies))
    await readStreams(client, what)
    for (const role of ['master', 'chunkserver'] as const) {
      const peaks = cluster.processes.filter((one) => one.role === role).map(({ pid }) => memoryOf(pid).peak)
      note(
        bench,
        { group, name: `highest resident memory of a ${role} under large streams`, unit: 'MiB' },
        Math.max(...peaks),
      )
    }
  },
}

function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, settleMs))
}

function noteMemory(bench: Surroundings, { processes }: LocalCluster, when: string): void {
  const each = processes.map(({ role, pid }) => ({ role, ...memoryOf(pid) }))
  const own = (of: typeof each) => of.reduce((total, { resident, shared }) => total + resident - shared, 0)
  const named = (name: string, value: number) =>
    note(bench, { group, name: `memory ${when}: ${name}`, unit: 'MiB' }, value)
  named('all processes', own(each) + Math.max(...each.map(({ shared }) => shared)))
  named(
    'all processes, sum of resident',
    each.reduce((total, { resident }) => total + resident, 0),
  )
  for (const role of ['up', 'master', 'gateway', 'chunkserver'] as const) {
    const of = each.filter((one) => one.role === role)
    named(role === 'chunkserver' ? 'three chunk servers' : role, own(of))
  }
}

interface Use {
  /** On the disks of the chunk servers, as `du` counts: segments, chunk files, indexes. */
  readonly chunkBytes: number
  /** There too: the metadata's bases and change log, so that a lost master disk loses no more than a second. */
  readonly backupBytes: number
  readonly metadataBytes: number
  /** To the disk beneath, by all programs: nothing else should run. */
  readonly writtenBytes: number
}

async function use({ folder, processes }: LocalCluster, client: AshlarClient): Promise<Use> {
  const { metadataBytes } = await client.status()
  const servers = processes.filter(({ role }) => role === 'chunkserver')
  let [chunkBytes, backupBytes] = [0, 0]
  for (const { data = folder } of servers) {
    const backup = await diskUse(join(data, 'backup'))
    chunkBytes += (await diskUse(data)) - backup
    backupBytes += backup
  }
  return { chunkBytes, backupBytes, metadataBytes, writtenBytes: bytesWrittenBeneath(folder) ?? Number.NaN }
}

async function diskUse(folder: string): Promise<number> {
  let bytes = 0
  if (!existsSync(folder)) return 0
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).blocks * 512
  }
  return bytes
}

async function smallFiles(client: AshlarClient, count: number): Promise<void> {
  const bytes = randomFillSync(Buffer.allocUnsafe(fileBytes))
  await client.mkdir('/small')
  await spread(count, 64, (index) => client.writeFile(`/small/file-${index}`, bytes))
}

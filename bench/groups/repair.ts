/**
 * How fast lost copies are made anew. Once a run, on a cluster of its own with four chunk servers, of which one is killed. Repair keeps to half
 * of what the disks do.
 * @module
 */
import { join } from 'node:path'
import { type AshlarClient, connect } from '../../src/client/index.ts'
import { type Group, measureLimit, note, type Surroundings } from '../bench.ts'
import { diskWriteRate } from '../limits/machine-limits.ts'
import { startLocalCluster } from '../local-cluster.ts'
import { writeStreams } from './large-files.ts'

const group = 'repair'
const MiB = 1024 * 1024
const pollMs = 100
const patienceMs = 120_000

export const repair: Group = {
  name: group,
  summary: 'rate of repair after a chunk server died',
  alone: async (bench) => {
    const options = ['--chunk-servers', '4', '--no-restart', '--dead-after', '2s']
    await using cluster = await startLocalCluster(join(bench.folder, 'repair'), { root: bench.root, options })
    await using client = await connect({ cluster: cluster.clusterPath })
    const pieces = Math.max(16, Math.ceil(bench.settings.largeBytes / 4 / MiB))
    await writeStreams(client, { directory: '/large', streams: 4, pieces })
    const victim = cluster.processes.findLast(({ role }) => role === 'chunkserver')
    if (victim === undefined) throw new Error('Cannot measure: there is no chunk server')
    const lostBytes = (await client.nodes()).find(({ id }) => id === (victim as { id?: string }).id)?.usedBytes ?? 0
    process.kill(victim.pid, 'SIGKILL')
    const seconds = await repairSeconds(client, bench)
    if (seconds === undefined) return
    await measureLimit(bench, { name: 'disk write, 3 streams, at repair', unit: 'MiB/s' }, () =>
      diskWriteRate(bench.folder, { streams: 3, totalBytes: bench.settings.largeBytes }),
    )
    const limit = { name: 'disk write, 3 streams, at repair', share: 1 }
    note(bench, { group, name: 'repair', unit: 'MiB/s', limit }, lostBytes / MiB / seconds)
  },
}

/** From the first copies that are known to be missing to the last that is there again. */
async function repairSeconds(client: AshlarClient, bench: Surroundings): Promise<number | undefined> {
  const beganMs = performance.now()
  let missingMs: number | undefined
  while (performance.now() < beganMs + patienceMs) {
    const { underReplicatedChunks } = await client.status()
    if (underReplicatedChunks > 0) missingMs ??= performance.now()
    else if (missingMs !== undefined) return (performance.now() - missingMs) / 1000
    await new Promise((resolve) => setTimeout(resolve, pollMs))
  }
  bench.tell('repair took too long to be measured')
  return undefined
}

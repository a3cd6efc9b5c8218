/**
 * How long starts take: of `ashlar up` until the first byte is stored, of `ashlar ls`, and of `startCluster()`. Of the package, with
 * a compile cache that an earlier start filled, and of the sources beside it.
 * @module
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { connect } from '../../src/client/index.ts'
import { type Group, measureLimit, note, type Surroundings } from '../bench.ts'
import { type LocalCluster, startLocalCluster } from '../local-cluster.ts'
import { projectFolder } from '../package-copy.ts'
import { cpuSecondsOf } from '../processes.ts'
import { median } from '../spread.ts'

const group = 'startup'
const node = 'start of Node'

export const startUp: Group = {
  name: group,
  summary: 'starts: ashlar up until the first stored byte, ashlar ls, startCluster()',
  alone: async (bench) => {
    // They fill the compile caches.
    const quiet = { ...bench, recorder: { add: () => undefined }, tell: () => undefined } as unknown as Surroundings
    await round(quiet, -1)
    for (let index = 0; index < bench.settings.rounds; index++) await round(bench, index)
  },
}

async function round(bench: Surroundings, index: number): Promise<void> {
  const { root } = bench
  await measureLimit(bench, { name: node, unit: 'ms' }, async () => median([0, 1, 2].map(startNode)))
  const folder = join(bench.folder, `start-${index}`)
  await up(bench, { folder, root, name: 'ashlar up, new' })
  await up(bench, { folder, root, name: 'ashlar up, again', also: (cluster) => ls(bench, cluster) })
  await up(bench, { folder: `${folder}-sources`, root: projectFolder, name: 'ashlar up, new, from the sources' })
  await testCluster(bench, { door: join(root, 'dist/testing/index.js'), title: '' })
  await testCluster(bench, { door: join(projectFolder, 'src/testing/index.ts'), title: ', from the sources' })
}

function startNode(): number {
  const startMs = performance.now()
  spawnSync(process.execPath, ['-e', '0'])
  return performance.now() - startMs
}

interface Up {
  readonly folder: string
  readonly root: string
  readonly name: string
  readonly also?: (cluster: LocalCluster) => Promise<void>
}

async function up(bench: Surroundings, { folder, root, name, also }: Up): Promise<void> {
  const startMs = performance.now()
  await using cluster = await startLocalCluster(folder, { root })
  const cpuMs = 1000 * cluster.processes.reduce((sum, { pid }) => sum + cpuSecondsOf(pid), 0)
  await using client = await connect({ cluster: cluster.clusterPath })
  await client.writeFile('/first', 'x')
  const storedMs = performance.now() - startMs
  // Six processes of Node on two cores, at best one after the other on each.
  note(bench, { group, name: `${name}: first stored byte`, unit: 'ms', limit: { name: node, share: 3 } }, storedMs)
  note(bench, { group, name: `${name}: ready`, unit: 'ms', limit: { name: node, share: 3 } }, cluster.readyMs)
  note(bench, { group, name: `${name}: CPU of its six processes`, unit: 'ms' }, cpuMs)
  await also?.(cluster)
}

async function ls(bench: Surroundings, { clusterPath }: LocalCluster): Promise<void> {
  const times: number[] = []
  for (let run = 0; run < 3; run++) {
    const startMs = performance.now()
    const child = spawn(join(bench.root, 'bin/ashlar'), ['ls', '/', '--cluster', clusterPath], { stdio: 'ignore' })
    const [code] = await once(child, 'exit')
    if (code !== 0) throw new Error(`Cannot measure: ashlar ls ended with code ${code}`)
    times.push(performance.now() - startMs)
  }
  note(bench, { group, name: 'ashlar ls', unit: 'ms', limit: { name: node, share: 1 } }, median(times))
}

/** In a process of its own that keeps compiled code, as test runners do. */
async function testCluster(bench: Surroundings, { door, title }: { door: string; title: string }): Promise<void> {
  const source = `
    const startMs = performance.now()
    const { startCluster } = await import(${JSON.stringify(door)})
    const times = []
    for (let run = 0, beganMs = startMs; run < 4; run++, beganMs = performance.now()) {
      const cluster = await startCluster()
      times.push(performance.now() - beganMs)
      await cluster.close()
    }
    console.log(JSON.stringify(times))`
  const { stdout } = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', source],
    { encoding: 'utf8', env: { ...process.env, NODE_COMPILE_CACHE: join(bench.folder, 'compile-cache') } },
  )
  const [first = Number.NaN, ...later] = JSON.parse(stdout) as number[]
  note(bench, { group, name: `startCluster(), first in a process, import included${title}`, unit: 'ms' }, first)
  note(bench, { group, name: `startCluster(), later ones${title}`, unit: 'ms' }, median(later))
}

/** A cluster of real processes (`ashlar up`) on a folder of its own. @module */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { projectFolder } from './package-copy.ts'

export { cpuSecondsOf, memoryMiBOf } from './processes.ts'

export interface ClusterProcess {
  readonly role: 'up' | 'master' | 'gateway' | 'chunkserver'
  readonly pid: number
  readonly data?: string
}

export interface S3Access {
  readonly endpoint: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly region: string
}

interface Ready {
  readonly event: 'ready'
  readonly cluster: string
  readonly processes: readonly ClusterProcess[]
}

export interface LocalCluster extends AsyncDisposable {
  /** Path of `cluster.json`. */
  readonly clusterPath: string
  readonly folder: string
  readonly processes: readonly ClusterProcess[]
  /** From the start of `ashlar up` to its word that reads and writes succeed. */
  readonly readyMs: number
  s3(): S3Access
}

export interface LocalClusterOptions {
  /** Where `bin/ashlar` is: a package, or the project itself (default). */
  readonly root?: string | undefined
  /** Where each process leaves a CPU profile when it ends. */
  readonly profileFolder?: string | undefined
  /** More of `ashlar up`. */
  readonly options?: readonly string[]
}

/** Resolves when it is ready; the data in `folder` stays when it is disposed of. */
export async function startLocalCluster(folder: string, options: LocalClusterOptions = {}): Promise<LocalCluster> {
  const { profileFolder, root = projectFolder } = options
  const profiling = profileFolder === undefined ? {} : { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profileFolder}` }
  const startMs = performance.now()
  const args = ['up', '--data', folder, '--port', '0', '--s3-port', '0', '--json', '--trash-keep', '1h']
  const up = spawn(join(root, 'bin', 'ashlar'), [...args, ...(options.options ?? [])], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...profiling },
  })
  const exited = once(up, 'exit')
  const lines = createInterface({ input: up.stdout })
  const first = await Promise.race([once(lines, 'line'), exited.then(() => undefined)])
  if (first === undefined) throw new Error('Cannot measure: the cluster did not start')
  const readyMs = performance.now() - startMs
  const { cluster, processes } = JSON.parse(first[0] as string) as Ready
  return {
    clusterPath: cluster,
    folder,
    processes: [{ role: 'up', pid: up.pid as number }, ...processes],
    readyMs,
    s3: () => ({ region: 'us-east-1', ...JSON.parse(readFileSync(cluster, 'utf8')).s3 }),
    async [Symbol.asyncDispose]() {
      up.kill('SIGTERM')
      await exited
    },
  }
}

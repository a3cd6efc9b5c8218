/**
 * One of three chunk servers dies by SIGKILL while a real tree and a large file go in, and again while they come out; later
 * it is started again. No error may reach the user, every file must come back identical, and nothing may stay short of a replica.
 *
 *     node test/faults/one-server-dies.ts --tree node_modules --size 4GiB
 * @module
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  createReadStream,
  createWriteStream,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { parseSize } from '../../src/base/sizes.ts'
import { connect } from '../../src/client/index.ts'
import { RealCluster } from './real-cluster.ts'

const repository = join(dirname(fileURLToPath(import.meta.url)), '../..')
const bin = join(repository, 'bin/ashlar')
/** No chunk was repaired for so long: nobody repairs them. */
const stuckAfterMs = 60_000

export interface OneServerDiesOptions {
  /** A folder of many files. */
  readonly tree: string
  readonly sizeBytes: number
  readonly say?: (line: string) => void
}

export interface OneServerDiesResult {
  readonly files: number
  readonly differing: readonly string[]
  /** Exit codes of the four transfers. */
  readonly exitCodes: readonly number[]
  readonly peakClientBytes: number
  readonly underReplicatedAtEnd: number
}

export async function runOneServerDies({
  tree,
  sizeBytes,
  say = () => undefined,
}: OneServerDiesOptions): Promise<OneServerDiesResult> {
  const root = mkdtempSync(join(tmpdir(), 'ashlar-one-dies-'))
  const cluster = new RealCluster(join(root, 'data'), ['--port', '0', '--no-restart'])
  const large = join(root, 'large')
  await makeLargeFile(large, sizeBytes)
  const exitCodes: number[] = []
  let peakClientBytes = 0
  await cluster.start()
  const server = new KilledServer(cluster)
  const transfer = async (...args: readonly string[]) => {
    const dying = server.dieIn(1_000)
    const { exitCode, peakBytes, elapsedMs } = await runAshlar(['--cluster', cluster.clusterPath], args)
    await dying
    exitCodes.push(exitCode)
    peakClientBytes = Math.max(peakClientBytes, peakBytes)
    say(
      `${args[0]} ${args.at(-2)}: exit ${exitCode}, ${Math.round(elapsedMs)} ms, peak ${Math.round(peakBytes / 2 ** 20)} MiB`,
    )
    await server.comeBack()
  }
  try {
    await transfer('put', '-r', tree, '/tree')
    await transfer('put', large, '/large')
    await transfer('get', '-r', '/tree', join(root, 'tree-back'))
    await transfer('get', '/large', join(root, 'large-back'))
    const differing = await compareTrees(tree, join(root, 'tree-back'))
    if ((await sha256(large)) !== (await sha256(join(root, 'large-back')))) differing.push('large')
    const underReplicatedAtEnd = await waitUntilWhole(cluster, say)
    return { files: filesOf(tree).length + 1, differing, exitCodes, peakClientBytes, underReplicatedAtEnd }
  } finally {
    await server.end()
    await cluster.stop()
    rmSync(root, { recursive: true, force: true })
  }
}

/** The first chunk server: ended by SIGKILL, and started again by hand as an operator would. */
class KilledServer {
  readonly #cluster: RealCluster
  #pid: number
  #child: ReturnType<typeof spawn> | undefined

  constructor(cluster: RealCluster) {
    this.#cluster = cluster
    this.#pid = this.#process.pid
  }

  get #process(): RealCluster['ready']['processes'][number] {
    const found = this.#cluster.ready.processes.find(({ role }) => role === 'chunkserver')
    if (found === undefined) throw new Error('the cluster has no chunk server')
    return found
  }

  async dieIn(delayMs: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, delayMs))
    process.kill(this.#pid, 'SIGKILL')
  }

  async comeBack(): Promise<void> {
    const join_ = join(this.#cluster.folder, 'master', 'join.json')
    const args = [
      'chunkserver',
      '--data',
      this.#process.data,
      '--cluster',
      join_,
      '--domain',
      'chunkserver-1',
      '--json',
    ]
    const child = spawn(bin, [...args, '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#child = child
    this.#pid = child.pid as number
    await new Promise<void>((resolve, reject) => {
      child.stdout.once('data', () => resolve())
      child.once('exit', (code) => reject(new Error(`the chunk server exited with ${code}`)))
    })
  }

  async end(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null) return
    const exited = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGTERM')
    await exited
  }
}

/** Runs a verb and watches its peak memory. */
function runAshlar(
  options: readonly string[],
  [verb, ...args]: readonly string[],
): Promise<{ readonly exitCode: number; readonly peakBytes: number; readonly elapsedMs: number }> {
  return new Promise((resolve) => {
    const startedMs = performance.now()
    const child = spawn(bin, [verb as string, ...options, ...args], { stdio: ['ignore', 'ignore', 'inherit'] })
    let peakBytes = 0
    const timer = setInterval(() => {
      peakBytes = Math.max(peakBytes, peakOf(child.pid as number))
    }, 100)
    child.once('exit', (code) => {
      clearInterval(timer)
      resolve({ exitCode: code ?? -1, peakBytes, elapsedMs: performance.now() - startedMs })
    })
  })
}

function peakOf(pid: number): number {
  try {
    return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024
  } catch {
    // It has just ended.
    return 0
  }
}

async function makeLargeFile(path: string, sizeBytes: number): Promise<void> {
  async function* blocks() {
    let left = sizeBytes
    for (let index = 0; left > 0; index++) {
      const block = Buffer.alloc(Math.min(left, 2 ** 20))
      // Different everywhere, and quick to make.
      for (let at = 0; at + 4 <= block.length; at += 4)
        block.writeUInt32LE(Math.imul(index * 262_144 + at, 2_654_435_761) >>> 0, at)
      yield block
      left -= block.length
    }
  }
  await pipeline(Readable.from(blocks()), createWriteStream(path))
}

async function compareTrees(one: string, other: string): Promise<string[]> {
  const differing: string[] = []
  for (const file of filesOf(one)) {
    const copy = join(other, relative(one, file))
    try {
      if ((await sha256(file)) !== (await sha256(copy))) differing.push(relative(one, file))
    } catch {
      // A file that cannot be read did not come back.
      differing.push(relative(one, file))
    }
  }
  return differing
}

/** What `put -r` stores: files, and links to files inside the tree. */
function filesOf(folder: string, root = realpathSync(folder)): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return filesOf(path, root)
    if (entry.isSymbolicLink()) return isFileBelow(path, root) ? [path] : []
    return entry.isFile() ? [path] : []
  })
}

function isFileBelow(link: string, root: string): boolean {
  return statSync(link, { throwIfNoEntry: false })?.isFile() === true && realpathSync(link).startsWith(`${root}/`)
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}

/**
 * Until no chunk lacks a replica, or none was repaired for a minute: how long it takes is the disk's business, and that of the others
 * on it.
 */
async function waitUntilWhole(cluster: RealCluster, say: (line: string) => void): Promise<number> {
  await using client = await connect({ cluster: cluster.clusterPath, timeoutMs: 20_000 })
  let fewest = Number.POSITIVE_INFINITY
  const startedMs = performance.now()
  for (let fewestMs = startedMs; ; ) {
    const { underReplicatedChunks: short } = await client.status()
    const nowMs = performance.now()
    if (short < fewest) {
      say(`${short} chunks lack a replica, ${Math.round((nowMs - startedMs) / 1000)} s after the last transfer`)
      fewest = short
      fewestMs = nowMs
    }
    if (short === 0 || nowMs - fewestMs > stuckAfterMs) return short
    await new Promise((resolve) => setTimeout(resolve, 1_000))
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { tree: { type: 'string', default: 'node_modules' }, size: { type: 'string', default: '4GiB' } },
  })
  const say = (line: string) => process.stdout.write(`${line}\n`)
  const result = await runOneServerDies({ tree: values.tree, sizeBytes: parseSize(values.size), say })
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`)
  const isGood =
    result.differing.length === 0 && result.exitCodes.every((code) => code === 0) && result.underReplicatedAtEnd === 0
  process.exitCode = isGood ? 0 : 1
}

/**
 * Rounds of death: a cluster of real processes under a mixed load loses everything at a random moment, by SIGKILL or by
 * a power cut of every disk, and starts again. Then every file must be whole and in a state that was acknowledged (or of the one operation under
 * way), nothing else may be visible, no temporary file may be left, and each server's books must equal a scan of its disk.
 *
 *     node test/faults/rounds.ts --rounds 20 --mode kill
 *     node test/faults/rounds.ts --rounds 10 --mode power      (root, loop devices)
 * @module
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { ClusterId } from '../../src/base/ids.ts'
import { type AshlarClient, connect, isAshlarError } from '../../src/client/index.ts'
import { createNodeEnv } from '../../src/env/node-env.ts'
import { openDiskStore } from '../../src/store/open-disk-store.ts'
import { History, matches } from './history.ts'
import { MixedLoad } from './mixed-load.ts'
import { RealCluster } from './real-cluster.ts'

const powercut = join(dirname(fileURLToPath(import.meta.url)), '../../tools/powercut.py')
const roles = ['master', 'chunkserver-1', 'chunkserver-2', 'chunkserver-3'] as const

export interface RoundsOptions {
  readonly rounds: number
  readonly mode: 'kill' | 'power'
  readonly seed: number
  /** The load runs at most this long before the fault. */
  readonly maxLoadMs?: number
  readonly say?: (line: string) => void
}

export interface RoundsResult {
  readonly rounds: number
  readonly operations: number
  readonly acknowledgements: number
  readonly filesChecked: number
  /** Each a broken promise; empty: none. */
  readonly violations: readonly string[]
  readonly slowestStartMs: number
}

export async function runRounds(options: RoundsOptions): Promise<RoundsResult> {
  const { rounds, mode, seed, maxLoadMs = 6_000, say = () => undefined } = options
  const root = mkdtempSync(join(tmpdir(), 'ashlar-rounds-'))
  const folder = join(root, 'data')
  const random = seededFraction(seed)
  const cluster = new RealCluster(folder, ['--capacity', '1GiB', '--trash-keep', '2s', '--port', '0'])
  const history = new History()
  const result = {
    rounds: 0,
    operations: 0,
    acknowledgements: 0,
    filesChecked: 0,
    violations: [] as string[],
    slowestStartMs: 0,
  }
  if (mode === 'power') for (const role of roles) power('make', join(folder, role), '--size', '3G')
  try {
    let told = 0
    for (let round = 1; round <= rounds; round++) {
      result.slowestStartMs = Math.max(result.slowestStartMs, await cluster.start())
      const { faultMs, operations } = await oneRound(cluster, {
        history,
        random,
        mode,
        maxLoadMs,
        violations: result.violations,
      })
      result.operations += operations
      result.slowestStartMs = Math.max(result.slowestStartMs, await cluster.start())
      result.filesChecked += await checkFiles(cluster, { history, faultMs, round, violations: result.violations })
      const books = await readBooks(cluster)
      await cluster.stop()
      await checkDisks(cluster, { books, round, violations: result.violations })
      for (const violation of result.violations.slice(told)) say(violation)
      told = result.violations.length
      result.rounds = round
      result.acknowledgements = history.acknowledgements
      say(
        `round ${round}: ${operations} operations, ${history.acknowledgements} acknowledged so far, ` +
          `${result.filesChecked} files checked, ${result.violations.length} violations, start ${Math.round(result.slowestStartMs)} ms at most`,
      )
    }
    return result
  } finally {
    await cluster.stop().catch(() => cluster.killAll())
    if (mode === 'power') for (const role of roles) power('drop', join(folder, role))
    rmSync(root, { recursive: true, force: true })
  }
}

async function oneRound(
  cluster: RealCluster,
  {
    history,
    random,
    mode,
    maxLoadMs,
    violations,
  }: {
    readonly history: History
    readonly random: () => number
    readonly mode: 'kill' | 'power'
    readonly maxLoadMs: number
    readonly violations: string[]
  },
): Promise<{ readonly faultMs: number; readonly operations: number }> {
  const client = await connect({ cluster: cluster.clusterPath, timeoutMs: 1_500 })
  const load = new MixedLoad(client, history, random)
  load.start()
  await new Promise((resolve) => setTimeout(resolve, 500 + random() * (maxLoadMs - 500)))
  let faultMs: number
  if (mode === 'power') {
    faultMs = cutPower(cluster.folder)
    await cluster.killAll()
    for (const role of roles) power('revive', join(cluster.folder, role))
  } else {
    faultMs = Date.now()
    await cluster.killAll()
    faultMs = Number.POSITIVE_INFINITY
  }
  await load.stop()
  await client.close()
  for (const surprise of load.surprises) violations.push(`an operation failed strangely: ${String(surprise)}`)
  return { faultMs, operations: load.operations }
}

/** All disks at once: what was acknowledged before the first cut must survive. */
function cutPower(folder: string): number {
  const cuts = execFileSync('python3', ['-c', cutAll, ...roles.map((role) => join(folder, role))], { encoding: 'utf8' })
  return Number(cuts.trim().split(' ')[0])
}

/** One process cuts them all, so that they go within a millisecond of each other. */
const cutAll = `
import fcntl, os, struct, sys, time
fds = [os.open(path, os.O_RDONLY) for path in sys.argv[1:]]
before = time.time() * 1000
for fd in fds: fcntl.ioctl(fd, 0x8004587D, struct.pack("I", 2))
print(before, time.time() * 1000)
`

function power(...args: readonly string[]): void {
  if (args[0] === 'make') mkdirSync(dirname(args[1] as string), { recursive: true })
  execFileSync('python3', [powercut, ...args], { stdio: ['ignore', 'ignore', 'inherit'] })
}

async function checkFiles(
  cluster: RealCluster,
  {
    history,
    faultMs,
    round,
    violations,
  }: { readonly history: History; readonly faultMs: number; readonly round: number; readonly violations: string[] },
): Promise<number> {
  const client = await connect({ cluster: cluster.clusterPath, timeoutMs: 20_000 })
  try {
    for (const path of history.paths()) {
      const found = await readIfThere(client, path)
      const allowed = history.allowed(path, faultMs)
      const state = allowed.find((candidate) => matches(found, candidate))
      if (state === undefined && !(found === undefined && allowed.includes(undefined))) {
        violations.push(
          `round ${round}: ${path} holds ${found === undefined ? 'nothing' : `${found.length} bytes`}, ` +
            `allowed were ${JSON.stringify(allowed.map((one) => one?.length ?? 'nothing'))}`,
        )
      }
      history.settle(path, state)
    }
    const known = new Set(history.paths())
    for (const { path, stats } of await client.readdir('/', { recursive: true, withFileTypes: true })) {
      if (stats.isFile() && !known.has(path)) violations.push(`round ${round}: ${path} is visible, and nobody wrote it`)
    }
    return known.size
  } finally {
    await client.close()
  }
}

async function readIfThere(client: AshlarClient, path: string): Promise<Buffer | undefined> {
  try {
    return await client.readFile(path)
  } catch (error) {
    if (isAshlarError(error, 'not-found')) return undefined
    throw new Error(`${path} cannot be read after the restart`, { cause: error })
  }
}

interface Books {
  readonly id: string
  readonly usedBytes: number
  readonly chunks: number
}

/** What each server says, once the trash is purged, gc has nothing left to delete, and two looks agree. */
async function readBooks(cluster: RealCluster): Promise<readonly Books[]> {
  const client = await connect({ cluster: cluster.clusterPath, timeoutMs: 20_000 })
  try {
    let last = ''
    for (let look = 0; look < 40; look++) {
      const nodes = (await client.nodes()).map(({ id, usedBytes, chunks }) => ({ id, usedBytes, chunks }))
      const { trashEntries, pendingDeletes } = await client.status()
      const text = trashEntries + pendingDeletes > 0 ? '' : JSON.stringify(nodes)
      if (text !== '' && text === last) return nodes
      last = text
      await new Promise((resolve) => setTimeout(resolve, 1_200))
    }
    throw new Error('the servers never came to rest')
  } finally {
    await client.close()
  }
}

/** Each store again, from a scan of its disk alone: its index is thrown away first. */
async function checkDisks(
  cluster: RealCluster,
  {
    books,
    round,
    violations,
  }: { readonly books: readonly Books[]; readonly round: number; readonly violations: string[] },
): Promise<void> {
  const env = createNodeEnv({ log: 'silent' })
  const { clusterId } = JSON.parse(readFileSync(cluster.clusterPath, 'utf8')) as { clusterId: ClusterId }
  for (const { role, id, data } of cluster.ready.processes) {
    if (role !== 'chunkserver') continue
    const left = readdirSync(join(data, 'tmp'))
    if (left.length > 0) violations.push(`round ${round}: ${left.length} temporary files are left in ${data}`)
    if (existsSync(join(data, 'index'))) rmSync(join(data, 'index'), { recursive: true })
    const store = await openDiskStore({ env, path: data, identity: { cluster: clusterId } })
    const { usedBytes, chunks } = store.space()
    await store.close()
    const said = books.find((entry) => entry.id === id)
    if (said?.usedBytes !== usedBytes || said.chunks !== chunks) {
      violations.push(
        `round ${round}: server ${id} said ${said?.usedBytes} bytes in ${said?.chunks} chunks, its disk holds ${usedBytes} in ${chunks}`,
      )
    }
  }
}

function seededFraction(seed: number): () => number {
  let state = seed >>> 0 || 1
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '20' },
      mode: { type: 'string', default: 'kill' },
      seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    },
  })
  process.stdout.write(`seed ${values.seed}\n`)
  const result = await runRounds({
    rounds: Number(values.rounds),
    mode: values.mode === 'power' ? 'power' : 'kill',
    seed: Number(values.seed),
    say: (line) => process.stdout.write(`${line}\n`),
  })
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`)
  process.exitCode = result.violations.length === 0 ? 0 : 1
}

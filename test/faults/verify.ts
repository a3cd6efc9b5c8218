/**
 * What must hold after a fault: every file is in a state that its history allows, nothing else is visible, the cluster comes to
 * rest, and its books agree with its disks.
 * @module
 */
import { setTimeout as wait } from 'node:timers/promises'
import { type AshlarClient, type ByteLedger, connect, isAshlarError } from '../../src/client/index.ts'
import { type Books, compareDisk, readBooks } from './books.ts'
import type { HandCluster } from './hand-cluster.ts'
import { type History, matches } from './history.ts'

export type ViolationKind =
  | 'lost'
  | 'wrong bytes'
  | 'unreadable'
  | 'invented'
  | 'strange failure'
  | 'missing copy'
  | 'leak'
  | 'no recovery'
  | 'fsck'

export interface Violation {
  readonly kind: ViolationKind
  readonly round: number
  readonly text: string
}

export type Tell = (kind: ViolationKind, text: string) => void

const readsAtOnce = 8
const redundantWithinMs = 240_000
/** Sessions of ended clients live for a minute of cluster time; what they left goes after it. */
const restWithinMs = 240_000

export interface FileCheck {
  readonly history: History
  /** Acknowledgements stamped later prove nothing. */
  readonly faultMs: number
  readonly tell: Tell
  /** Through which they are read; default: the SDK. */
  readonly door?: Door | undefined
}

/** Another way to see what is there. */
export interface Door {
  /** Undefined: there is nothing. */
  readonly read: (path: string) => Promise<Buffer | undefined>
  readonly list: () => Promise<readonly string[]>
}

/** @returns how many files were read */
export async function checkFiles(cluster: HandCluster, check: FileCheck): Promise<number> {
  const { history, tell, door } = check
  await using client = await connect({ cluster: cluster.clusterPath, timeoutMs: 30_000 })
  const paths = history.paths()
  const left = paths.values()
  await Promise.all(
    Array.from({ length: readsAtOnce }, async () => {
      for (const path of left) await checkFile(path, door?.read ?? ((one) => readFile(client, one)), check)
    }),
  )
  const known = new Set(paths)
  for (const path of await (door?.list() ?? listFiles(client))) {
    if (!known.has(path)) tell('invented', `${path} is visible, and nobody wrote it`)
  }
  return known.size
}

async function readFile(client: AshlarClient, path: string): Promise<Buffer | undefined> {
  try {
    return await client.readFile(path)
  } catch (error) {
    if (isAshlarError(error, 'not-found')) return undefined
    throw error
  }
}

async function listFiles(client: AshlarClient): Promise<string[]> {
  const entries = await client.readdir('/', { recursive: true, withFileTypes: true })
  return entries.filter(({ stats }) => stats.isFile()).map(({ path }) => path)
}

async function checkFile(path: string, read: Door['read'], { history, faultMs, tell }: FileCheck): Promise<void> {
  let found: Buffer | undefined
  try {
    found = await read(path)
  } catch (error) {
    tell('unreadable', `${path}: ${String(error)}`)
    return
  }
  const allowed = history.allowed(path, faultMs)
  if (allowed.some((candidate) => matches(found, candidate))) {
    history.settle(
      path,
      allowed.find((candidate) => matches(found, candidate)),
    )
    return
  }
  const kind = found === undefined || history.held(path, found) ? 'lost' : 'wrong bytes'
  const lengths = JSON.stringify(allowed.map((one) => one?.length ?? 'nothing'))
  tell(kind, `${path} holds ${found === undefined ? 'nothing' : `${found.length} bytes`}, allowed were ${lengths}`)
  // From now on that is what it holds: each round tells of its own.
  history.settle(path, found && { seed: 0, length: found.length, bytes: found })
}

/** Waits until all servers are up and no chunk is short of a copy. */
export async function waitUntilRedundant(cluster: HandCluster, tell: Tell): Promise<void> {
  await using client = await connect({ cluster: cluster.clusterPath, timeoutMs: 30_000 })
  const untilMs = performance.now() + redundantWithinMs
  for (;;) {
    const { serversUp, servers, underReplicatedChunks } = await client.status()
    if (serversUp === servers && underReplicatedChunks === 0) return
    if (performance.now() > untilMs) {
      tell(
        'no recovery',
        `${serversUp} of ${servers} servers are up, ${underReplicatedChunks} chunks are short of copies`,
      )
      return
    }
    await wait(100)
  }
}

/** Waits until the trash is purged and the servers hold exactly what the files name, in three copies; or for so long. */
export async function waitForRest(cluster: HandCluster): Promise<void> {
  await using client = await connect({ cluster: cluster.clusterPath, timeoutMs: 30_000 })
  const untilMs = performance.now() + restWithinMs
  while (performance.now() < untilMs) {
    const { trashEntries, pendingDeletes, underReplicatedChunks } = await client.status()
    if (trashEntries + pendingDeletes + underReplicatedChunks === 0 && holdsOnlyCopies(await client.insight.ledger()))
      return
    await wait(500)
  }
}

/** What the cluster says of itself, at rest. */
export async function checkFsck(cluster: HandCluster, tell: Tell): Promise<void> {
  await using client = await connect({ cluster: cluster.clusterPath, timeoutMs: 30_000 })
  const { counts, isClean, findings } = await client.insight.fsck()
  if (!isClean) tell('fsck', JSON.stringify({ counts, first: findings.slice(0, 3) }))
}

/** By the ledger: lengths of files say nothing where files share their chunks. */
function holdsOnlyCopies(ledger: ByteLedger): boolean {
  const { liveBytes, replicaBytes, trashBytes, orphanBytes, reservedBytes, pendingReclaimBytes } = ledger
  const others = trashBytes + orphanBytes + reservedBytes + pendingReclaimBytes + ledger.unmeasuredServers
  return others === 0 && replicaBytes === 2 * liveBytes
}

/** Right after a crash, before any server ran again: whatever a commit counted as a copy must be one. */
export async function checkCopies(cluster: HandCluster, tell: Tell): Promise<void> {
  const books = await readBooks(cluster)
  for (const name of cluster.chunkServers) {
    const { missing } = await compareDisk(cluster, { name, books, rescan: false })
    if (missing.length > 0) tell('missing copy', `${name} lacks ${missing.length} chunks, the first ${missing[0]}`)
  }
}

export interface RestResult {
  readonly books: Books
  readonly leakedBytes: number
}

/** Of a cluster that came to rest and was stopped: each disk by a scan of it alone. */
export async function checkDisks(cluster: HandCluster, tell: Tell): Promise<RestResult> {
  const books = await readBooks(cluster)
  let leakedBytes = 0
  for (const name of cluster.chunkServers) {
    const { missing, extra, extraBytes, temporaryFiles } = await compareDisk(cluster, { name, books, rescan: true })
    if (missing.length > 0) tell('missing copy', `${name} lacks ${missing.length} chunks, the first ${missing[0]}`)
    if (extra.length > 0) {
      tell(
        'leak',
        `${name} holds ${extra.length} chunks (${extraBytes} bytes) that nothing names, the first ${extra[0]}`,
      )
    }
    if (temporaryFiles > 0) tell('leak', `${name} has ${temporaryFiles} temporary files`)
    leakedBytes += extraBytes
  }
  return { books, leakedBytes }
}

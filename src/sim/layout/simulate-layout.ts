/**
 * What a loss means for a layout: builds the cluster that was described, fills it, kills what is to die, and asks the
 * production planners what is lost, what is endangered, and how the repair goes. Nothing runs event by event: an answer for two
 * hundred servers takes a second, and the same seed gives the same answer.
 * @module
 */
import { AshlarError } from '../../base/errors.ts'
import type { ServerId } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import { type StrategyName, strategyOf } from '../../cluster/placement-strategy.ts'
import { policiesOf } from '../../cluster/policies.ts'
import type { RandomChoice } from '../../cluster/random-choice.ts'
import { seededRandom } from '../../env/seeded-random.ts'
import type { Hardware } from './copy-resources.ts'
import { fillGroups } from './fill-groups.ts'
import { LayoutCluster } from './layout-cluster.ts'
import { type RepairReport, runRepair, survivorCounts } from './repair-run.ts'

export interface LayoutOptions extends Hardware {
  readonly servers: number
  readonly racks: number
  readonly domain: 'rack' | 'host'
  readonly policy: string
  readonly strategy: StrategyName
  readonly capacityBytes: number
  /** Of files, each byte once; absent: half of what the cluster can hold. */
  readonly fileBytes?: number | undefined
  /** Absent: as many as chunks of the usual size. */
  readonly files?: number | undefined
  readonly kill: Kill
  readonly deadAfterMs: number
  readonly holdOffMs: number
  readonly seed: number
}

export type Kill =
  | { readonly kind: 'nothing' }
  /** Numbers from 1. */
  | { readonly kind: 'rack' | 'server'; readonly number: number }
  /** So many, drawn by the seed. */
  | { readonly kind: 'servers'; readonly count: number }

export interface LayoutReport {
  readonly cluster: {
    readonly servers: number
    readonly racks: number
    readonly domain: 'rack' | 'host'
    readonly policy: string
    readonly replicas: number
    readonly strategy: StrategyName
    readonly capacityBytes: number
    readonly hardware: Hardware
    readonly fileBytes: number
    readonly files: number
    readonly chunks: number
    readonly groups: number
    readonly usedFraction: number
    readonly fullestFraction: number
  }
  readonly killed: { readonly servers: number; readonly serverNumbers: readonly number[]; readonly bytes: number }
  /** No copy is left: gone if the disks are, unreadable until one of their servers is back otherwise. */
  readonly lost: Damage & { readonly files: number }
  /** One copy is left, of several. */
  readonly lastCopy: Damage
  /** Fewer copies than the policy says, and at least one. */
  readonly underReplicated: Damage
  /** Groups that take writes on all of their members. */
  readonly writableGroups: number
  readonly repair: RepairReport
  readonly after: { readonly usedFraction: number; readonly fullestFraction: number }
  readonly seed: number
}

export interface Damage {
  readonly groups: number
  readonly chunks: number
  /** Each chunk once. */
  readonly bytes: number
}

/** Portions by which a cluster is filled, for each group. */
const portionsPerGroup = 40

/** @throws {AshlarError} `invalid-argument`, `no-space` — no such layout can be */
export function simulateLayout(options: LayoutOptions): LayoutReport {
  const policy = policiesOf().find(({ name }) => name === options.policy)
  if (policy === undefined) {
    const known = policiesOf().map(({ name }) => name)
    throw new AshlarError('invalid-argument', `Cannot simulate policy ${options.policy}: known are ${known.join(', ')}`)
  }
  const { replicas } = policy
  const random = seededRandom(options.seed)
  const strategy = strategyOf(options.strategy)
  const cluster = new LayoutCluster({ ...options, replicas, strategy }, random.stream('groups'))
  if (cluster.groups.length === 0) {
    throw new AshlarError(
      'invalid-argument',
      `Cannot place ${replicas} copies in ${new Set([...cluster.view().servers.values()].map(({ domain }) => domain)).size} ` +
        'failure domains: give more servers or racks, or --domain host',
    )
  }
  const fileBytes = options.fileBytes ?? Math.floor((options.servers * options.capacityBytes) / (2 * replicas))
  const files = options.files ?? Math.ceil(fileBytes / limits.chunkSizeDefaultBytes)
  const chunks = files * Math.max(1, Math.ceil(fileBytes / Math.max(1, files) / limits.chunkSizeDefaultBytes))
  const copyBytes = fileBytes / Math.max(1, chunks)
  cluster.setChunkBytes(Math.max(1, copyBytes))
  const portions = Math.max(1, Math.min(chunks, portionsPerGroup * cluster.groups.length))
  if (fileBytes > 0) fillGroups(cluster, { chunkBytes: fileBytes, portions }, random.stream('fill'))

  const before = fullness(cluster)
  const killed = targetsOf(cluster, options.kill, random.stream('kill'))
  const killedBytes = killed.reduce((sum, id) => sum + cluster.usedBytes(id), 0)
  for (const id of killed) cluster.kill(id, options.deadAfterMs)
  const damage = assess(cluster, replicas)
  const { hardware, deadAfterMs, holdOffMs } = { hardware: hardwareOf(options), ...options }
  const repair = runRepair(cluster, { hardware, copyBytes, deadAfterMs, holdOffMs }, random.stream('repair'))
  const lostFraction = chunks === 0 ? 0 : damage.lost.chunks / chunks
  const chunksPerFile = files === 0 ? 0 : chunks / files
  return {
    cluster: {
      servers: options.servers,
      racks: options.racks,
      domain: options.domain,
      policy: policy.name,
      replicas,
      strategy: options.strategy,
      capacityBytes: options.capacityBytes,
      hardware,
      fileBytes,
      files,
      chunks,
      groups: cluster.groups.length,
      ...before,
    },
    killed: { servers: killed.length, serverNumbers: killed.map((id) => Number.parseInt(id, 16)), bytes: killedBytes },
    // Large files take their chunks from many groups, one after the other.
    lost: { ...damage.lost, files: Math.round(files * (1 - (1 - lostFraction) ** chunksPerFile)) },
    lastCopy: damage.lastCopy,
    underReplicated: damage.underReplicated,
    writableGroups: damage.writableGroups,
    repair,
    after: fullness(cluster),
    seed: options.seed,
  }
}

function hardwareOf(options: Hardware): Hardware {
  const { diskBytesPerSecond, netBytesPerSecond, uplinkBytesPerSecond, repairShare, copyLatencyMs } = options
  return { diskBytesPerSecond, netBytesPerSecond, uplinkBytesPerSecond, repairShare, copyLatencyMs }
}

function targetsOf(cluster: LayoutCluster, kill: Kill, random: RandomChoice): readonly ServerId[] {
  const ids = cluster.serverIds
  switch (kill.kind) {
    case 'nothing':
      return []
    case 'rack': {
      const chosen = ids.filter((id) => cluster.rackOf(id) === kill.number)
      if (chosen.length > 0) return chosen
      throw noSuch(`rack ${kill.number}`, `the racks are 1 to ${cluster.shape.racks}`)
    }
    case 'server': {
      const chosen = ids.slice(kill.number - 1, kill.number)
      if (kill.number > 0 && chosen.length > 0) return chosen
      throw noSuch(`server ${kill.number}`, `the servers are 1 to ${ids.length}`)
    }
    case 'servers':
      if (kill.count <= ids.length) return random.shuffled(ids).slice(0, kill.count)
      throw noSuch(`${kill.count} servers`, `there are ${ids.length}`)
  }
}

function noSuch(what: string, why: string): AshlarError {
  return new AshlarError('invalid-argument', `Cannot kill ${what}: ${why}`)
}

function assess(
  cluster: LayoutCluster,
  replicas: number,
): { lost: Damage; lastCopy: Damage; underReplicated: Damage; writableGroups: number } {
  const counts = survivorCounts(cluster)
  const damageOf = (isMeant: (survivors: number) => boolean): Damage => {
    let [groups, chunks, bytes] = [0, 0, 0]
    for (const [index, survivors] of counts.entries()) {
      const group = cluster.groups[index]
      if (group === undefined || !isMeant(survivors)) continue
      groups++
      chunks += cluster.chunks(group.id)
      bytes += cluster.sizeBytes(group.id)
    }
    return { groups, chunks, bytes }
  }
  return {
    lost: damageOf((survivors) => survivors === 0),
    lastCopy: damageOf((survivors) => survivors === 1 && replicas > 1),
    underReplicated: damageOf((survivors) => survivors > 0 && survivors < replicas),
    writableGroups: counts.filter((survivors) => survivors === replicas).length,
  }
}

function fullness(cluster: LayoutCluster): { readonly usedFraction: number; readonly fullestFraction: number } {
  const { capacityBytes } = cluster.shape
  const used = cluster.serverIds.filter((id) => cluster.isUp(id)).map((id) => cluster.usedBytes(id) / capacityBytes)
  const sum = used.reduce((total, fraction) => total + fraction, 0)
  return { usedFraction: used.length === 0 ? 0 : sum / used.length, fullestFraction: Math.max(0, ...used) }
}

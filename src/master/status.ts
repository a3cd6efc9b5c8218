/** The whole cluster in one look: sums over what servers reported, and the counters of the metadata. @module */
import type { ClusterId } from '../base/ids.ts'
import type { Rising } from '../base/rising.ts'
import type { ClusterMapIndex } from '../cluster/cluster-map.ts'
import { type Crowding, crowdingOf } from '../cluster/plan-spread.ts'
import type { TxnKV } from '../kv/txn-kv.ts'
import type { Namespace } from '../namespace/namespace.ts'
import type { ClusterStatus } from '../wire/methods/cluster-methods.ts'
import type { BackupStatus } from '../wire/types/backup-status.ts'
import type { NodeStatus } from '../wire/types/cluster-map.ts'
import type { CurrentMap } from './current-map.ts'
import type { LostFuture } from './lost-future.ts'
import type { ServerRegistry } from './server-registry.ts'
import type { Settings } from './settings.ts'
import { chunksShort, drainLeft, reportWork, type WorkOptions } from './work-report.ts'

export interface StatusOptions {
  readonly clusterId: ClusterId
  readonly generation: number
  readonly leaderEpoch: Rising
  readonly kv: TxnKV
  readonly namespace: Namespace
  readonly map: CurrentMap
  readonly registry: ServerRegistry
  readonly settings: Settings
  readonly lostFuture: Pick<LostFuture, 'sentence'>
  readonly clusterTime: () => Rising
  readonly work: WorkOptions
  /** Undefined: none are kept. */
  readonly backups?: () => BackupStatus | undefined
  readonly uptimeMs: () => number
  readonly version: string
}

export async function clusterStatus(options: StatusOptions): Promise<ClusterStatus> {
  const { clusterId, generation, leaderEpoch, registry, map, settings } = options
  const nodes = registry.nodes()
  const present = nodes.filter(({ state }) => state !== 'left')
  const missed = nodes.filter(({ id }) => registry.peerOf(id) === undefined && map.index.groupsOfServer(id).length > 0)
  const sum = (bytesOf: (node: NodeStatus) => number) => present.reduce((total, node) => total + bytesOf(node), 0)
  const [totals, metadataBytes] = await Promise.all([options.namespace.totals(), options.kv.usedBytes()])
  return {
    clusterId,
    generation,
    leaderEpoch,
    clusterTime: options.clusterTime(),
    servers: present.length,
    serversUp: present.filter(({ id }) => registry.peerOf(id) !== undefined).length,
    groups: map.index.map.groups.length,
    capacityBytes: sum((node) => node.capacityBytes),
    usedBytes: sum((node) => node.usedBytes),
    reservedBytes: sum((node) => node.reservedBytes),
    freeBytes: sum((node) => node.freeBytes),
    trashBytes: totals.trashBytes,
    trashEntries: totals.trashEntries,
    files: totals.files,
    directories: totals.directories,
    lengthBytes: totals.lengthBytes,
    versions: totals.versions,
    versionBytes: totals.versionBytes,
    underReplicatedChunks: totals.owedReplicas + chunksShort(options.work),
    pendingDeletes: totals.pendingDeletes,
    openAllocations: totals.openAllocations,
    sessions: totals.sessions,
    metadataBytes,
    safeMode: map.index.map.groups.some((group) => !registry.isCompared(group)),
    defaultPolicy: settings.values.defaultPolicy,
    chunkSizeBytes: settings.values.chunkSizeBytes,
    trashKeepMs: settings.values.trashKeepMs,
    uptimeMs: options.uptimeMs(),
    version: options.version,
    readOnly: options.kv.isReadOnly,
    restoreNeeded: options.lostFuture.sentence,
    work: reportWork(options.work),
    paused: options.work.paused.names,
    serversMissed: missed.length,
    serversInMaintenance: missed.filter(({ id }) => registry.isInMaintenance(id)).length,
    holdOffMs: options.work.changes.massLoss()?.leftMs,
    backup: options.backups?.(),
    oldestUnscrubbedSeconds: oldestUnscrubbedSeconds(present),
    scrubWithinMs: settings.values.scrubWithinMs,
    crowding: crowdingIn(map.index, present),
  }
}

/** Of each map once: all its groups are looked at. */
const crowdings = new WeakMap<ClusterMapIndex, { readonly crowding: Crowding | undefined }>()

function crowdingIn(index: ClusterMapIndex, present: readonly NodeStatus[]): Crowding | undefined {
  let known = crowdings.get(index)
  if (known === undefined) {
    known = { crowding: crowdingOf(index.map.groups, new Map(present.map((node) => [node.id, node]))) }
    crowdings.set(index, known)
  }
  return known.crowding
}

function oldestUnscrubbedSeconds(nodes: readonly NodeStatus[]): number | undefined {
  const told = nodes.flatMap((node) => node.oldestUnscrubbedSeconds ?? [])
  return told.length === 0 ? undefined : Math.max(...told)
}

/** Each chunk server, with what its drain or maintenance has left. */
export function clusterNodes(work: WorkOptions, nowMs: number): readonly NodeStatus[] {
  return work.registry.nodes().map((node) => {
    const left = drainLeft(node.id, work)
    const untilMs = work.map.dutyOf(node.id).maintenanceUntilMs ?? 0
    return {
      ...node,
      ...(left === undefined ? {} : { groupsLeft: left.groups, bytesLeft: left.bytes }),
      ...(untilMs > nowMs ? { maintenanceMs: untilMs - nowMs } : {}),
    }
  })
}

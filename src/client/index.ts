/**
 * The package's door: `import { connect } from 'ashlar'`.
 *
 * It loads almost nothing itself, so that a Node that is too old is refused by name, instead of by a syntax error from
 * somewhere below.
 * @module
 */
import '../env/require-node.ts'
import type { AshlarClient } from './filesystem.ts'
import type { ConnectOptions } from './options.ts'

export type { Applied, ErrorCode, Retry } from '../base/error-table.ts'
export { AshlarError, isAshlarError } from '../base/errors.ts'
export type { ChunkId, ClusterId, ServerId } from '../base/ids.ts'
export { objectPath } from '../base/object-path.ts'
export type { BackupEntry } from '../wire/methods/backup-methods.ts'
export type { ClusterStatus } from '../wire/methods/cluster-methods.ts'
export type {
  CancelledDuty,
  DutyPlan,
  PausableDuty,
  PlannedStep,
  SafeMode,
  WorkReport,
} from '../wire/methods/duty-methods.ts'
export type {
  FsckCounts,
  FsckFinding,
  GroupExplanation,
  IfLostReport,
  RefusalRecord,
  ServerExplanation,
} from '../wire/methods/insight-methods.ts'
export type { BackupStatus } from '../wire/types/backup-status.ts'
export type { ClusterEvent, EventKind } from '../wire/types/cluster-event.ts'
export type { ClusterMap, MemberDuty, NodeStatus } from '../wire/types/cluster-map.ts'
export type { BackupList, Backups } from './backup-calls.ts'
export type { ByteLedger, PendingReclaim } from './byte-ledger.ts'
export type { ChunkAccess, ChunkAccessOptions } from './chunk-access.ts'
export type { ClusterFile } from './cluster-file.ts'
export type { Duties } from './duty-calls.ts'
export type { DirectoryEntry, FileStats } from './file-stats.ts'
export type {
  AshlarClient,
  ChunkReport,
  ClusterView,
  FileHandle,
  FileSystem,
  ListedObject,
  Lock,
  ReplicaReport,
  Store,
  Summary,
  TrashEntry,
} from './filesystem.ts'
export type { EventOptions, FsckOptions, FsckReport, Insight } from './insight-calls.ts'
export type * from './options.ts'
export type { BadReplica, ScrubbedFiles, ScrubCounts, ScrubOptions } from './scrub-calls.ts'
export type * from './versions.ts'

/**
 * Connects to a cluster. Resolves once its master has answered.
 *
 * @example
 * ```ts
 * await using client = await connect()
 * await client.writeFile('/hello', 'world', { makeParents: true })
 * console.log(await client.readFile('/hello', 'utf8'))
 * ```
 * @throws {AshlarError} `not-found`, `invalid-argument` (the cluster file), `unavailable` (no master within `timeoutMs`),
 *   `unauthenticated` (a wrong key, at once), `wrong-cluster`
 */
export async function connect(options: ConnectOptions = {}): Promise<AshlarClient> {
  const { connectClient } = await import('./connect.ts')
  return connectClient(options)
}

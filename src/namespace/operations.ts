/**
 * What the namespace offers to the master around it: the operations that clients ask for, what any master may do, and
 * what only the leader may.
 * @module
 */
import type { ChunkDigest, ChunkFacts } from '../base/digest.ts'
import type { ChunkId, GroupId, ServerId } from '../base/ids.ts'
import type { Rising } from '../base/rising.ts'
import type { Replacement, Settlement } from '../cluster/member-change.ts'
import type { Method } from '../wire/method.ts'
import type * as fileMethods from '../wire/methods/file-methods.ts'
import type * as sessionMethods from '../wire/methods/session-methods.ts'
import type * as versionMethods from '../wire/methods/version-methods.ts'
import type * as writeMethods from '../wire/methods/write-methods.ts'
import type { Xattr } from '../wire/types/attributes.ts'
import type { ClusterEvent } from '../wire/types/cluster-event.ts'
import type { Group, Policy, ServerEntry } from '../wire/types/cluster-map.ts'
import type { Allocation, Extent } from '../wire/types/extent.ts'

type Operation<M> = M extends Method<infer Request, infer Response> ? (request: Request) => Promise<Response> : never

/** What clients ask for. Documented where the wire declares them; below is only what the master must add. */
export interface ClientOperations {
  readonly openSession: Operation<typeof sessionMethods.openSession>
  readonly keepSession: Operation<typeof sessionMethods.keepSession>
  /** Marks the session ended and takes the first steps of what follows; the leader's {@link Leader.expireSessions} takes the rest. */
  readonly endSession: Operation<typeof sessionMethods.endSession>
  /** Tries once, whatever `waitMs`: `locked` (with `details.holder`) when someone holds it. The master waits and calls again. */
  readonly lock: Operation<typeof sessionMethods.lock>
  readonly unlock: Operation<typeof sessionMethods.unlock>
  readonly fenceRequest: Operation<typeof sessionMethods.fenceRequest>

  readonly releaseAllocations: Operation<typeof writeMethods.releaseAllocations>
  /** The MACs of the receipts were verified before; everything else about them is judged here. So for all that carry receipts. */
  readonly commitFile: Operation<typeof writeMethods.commitFile>
  readonly beginFile: Operation<typeof writeMethods.beginFile>
  readonly addExtents: Operation<typeof writeMethods.addExtents>
  readonly linkFile: Operation<typeof writeMethods.linkFile>
  readonly linkAppend: Operation<typeof writeMethods.linkAppend>
  readonly appendFile: Operation<typeof writeMethods.appendFile>
  readonly abandonFile: Operation<typeof writeMethods.abandonFile>

  readonly stat: Operation<typeof fileMethods.stat>
  readonly listDirectory: Operation<typeof fileMethods.listDirectory>
  readonly listObjects: Operation<typeof fileMethods.listObjects>
  /** As {@link listObjects}: the response as its method's struct encodes it. */
  readonly encodeObjects: (request: Parameters<ClientOperations['listObjects']>[0]) => Promise<Buffer>
  readonly openFile: Operation<typeof fileMethods.openFile>
  readonly getExtents: Operation<typeof fileMethods.getExtents>
  readonly summarize: Operation<typeof fileMethods.summarize>
  readonly listTrash: Operation<typeof fileMethods.listTrash>

  readonly makeDirectory: Operation<typeof fileMethods.makeDirectory>
  readonly rename: Operation<typeof fileMethods.rename>
  readonly remove: Operation<typeof fileMethods.remove>
  readonly truncate: Operation<typeof fileMethods.truncate>
  readonly concat: Operation<typeof fileMethods.concat>
  readonly copyFile: Operation<typeof fileMethods.copyFile>
  readonly setAttributes: Operation<typeof fileMethods.setAttributes>
  readonly setXattrs: Operation<typeof fileMethods.setXattrs>
  readonly undelete: Operation<typeof fileMethods.undelete>
  readonly emptyTrash: Operation<typeof fileMethods.emptyTrash>

  readonly listVersions: Operation<typeof versionMethods.listVersions>
  readonly setVersioning: Operation<typeof versionMethods.setVersioning>
  readonly removeObject: Operation<typeof versionMethods.removeObject>
  readonly setObjectLock: Operation<typeof versionMethods.setObjectLock>
}

export interface Namespace extends ClientOperations {
  /** Makes the root directory if it is missing. Call it once before anything else. Idempotent. */
  initialize(): Promise<void>

  /** Takes the leadership: the epoch rises, and every transaction of an earlier {@link Leader} fails from now on. */
  becomeLeader(): Promise<Leader>
  /** The epoch of the leader now; 0 before the first. */
  leaderEpoch(): Promise<Rising>

  /**
   * Numbers for `NamespaceContext.issue()`: all of `first` ≤ n < `end`, given to nobody else, greater than all reserved
   * before. Needs no number itself. A block that is lost in a crash is a gap, which is fine.
   */
  reserveIssueBlock(count: number): Promise<IssueBlock>
  /** Cluster time as it was last persisted (ahead): a new leader begins there. In ms, without generation; 0 at first. */
  persistedClusterTimeMs(): Promise<number>

  /**
   * The policy that a file to be made at `path` gets: of the nearest directory that names one.
   * @throws {AshlarError} as a create would: `invalid-name`, `not-a-directory`, `is-a-directory`, `not-found` (a parent is missing, unless `makeParents`)
   */
  resolvePolicy(path: string, options?: { readonly makeParents?: boolean }): Promise<Policy>

  /**
   * Opens an allocation: the next ids of the group, up to `count`, never past the end of a page (`limits.pageIds`) and
   * at most `limits.allocationIds`. Closed by release, the end of its session, or after `limits.allocationLifeMs`.
   * @throws {AshlarError} `session-ended`; `stale-epoch` — no such group
   */
  insertAllocation(order: AllocationOrder): Promise<Omit<Allocation, 'token'>>

  /** The groups whose id is `from` or higher, at most `limit`, by id. */
  getGroups(page?: PageOptions): Promise<readonly GroupRecord[]>
  /** The servers, by id, after the id `after`. */
  getServers(page?: { readonly after?: ServerId; readonly limit?: number }): Promise<readonly ServerRecord[]>
  /** Rises with each {@link Leader.putGroup}, {@link Leader.putServer} and {@link Leader.raiseMapVersion}. */
  mapVersion(): Promise<Rising>
  getSettings(): Promise<ReadonlyMap<string, string>>
  /** Opaque records of the master (cluster id, generation, …). */
  getRecord(name: string): Promise<Buffer | undefined>

  /** The namespace half of `describeChunks`: at most `limits.extentsPerPage` from extent `from` on. */
  describeExtents(request: { readonly path: string; readonly from: number }): Promise<ExtentDescriptions>

  /** Digests of a group's pages from `fromPage` on, at most `limit` (default and most 1,024), by page. Empty pages have no row. */
  pageDigests(
    group: GroupId,
    page?: { readonly fromPage?: number; readonly limit?: number },
  ): Promise<readonly PageDigest[]>
  /** The pages of all groups, by group and page, after the one given: at most `limit`, and complete up to the last one. */
  allPageDigests(page: {
    readonly after?: PagePosition
    readonly limit: number
  }): Promise<readonly (PageDigest & PagePosition)[]>
  /** Every live chunk of a page, by id, in one transaction, and the digest that `E` holds: whoever deletes by absence compares the two. */
  pageChunks(group: GroupId, page: number): Promise<PageChunks>
  /** No open allocation in the page, and no pending delete: only then may its digest be compared. */
  pageIsClosed(group: GroupId, page: number): Promise<boolean>

  /** What the metadata knows of chunks that members list and it does not name: ask after the list was taken. */
  judgeStrays(chunks: readonly ChunkId[]): Promise<ReadonlyMap<ChunkId, Stray>>
  /** One bounded part of a walk over all files, against the chunks that they name; `cursor` as the last part gave it. */
  surveyFiles(part: {
    readonly cursor: Buffer | undefined
    readonly suspects: ReadonlySet<ChunkId>
  }): Promise<FileSurvey>

  /** Events with a number above `after`, at most `limit`; `last`: the number of the newest. */
  readEvents(page: {
    readonly after: number
    readonly limit: number
  }): Promise<{ readonly events: readonly ClusterEvent[]; readonly last: number }>

  /** From counters kept by the operations, never from a scan. */
  totals(): Promise<Totals>
}

/** What only the leader does, fenced by its epoch. Each call is bounded: work that is left shows in the result. */
export interface Leader {
  readonly epoch: Rising

  putGroup(record: GroupRecord): Promise<void>
  /** One member gives its slot to another server: see cluster/member-change.ts. @throws {AshlarError} `stale-epoch`, `invalid-argument` */
  replaceMember(replacement: Replacement): Promise<Group>
  /** A filling member was seen to hold everything; it counts from now on. @returns undefined while it owes a replica */
  settleMember(settlement: Settlement): Promise<Group | undefined>
  /** @throws {AshlarError} `invalid-argument` — chunks of the group are still live */
  removeGroup(group: GroupId): Promise<void>
  putServer(record: ServerRecord): Promise<void>
  removeServer(server: ServerId): Promise<void>
  raiseMapVersion(): Promise<Rising>
  putSetting(name: string, value: string): Promise<void>
  putRecord(name: string, value: Buffer): Promise<void>
  /** Says that cluster time will not be given past `timeMs` (without generation) before the next call. */
  persistClusterTime(timeMs: number): Promise<void>

  /** Closes allocations whose time is over. @returns how many; `limit`: call again */
  expireAllocations(limit: number): Promise<number>
  /** Ends sessions whose time is over, and goes on with those that were ended. @returns steps taken; `limit`: call again */
  expireSessions(limit: number): Promise<number>

  /**
   * Purges what is due in trash, and goes on with what is being purged: at most `limit` steps, each one transaction of
   * at most `limits.purgeStepChunks` chunks. A crash between steps loses nothing and leaves no orphan.
   */
  purgeDue(limit: number): Promise<PurgeProgress>
  /** Chunks whose physical delete may be ordered from the members of `group`, by id, after the chunk `after`. */
  dueDeletes(group: GroupId, page: { readonly after?: ChunkId; readonly limit: number }): Promise<readonly DueDelete[]>
  /** Groups that have due deletes, from `from` on, at most `limit`. */
  groupsWithDeletes(page: { readonly from?: GroupId; readonly limit: number }): Promise<readonly GroupId[]>
  /** Notes who deleted. A chunk that every present member deleted is pending no more; its tombstone stays a while. @returns chunks done */
  confirmDeleted(confirmation: DeleteConfirmation): Promise<number>
  /** Drops tombstones whose deletes are confirmed and whose allocation is long closed. @returns how many; `limit`: call again */
  dropTombstones(limit: number): Promise<number>

  /**
   * Removes what a bucket's rules expire, as `removeObject` does, at exactly the version that was judged.
   * @throws {AshlarError} `not-found`, `changed`; `object-locked`: it stays
   */
  expireObject(expiry: {
    readonly bucket: string
    readonly key: string
    readonly ifVersion: number
    readonly objectVersion?: number
    /** Empty files to make in the same transaction, for whoever is to know. Pure: it may be asked more than once. */
    readonly notices?: ((removed: Removed) => readonly Notice[]) | undefined
  }): Promise<void>
  /** Takes the directory of an upload to trash. One that is gone is no error. */
  dropUpload(path: string): Promise<void>

  /** Writes events down, in order, each with the next number; the oldest go. @param events at most `limits.eventsPerAnswer` */
  appendEvents(events: readonly Omit<ClusterEvent, 'number'>[]): Promise<void>

  /** Idempotent. A chunk that is not live is left out. */
  queueRepair(chunk: ChunkId, server: ServerId): Promise<void>
  /** Replicas owed, by chunk, after the one given. Those of chunks that are gone are dropped on the way. */
  dueRepairs(page: { readonly after?: OwedReplica; readonly limit: number }): Promise<readonly DueRepair[]>
  /** The member was seen to hold the chunk (or owes it no longer: it left the group). Idempotent. */
  repairDone(chunk: ChunkId, server: ServerId): Promise<void>
}

export interface Removed {
  /** Of what went, or of the delete marker that came; 0: the null version; undefined: none is kept there. */
  readonly objectVersion?: number | undefined
  readonly isDeleteMarker: boolean
}

export interface Notice {
  readonly path: string
  readonly xattrs: readonly Xattr[]
}

export interface IssueBlock {
  readonly first: Rising
  /** Exclusive. */
  readonly end: Rising
}

export interface AllocationOrder {
  readonly session: number
  readonly group: GroupId
  readonly policy: Policy
  readonly count: number
}

export interface PageOptions {
  readonly from?: GroupId
  readonly limit?: number
}

/** A group and what the master keeps beside it, opaque here. Commits read it: a change makes those under way run again. */
export interface GroupRecord {
  readonly group: Group
  readonly extra?: Buffer | undefined
}

export interface ServerRecord {
  readonly server: ServerEntry
  readonly duty?: ServerDuty | undefined
  readonly extra?: Buffer | undefined
}

/** What an operator asked of a server. Times are cluster time in ms. Nothing set: it serves. */
export interface ServerDuty {
  /** Since when it gives its groups to others. */
  readonly drainingMs?: number | undefined
  /** Until then its absence is expected, and nothing is repaired for it. */
  readonly maintenanceUntilMs?: number | undefined
  /** Since when nothing depends on it. */
  readonly leftMs?: number | undefined
}

export interface ExtentDescriptions {
  readonly extents: readonly ExtentDescription[]
  /** Of the whole file. */
  readonly extentCount: number
}

export interface ExtentDescription {
  readonly extent: Extent
  readonly group: Group | undefined
  /** Members that owe a replica: repair is queued. */
  readonly owing: readonly ServerId[]
}

export interface PageDigest {
  readonly page: number
  readonly digest: ChunkDigest
  /** Of its live chunks. */
  readonly sizeBytes: number
}

/** Where a walk over all pages goes on. */
export interface PagePosition {
  readonly group: GroupId
  readonly page: number
}

export interface PageChunks {
  readonly chunks: readonly ChunkFacts[]
  readonly digest: ChunkDigest
  /** Of the group: ids from this sequence on were never given out. */
  readonly nextSequence: number
}

/** `open`: a write may still commit it. `pending-delete`: gc has it. `orphan`: it can never become part of a file. */
export type Stray = 'live' | 'open' | 'pending-delete' | 'orphan'

export interface FileSurvey {
  readonly files: number
  readonly trashedFiles: number
  readonly damaged: readonly SurveyedFile[]
  /** Undefined: that was all. */
  readonly cursor: Buffer | undefined
}

export interface SurveyedFile {
  readonly path: string
  readonly chunk: ChunkId
  readonly damage: 'unknown-chunk' | 'contradiction' | 'suspect'
}

export interface PurgeProgress {
  /** Entries of trash that left it for good. */
  readonly entries: number
  /** Chunks that became tombstones. */
  readonly chunks: number
  /** Something due is left: call again. */
  readonly more: boolean
}

export interface DueDelete extends ChunkFacts {
  /** Members that deleted it already. */
  readonly confirmed: readonly ServerId[]
}

export interface DeleteConfirmation {
  readonly group: GroupId
  readonly chunks: readonly ChunkId[]
  /** Members that deleted all of `chunks` durably (or never had them). */
  readonly servers: readonly ServerId[]
  /** Members that are dead: not waited for, since a member that returns is compared with `C` before it counts. */
  readonly absent: readonly ServerId[]
}

export interface OwedReplica {
  readonly chunk: ChunkId
  readonly server: ServerId
}

export interface DueRepair extends OwedReplica, ChunkFacts {}

export interface Totals {
  readonly files: number
  readonly directories: number
  readonly lengthBytes: number
  readonly trashEntries: number
  readonly trashBytes: number
  /** Out of trash, chunks not all tombstones yet. */
  readonly purgingBytes: number
  readonly pendingDeletes: number
  readonly pendingDeleteBytes: number
  readonly sessions: number
  readonly openAllocations: number
  readonly owedReplicas: number
  /** Older versions and delete markers of the tree. */
  readonly versions: number
  readonly versionBytes: number
}

/**
 * What the rows hold: structs of the base codec, so each begins with a format version and keeps fields that a newer
 * master wrote. Lanes of counters are in `tally.ts`. All times that expire are cluster time in ms, without generation:
 * a restore raises the generation, and must not make everything due.
 * @module
 */
import {
  bool,
  bytes,
  choice,
  field,
  hex,
  type Infer,
  id,
  list,
  optional,
  type Struct,
  struct,
  text,
  uint,
} from '../base/codec.ts'
import type { AllocationId, ContentId, GroupId, InodeId, ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Rising } from '../base/rising.ts'
import type { Transaction } from '../kv/txn-kv.ts'
import { objectLock, retention, versioning, xattr } from '../wire/types/attributes.ts'
import { group, serverEntry } from '../wire/types/cluster-map.ts'
import { extent } from '../wire/types/extent.ts'

/** The bytes of a file: the first extents here, further ones in `K` pages of `limits.extentsPerPage` by `id`. */
export const contentRow = struct('content', 1, {
  id: field(1, id<ContentId>()),
  length: field(2, uint),
  extentCount: field(3, uint),
  /** The first `min(extentCount, limits.inlineExtents)`. */
  inline: field(4, list(extent, limits.inlineExtents)),
  /** Of all bytes, where it is known. */
  crc: optional(5, uint),
})
export type Content = Infer<typeof contentRow>

/**
 * `D`: a name in a directory. A `marker` has the empty name and says that the directory was made explicitly.
 * `V`: what had the name before; a `delete-marker` (there only) says that it was removed then.
 */
export const entryRow = struct('entry', 1, {
  kind: field(1, choice('file', 'directory', 'marker', 'delete-marker')),
  version: field(2, id<Rising>()),
  modifiedMs: field(3, uint),
  createdMs: field(4, uint),
  mode: field(5, uint),
  owner: optional(6, text(255)),
  ownerGroup: optional(7, text(255)),
  xattrs: optional(8, list(xattr, 64)),
  accessedMs: optional(9, uint),
  /** Files. */
  content: optional(10, contentRow),
  /** Directories. */
  inode: optional(11, id<InodeId>()),
  policy: optional(12, text(64)),
  /** Directories: made on the way to an object. Where it is not set, the directory holds an entry with the empty name. */
  implicit: optional(13, bool),
  /** Files: the number of this version, for good. Absent: the null version. */
  objectVersion: optional(14, uint),
  retention: optional(15, retention),
  legalHold: optional(16, bool),
  /** Directories: of all that is below, where nothing nearer says it. */
  versioning: optional(17, versioning),
  objectLock: optional(18, objectLock),
})
export type Entry = Infer<typeof entryRow>
export type FileEntry = Entry & { readonly content: Content }
export type DirectoryEntryRow = Entry & { readonly inode: InodeId }

export const extentPageRow = struct('extent page', 1, { extents: field(1, list(extent, limits.extentsPerPage)) })

/** `I`: where a directory is, or a file that is being written and has no name yet. */
export const inodeRow = struct('inode', 1, {
  kind: field(1, choice('directory', 'hidden')),
  /** Directories; 0 while in trash. */
  parent: optional(2, id<InodeId>()),
  name: optional(3, text(limits.nameBytes)),
  /** Hidden files: whose they are, and what they hold so far. */
  session: optional(4, uint),
  content: optional(5, contentRow),
  /** Hidden files that share the bytes of another one: the version that it must have at the end. */
  sourceVersion: optional(6, id<Rising>()),
})
export type Inode = Infer<typeof inodeRow>

/** `C`: a chunk that a file holds, or (with `tombstonedMs`) held. */
export const chunkRow = struct('chunk', 1, {
  /** That it was committed to: others may name it since. */
  content: field(1, id<ContentId>()),
  length: field(2, uint),
  crc: field(3, uint),
  /** The version that its commit answered, where it is not the number of the content. */
  version: optional(4, id<Rising>()),
  tombstonedMs: optional(5, uint),
})
export type ChunkRow = Infer<typeof chunkRow>

export const referencesRow = struct('references', 1, { count: field(1, uint) })

/** `G`: of a tombstone, or (with length 0) of a chunk that was written and never committed. */
export const deleteRow = struct('pending delete', 1, {
  length: field(1, uint),
  crc: field(2, uint),
  confirmed: field(3, list(hex<ServerId>(16), 256)),
})

export const allocationRow = struct('allocation', 1, {
  session: field(1, uint),
  group: field(2, id<GroupId>()),
  generation: field(3, uint),
  first: field(4, uint),
  count: field(5, uint),
  closesAtMs: field(6, uint),
})
export type AllocationRow = Infer<typeof allocationRow> & { readonly id?: AllocationId }

export const sessionRow = struct('session', 1, {
  expiresAtMs: field(1, uint),
  acknowledged: field(2, uint),
  ended: field(3, bool),
})
export type Session = Infer<typeof sessionRow>

/**
 * `Y`: a mutation that was applied (`response`), is being applied in steps (`inode`: what the steps fill), or must never be
 * (`method` 0: fenced).
 */
export const requestRow = struct('request', 1, {
  method: field(1, uint),
  response: optional(2, bytes(limits.valueBytes)),
  inode: optional(3, id<InodeId>()),
})

/** `T` */
export const trashRow = struct('trash', 1, {
  path: field(1, text(limits.pathBytes)),
  entry: field(2, entryRow),
  deletedMs: field(3, uint),
  dueMs: field(4, uint),
  reason: field(5, choice('removed', 'replaced')),
  /** All below, the entry itself included; while `unmeasured`, these are counted as live and not yet known. */
  files: field(6, uint),
  directories: field(7, uint),
  lengthBytes: field(8, uint),
  unmeasured: optional(9, bool),
  /** Older versions in it. */
  versions: optional(10, uint),
  versionBytes: optional(11, uint),
})
export type TrashRow = Infer<typeof trashRow>

/** `t`: which path the trash of this number has. */
export const trashDueRow = struct('trash due', 1, { path: field(1, text(limits.pathBytes)) })

/** `Wp`: what left trash (or lost its session) and is taken apart in steps. */
export const purgeJob = struct('purge job', 1, {
  /** A file: extents before `next` are done. */
  content: optional(1, contentRow),
  next: optional(2, uint),
  /** A directory: what is left below. */
  directory: optional(3, id<InodeId>()),
  /** Counted in `purgingBytes`. */
  counted: optional(4, bool),
})
export type PurgeJob = Infer<typeof purgeJob>

/** One directory of a walk, and the last subdirectory that was entered. */
export const walkPoint = struct('walk point', 1, {
  directory: field(1, id<InodeId>()),
  after: field(2, id<InodeId>()),
})
export type WalkPoint = Infer<typeof walkPoint>
/** Deeper than a path of single letters can go. */
export const walkDepth = limits.pathBytes / 2

/** `Wm`: a removed tree that was too large to be counted by its removal. */
export const measureJob = struct('measure job', 1, {
  path: field(1, text(limits.pathBytes)),
  trail: field(2, list(walkPoint, walkDepth)),
  files: field(3, uint),
  directories: field(4, uint),
  lengthBytes: field(5, uint),
  versions: optional(6, uint),
  versionBytes: optional(7, uint),
})

export const groupRow = struct('group record', 1, {
  group: field(1, group),
  extra: optional(2, bytes(limits.valueBytes)),
})
export const serverDutyRow = struct('server duty', 1, {
  drainingMs: optional(1, uint),
  maintenanceUntilMs: optional(2, uint),
  leftMs: optional(3, uint),
})
export const serverRow = struct('server record', 1, {
  server: field(1, serverEntry),
  extra: optional(2, bytes(limits.valueBytes)),
  duty: optional(3, serverDutyRow),
})
/** One rising number: the leader's epoch, the map's version, the next number to issue, a group's next sequence. */
export const numberRow = struct('number', 1, { value: field(1, uint) })

export const lockRow = struct('lock', 1, {
  session: field(1, uint),
  fencingToken: field(2, id<Rising>()),
  holder: field(3, text(255)),
})

/** Reads and decodes one row. */
export async function readRow<T>(tx: Transaction, row: Struct<T>, key: Uint8Array): Promise<T | undefined> {
  return decodeRow(row, await tx.get(key))
}

export function decodeRow<T>(row: Struct<T>, value: Buffer | undefined): T | undefined {
  return value === undefined ? undefined : row.decode(value)
}

/** What is known of a file or directory, and what a write may ask for. @module */
import { bool, bytes, choice, field, type Infer, id, list, optional, struct, text, uint } from '../../base/codec.ts'
import type { InodeId } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import type { Rising } from '../../base/rising.ts'

export const xattr = struct('extended attribute', 1, {
  name: field(1, text(limits.xattrNameBytes)),
  value: field(2, bytes(limits.xattrValueBytes)),
})
export type Xattr = Infer<typeof xattr>

/** Until when a version cannot be removed. Governance yields to who may bypass it, compliance to nobody. */
export const retention = struct('retention', 1, {
  mode: field(1, choice('governance', 'compliance')),
  /** Wall time, ms since 1970. */
  untilMs: field(2, uint),
})
export type Retention = Infer<typeof retention>

/** Of a directory whose versions can be locked: what new ones get that name no retention. With `mode`: days or years. */
export const objectLock = struct('object lock', 1, {
  mode: optional(1, choice('governance', 'compliance')),
  days: optional(2, uint),
  years: optional(3, uint),
})
export type ObjectLock = Infer<typeof objectLock>

/** What a directory does with what is replaced or removed in it: keeps it as a version. Absent: it goes to trash. */
export const versioning = choice('enabled', 'suspended')

export const attributes = struct('attributes', 1, {
  kind: field(1, choice('file', 'directory')),
  /** Rises with every change of the file's content or attributes. */
  version: field(2, id<Rising>()),
  /** Of a directory: 0. */
  length: field(3, uint),
  /** Wall time, ms since 1970. */
  modifiedMs: field(4, uint),
  createdMs: field(5, uint),
  /** POSIX permission bits. */
  mode: field(6, uint),
  owner: optional(7, text(255)),
  ownerGroup: optional(8, text(255)),
  /** CRC-32 of a file's bytes, where it is known without reading (not after a partial truncate). */
  crc: optional(9, uint),
  xattrs: optional(10, list(xattr, 64)),
  /** Directories only. */
  inode: optional(11, id<InodeId>()),
  /** The policy in force: own or inherited. */
  policy: optional(12, text(64)),
  /** A replica of some chunk is known to be missing; repair is queued. */
  underReplicated: optional(13, bool),
  accessedMs: optional(14, uint),
  /** Directories: entries directly inside. */
  entries: optional(15, uint),
  /** In the answer to a write: it replaced a file, which is in trash now. Not known when an answer is given again. */
  replaced: optional(16, bool),
  /** Names this version of the file. Absent: the null version, written while its directory gave no names. */
  objectVersion: optional(17, uint),
  /** It stands for a removal: there are no bytes. */
  isDeleteMarker: optional(18, bool),
  retention: optional(19, retention),
  /** Absent: it was never set. */
  legalHold: optional(20, bool),
  /** Directories: own or inherited. */
  versioning: optional(21, versioning),
  objectLock: optional(22, objectLock),
})
export type Attributes = Infer<typeof attributes>

/** Under what state of the path a mutation may happen. Both absent: always. */
export const precondition = struct('precondition', 1, {
  /** Nothing may have this path yet. */
  ifAbsent: optional(1, bool),
  /** The path must hold a file at exactly this version. */
  ifVersion: optional(2, id<Rising>()),
})
export type Precondition = Infer<typeof precondition>

/** What the writer of a file chooses. */
export const newAttributes = struct('new attributes', 1, {
  mode: optional(1, uint),
  modifiedMs: optional(2, uint),
  owner: optional(3, text(255)),
  ownerGroup: optional(4, text(255)),
  xattrs: optional(5, list(xattr, 64)),
  accessedMs: optional(6, uint),
  retention: optional(7, retention),
  legalHold: optional(8, bool),
})
export type NewAttributes = Infer<typeof newAttributes>

/** Names a mutation, so that it is applied once however often it is sent: see DESIGN "once and only once". */
export const requestId = struct('request id', 1, {
  session: field(1, uint),
  sequence: field(2, uint),
  /** Every sequence up to this one was answered: their results may be forgotten. */
  acknowledged: field(3, uint),
})
export type RequestId = Infer<typeof requestId>

/** To the master: what the cluster can say of itself (numbers 100–109): fsck, the byte ledger, events, explanations. @module */
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
  struct,
  text,
  uint,
} from '../../base/codec.ts'
import type { ChunkId, GroupId, ServerId } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import { method } from '../method.ts'
import { clusterEvent } from '../types/cluster-event.ts'
import { memberDuty, memberState, serverState, silence } from '../types/cluster-map.ts'

/** What fsck counted. Chunks once each, replicas where it says so. */
export const fsckCounts = struct('fsck counts', 1, {
  /** Files in the tree. */
  files: field(1, uint),
  /** Chunks that the metadata names. */
  chunks: field(2, uint),
  /** Chunks with a good replica, and fewer than their policy asks for: those on servers that are away do not count. */
  underReplicated: field(3, uint),
  /** Chunks without a good replica within reach, and parts of files whose chunk the metadata does not know. */
  missing: field(4, uint),
  /** Replicas with other bytes than the metadata names, and rows of metadata that contradict each other. */
  corrupt: field(5, uint),
  /** Replicas of no file's chunk: not pending for gc, not of a write that may still be committed. */
  orphans: field(6, uint),
  /** Replicas that were set aside. They are kept until somebody looks at them. */
  quarantined: field(7, uint),
  /** Replicas on servers that were members once: dropped when the members hold all. */
  surplus: field(8, uint),
  /** Files in trash. */
  trashedFiles: field(9, uint),
  /** Replicas that were read whole. */
  verified: field(10, uint),
})
export type FsckCounts = Infer<typeof fsckCounts>

export const fsckFinding = struct('fsck finding', 1, {
  kind: field(1, choice('missing', 'under-replicated', 'corrupt', 'orphan', 'affected-file')),
  what: field(2, text(limits.pathBytes + 1024)),
  /** What mends it: by itself, or by whom. */
  remedy: field(3, text(1024)),
  /** How many chunks or replicas this is about. */
  count: field(4, uint),
  chunk: optional(5, hex<ChunkId>(16)),
  group: optional(6, id<GroupId>()),
  server: optional(7, hex<ServerId>(16)),
  path: optional(8, text(limits.pathBytes)),
})
export type FsckFinding = Infer<typeof fsckFinding>

/**
 * One bounded step of a check of everything: first the groups against their members, by digests, and chunk by chunk only where
 * those differ; then the files against the chunks. Changes nothing (but see `verify`).
 */
export const fsckStep = method({
  number: 100,
  name: 'fsckStep',
  request: struct('fsckStep', 1, {
    /** Absent: from the beginning. */
    cursor: optional(1, bytes(limits.keyBytes + 64)),
    /** Have every replica read whole. A wrong one is set aside by the server that holds it, as by any read. */
    verify: field(2, bool),
    /** Chunks found bad before: the files that need them are named. */
    suspects: field(3, list(hex<ChunkId>(16), limits.fsckFindings)),
  }),
  response: struct('fsckStep response', 1, {
    /** Of this step. */
    counts: field(1, fsckCounts),
    findings: field(2, list(fsckFinding, limits.fsckFindings)),
    /** Absent: it was the last step. */
    cursor: optional(3, bytes(limits.keyBytes + 64)),
  }),
  callers: ['client'],
})

/** What the files of a data folder occupy on their disk, as `du -B1` counts: by what they are. */
export const folderUse = struct('folder use', 1, {
  /** All of it, folders included. */
  allocatedBytes: field(1, uint),
  chunkFileBytes: field(2, uint),
  segmentBytes: field(3, uint),
  indexBytes: field(4, uint),
  /** Room held back for a full disk. */
  reserveBytes: field(5, uint),
  quarantineBytes: field(6, uint),
})
export type FolderUse = Infer<typeof folderUse>

/** One part of a walk through a data folder; `cursor` where to go on, absent at the end. */
export const folderPart = struct('folder part', 1, { use: field(1, folderUse), cursor: optional(2, text(1024)) })
export type FolderPart = Infer<typeof folderPart>

/** A bounded part of such a walk; without a folder (a store in memory) there is none. */
export type FolderMeter = (cursor: string | undefined) => Promise<FolderPart>

/** An order: measure a part of the data folder. Changes nothing. */
export const measureFolder = method({
  number: 155,
  name: 'measureFolder',
  request: struct('measureFolder', 1, { cursor: optional(1, text(1024)) }),
  response: struct('measureFolder response', 1, { part: field(1, folderPart) }),
  callers: ['master'],
})

/** Sums of one step; each is of bytes on disks, over all copies, unless it says otherwise. */
export const ledgerSums = struct('ledger sums', 1, {
  /** Folders of chunk servers. */
  folders: field(1, folderUse),
  /** The folder of the metadata. */
  metadata: field(2, folderUse),
  /** Chunks that files name, those in trash included: once each. */
  chunkBytes: field(3, uint),
  /** The same, as members hold them. */
  namedBytes: field(4, uint),
  /** Deleted by name, and not yet from these members. */
  deletingBytes: field(5, uint),
  /** Copies on servers that were members once. */
  formerBytes: field(6, uint),
  /** Written and not yet committed. */
  openBytes: field(7, uint),
  /** What no file names, and gc does not know. */
  orphanBytes: field(8, uint),
  /** Declared by writes that have begun. */
  reservedBytes: field(9, uint),
  /** Servers that could not be measured: nothing of theirs is counted. */
  unmeasured: field(10, uint),
})
export type LedgerSums = Infer<typeof ledgerSums>

/** One bounded step of the byte ledger: first each server's folder, then what each group's members hold, at last the metadata. */
export const ledgerStep = method({
  number: 101,
  name: 'ledgerStep',
  request: struct('ledgerStep', 1, { cursor: optional(1, bytes(limits.keyBytes)) }),
  response: struct('ledgerStep response', 1, {
    sums: field(1, ledgerSums),
    cursor: optional(2, bytes(limits.keyBytes)),
  }),
  callers: ['client'],
})

/**
 * Events in order, from the one after `after` on; waits up to `waitMs` for one when there is none yet. A gap in the numbers
 * means that events between were dropped, as too old.
 */
export const getEvents = method({
  number: 102,
  name: 'getEvents',
  request: struct('getEvents', 1, { after: field(1, uint), limit: field(2, uint), waitMs: field(3, uint) }),
  response: struct('getEvents response', 1, {
    events: field(1, list(clusterEvent, limits.eventsPerAnswer)),
    /** The number of the newest event there is. */
    last: field(2, uint),
  }),
  callers: ['client'],
})

const passedOver = struct('passed over', 1, {
  server: field(1, hex<ServerId>(16)),
  domain: field(2, text(256)),
  reason: field(3, text(256)),
})

/** See `IfLost` in cluster/explain.ts. */
const ifLost = struct('if lost', 1, {
  server: field(1, hex<ServerId>(16)),
  domain: field(2, text(256)),
  groups: field(3, uint),
  chunks: field(4, uint),
  bytes: field(5, uint),
  lostChunks: field(6, uint),
  lastCopyChunks: field(7, uint),
  writableGroups: field(8, uint),
  target: optional(9, hex<ServerId>(16)),
  begun: field(10, uint),
  waiting: field(11, uint),
  why: optional(12, text(1024)),
  /** It is lost already. */
  isGone: optional(13, bool),
})
export type IfLostReport = Infer<typeof ifLost>

const explainedMember = struct('explained member', 1, {
  server: field(1, hex<ServerId>(16)),
  domain: field(2, text(256)),
  slot: field(3, uint),
  /** In the group. */
  state: field(4, memberState),
  serverState: field(5, serverState),
  /** Seen to hold everything since it last registered. */
  proven: field(6, bool),
  /** Why it is filling. */
  duty: optional(7, memberDuty),
  /** Its chunks of the group, as it says. */
  chunks: field(8, uint),
  silence: optional(9, silence),
})

export const groupExplanation = struct('group explanation', 1, {
  group: field(1, id<GroupId>()),
  policy: field(2, text(64)),
  replicas: field(3, uint),
  minReplicas: field(4, uint),
  chunks: field(5, uint),
  bytes: field(6, uint),
  members: field(7, list(explainedMember, 64)),
  passedOver: field(8, list(passedOver, 256)),
  passedOverCount: field(9, uint),
  /** For each member that takes writes: if it alone died now. */
  ifLost: field(10, list(ifLost, 64)),
})
export type GroupExplanation = Infer<typeof groupExplanation>

/** Why the members of a group are what they are. @throws {AshlarError} `not-found` */
export const explainGroup = method({
  number: 103,
  name: 'explainGroup',
  request: struct('explainGroup', 1, { group: field(1, id<GroupId>()) }),
  response: struct('explainGroup response', 1, { explanation: field(1, groupExplanation) }),
  callers: ['client'],
})

export const serverExplanation = struct('server explanation', 1, {
  server: field(1, hex<ServerId>(16)),
  domain: field(2, text(256)),
  state: field(3, serverState),
  /** Why it is in that state, in one sentence. */
  why: field(4, text(1024)),
  groupsIn: field(5, uint),
  groupsFilling: field(6, uint),
  groupsLeaving: field(7, uint),
  /** Copies of groups that it has left. */
  formerGroups: field(8, uint),
  unprovenGroups: field(9, uint),
  ifLost: field(10, ifLost),
  silence: optional(11, silence),
})
export type ServerExplanation = Infer<typeof serverExplanation>

/** Why a server is in its state, and what depends on it. @throws {AshlarError} `not-found` */
export const explainServer = method({
  number: 104,
  name: 'explainServer',
  request: struct('explainServer', 1, { server: field(1, hex<ServerId>(16)) }),
  response: struct('explainServer response', 1, { explanation: field(1, serverExplanation) }),
  callers: ['client'],
})

export const refusalRecord = struct('refusal record', 1, {
  id: field(1, text(64)),
  /** Wall clock of the master. */
  atMs: field(2, uint),
  code: field(3, text(64)),
  what: field(4, text(limits.errorMessageBytes)),
  path: field(5, text(limits.pathBytes)),
  policy: field(6, text(64)),
  chunkBytes: field(7, uint),
  passedOver: field(8, list(passedOver, 256)),
  passedOverCount: field(9, uint),
  /** How often the same was refused since, without a record of its own. */
  repeated: field(10, uint),
})
export type RefusalRecord = Infer<typeof refusalRecord>

/** A write that found no place, by the id that its error named. @throws {AshlarError} `not-found` — too old, or of another master's time */
export const explainRefusal = method({
  number: 105,
  name: 'explainRefusal',
  request: struct('explainRefusal', 1, { id: field(1, text(64)) }),
  response: struct('explainRefusal response', 1, { refusal: field(1, refusalRecord) }),
  callers: ['client'],
})

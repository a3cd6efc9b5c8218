/**
 * The cluster map: which chunk servers there are, and which of them are the members of each group.
 * Small enough that every client, chunk server and master holds all of it.
 * @module
 */
import { bool, choice, field, hex, type Infer, id, list, optional, struct, text, uint } from '../../base/codec.ts'
import type { GroupId, ServerId } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import type { Rising } from '../../base/rising.ts'

/** What the master believes of a chunk server. */
export const serverState = choice('up', 'suspect', 'dead', 'draining', 'maintenance', 'left')
export type ServerState = 'up' | 'suspect' | 'dead' | 'draining' | 'maintenance' | 'left'

export const serverEntry = struct('server entry', 1, {
  id: field(1, hex<ServerId>(16)),
  /** `host:port` of frames. */
  address: field(2, text(256)),
  /** `host:port` of plain HTTP. */
  httpAddress: field(3, text(256)),
  /** `host/rack`, outermost last; members of a group share none at the level in force. */
  domain: field(4, text(256)),
  state: field(5, serverState),
})
export type ServerEntry = Infer<typeof serverEntry>

export const memberState = choice('in', 'filling', 'leaving')

/** Why a member is filling: the duty that made it one. */
export const memberDuty = choice('repair', 'drain', 'rebalance')
export type MemberDuty = 'repair' | 'drain' | 'rebalance'

export const member = struct('member', 1, {
  server: field(1, hex<ServerId>(16)),
  slot: field(2, uint),
  state: field(3, memberState),
  /** Of a filling one. */
  duty: optional(4, memberDuty),
})
export type Member = Infer<typeof member>

export const group = struct('group', 1, {
  id: field(1, id<GroupId>()),
  /** Rises when members change. Writes and deletes under an older one are refused. */
  epoch: field(2, id<Rising>()),
  policy: field(3, text(64)),
  members: field(4, list(member, 64)),
})
export type Group = Infer<typeof group>

/** How redundancy is made. */
export const policy = struct('policy', 1, {
  name: field(1, text(64)),
  kind: field(2, choice('replicated')),
  /** Members of a group. */
  replicas: field(3, uint),
  /** Receipts that suffice while the other members are known to be down. */
  minReplicas: field(4, uint),
  chunkSizeBytes: field(5, uint),
})
export type Policy = Infer<typeof policy>

export const clusterMap = struct('cluster map', 1, {
  /** Rises with any change below. */
  version: field(1, id<Rising>()),
  generation: field(2, uint),
  servers: field(3, list(serverEntry, limits.chunkServers)),
  groups: field(4, list(group, limits.chunkServers * limits.groupsPerServer)),
  policies: field(5, list(policy, 64)),
  /** The policy of the root directory. */
  defaultPolicy: field(6, text(64)),
  safeMode: optional(7, bool),
})
export type ClusterMap = Infer<typeof clusterMap>

/** Of a server whose `state` does not tell that it does not answer: it is in maintenance. Absent: it answers, or the state tells. */
export const silence = choice('suspect', 'dead')

/** A chunk server as `ashlar nodes` shows it. */
export const nodeStatus = struct('node status', 1, {
  id: field(1, hex<ServerId>(16)),
  address: field(2, text(256)),
  httpAddress: field(3, text(256)),
  domain: field(4, text(256)),
  state: field(5, serverState),
  capacityBytes: field(6, uint),
  usedBytes: field(7, uint),
  reservedBytes: field(8, uint),
  freeBytes: field(9, uint),
  chunks: field(10, uint),
  quarantinedChunks: field(11, uint),
  /** Since the last heartbeat. */
  silentMs: field(12, uint),
  /** Its digests since its start equal the master's. */
  synced: field(13, bool),
  refusal: optional(14, text(64)),
  /** Of one that drains: groups and bytes that it has still to give away. */
  groupsLeft: optional(15, uint),
  bytesLeft: optional(16, uint),
  /** How long its maintenance lasts yet. */
  maintenanceMs: optional(17, uint),
  /** Nothing that it holds was read longer ago, by scrubbing; and what it may read of it in a second. Absent until it told. */
  oldestUnscrubbedSeconds: optional(18, uint),
  scrubBytesPerSecond: optional(19, uint),
  /** Since its start. */
  scrubbedBytes: optional(20, uint),
  badChunksScrubbed: optional(21, uint),
  /** What its disk writes or reads, measured or declared. */
  diskBytesPerSecond: optional(22, uint),
  /** It comes and goes: it is given nothing new while others can take it. */
  unsteady: optional(23, bool),
  silence: optional(24, silence),
})
export type NodeStatus = Infer<typeof nodeStatus>

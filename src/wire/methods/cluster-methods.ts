/** To the master: what the cluster is and holds (numbers 90–109), and what chunk servers tell (110–129). @module */
import { bool, bytes, field, hex, type Infer, id, list, optional, struct, text, uint } from '../../base/codec.ts'
import type { ChunkId, GroupId, ServerId } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import type { Rising } from '../../base/rising.ts'
import { method } from '../method.ts'
import { backupStatus } from '../types/backup-status.ts'
import { clusterMap, nodeStatus } from '../types/cluster-map.ts'
import { scrubOrders, scrubReport } from '../types/scrub.ts'
import { pausableDuty, workReport } from './duty-methods.ts'
import { nothing } from './session-methods.ts'

export const getNodes = method({
  number: 90,
  name: 'getNodes',
  request: nothing,
  response: struct('getNodes response', 1, { nodes: field(1, list(nodeStatus, limits.chunkServers)) }),
  callers: ['client'],
})

/** What the loss of one outermost failure domain would take at the worst: `copies` of `of`, in so many groups. `domains`: how many there are. */
export const crowding = struct('crowding', 1, {
  copies: field(1, uint),
  of: field(2, uint),
  groups: field(3, uint),
  domains: field(4, uint),
})

/** The whole cluster in one look. Bytes are chunk bytes, over all servers. */
export const clusterStatus = struct('cluster status', 1, {
  clusterId: field(1, hex<string>(16)),
  generation: field(2, uint),
  leaderEpoch: field(3, id<Rising>()),
  clusterTime: field(4, id<Rising>()),
  servers: field(5, uint),
  serversUp: field(6, uint),
  groups: field(7, uint),
  capacityBytes: field(8, uint),
  usedBytes: field(9, uint),
  reservedBytes: field(10, uint),
  freeBytes: field(11, uint),
  /** Length of files in trash (once, not per copy). */
  trashBytes: field(12, uint),
  trashEntries: field(13, uint),
  files: field(14, uint),
  lengthBytes: field(15, uint),
  underReplicatedChunks: field(16, uint),
  /** Chunks that gc has still to delete. */
  pendingDeletes: field(17, uint),
  openAllocations: field(18, uint),
  sessions: field(19, uint),
  metadataBytes: field(20, uint),
  safeMode: field(21, bool),
  defaultPolicy: field(22, text(64)),
  chunkSizeBytes: field(23, uint),
  trashKeepMs: field(24, uint),
  uptimeMs: field(25, uint),
  version: field(26, text(64)),
  readOnly: optional(27, bool),
  directories: optional(28, uint),
  /** Older versions and delete markers, and the length of them: not among `files` and `lengthBytes`. */
  versions: optional(29, uint),
  versionBytes: optional(30, uint),
  /** The metadata is older than the chunks: why nothing can be changed, and what to do. */
  restoreNeeded: optional(40, text(1024)),
  /** Duties that change groups, with what is left of them. */
  work: optional(41, list(workReport, 16)),
  /** Many servers fell silent together: what can wait is not repaired for so long yet, and nothing is deleted. */
  holdOffMs: optional(42, uint),
  /** Servers that do not answer, and whose replicas are not all on others yet. */
  serversMissed: optional(43, uint),
  /** Copies of the metadata on chunk servers; absent: none are kept. */
  backup: optional(50, backupStatus),
  /** No server holds anything that it read longer ago; absent until one has told. */
  oldestUnscrubbedSeconds: optional(44, uint),
  /** In which all bytes are to be read. */
  scrubWithinMs: optional(45, uint),
  /** Some outermost failure domain holds several copies of a chunk. */
  crowding: optional(46, crowding),
  /** Of `serversMissed`, those whose absence an operator expects: nothing is repaired for them. */
  serversInMaintenance: optional(48, uint),
  /** Duties that an operator has paused. */
  paused: optional(47, list(pausableDuty, 8)),
})
export type ClusterStatus = Infer<typeof clusterStatus>

export const getStatus = method({
  number: 91,
  name: 'getStatus',
  request: nothing,
  response: struct('getStatus response', 1, { status: field(1, clusterStatus) }),
  callers: ['client'],
})

/** Cluster settings by name, as text: `trash-keep`, `chunk-size`, `policy`, `dead-after`. */
export const getSettings = method({
  number: 92,
  name: 'getSettings',
  request: nothing,
  response: struct('getSettings response', 1, {
    settings: field(1, list(struct('setting', 1, { name: field(1, text(64)), value: field(2, text(1024)) }), 64)),
  }),
  callers: ['client'],
})

export const changeSetting = method({
  number: 93,
  name: 'changeSetting',
  request: struct('changeSetting', 1, { name: field(1, text(64)), value: field(2, text(1024)) }),
  response: nothing,
  callers: ['client'],
})

/** What a chunk server says of its room: see SpaceUse in store/chunk-store.ts. */
export const spaceReport = struct('space report', 1, {
  capacityBytes: field(1, uint),
  usedBytes: field(2, uint),
  reservedBytes: field(3, uint),
  freeBytes: field(4, uint),
  chunks: field(5, uint),
  quarantinedChunks: field(6, uint),
  quarantinedBytes: field(7, uint),
  refusal: optional(8, text(64)),
})
export type SpaceReport = Infer<typeof spaceReport>

/** The digest of all that a member holds of a group; see base/digest.ts. */
export const groupDigest = struct('group digest', 1, {
  group: field(1, id<GroupId>()),
  lanes: field(2, bytes(24)),
})
export type GroupDigest = Infer<typeof groupDigest>

/**
 * A chunk server says who it is. The connection stays: the master sends its orders on it, and its closing makes the server
 * suspect at once. `in-use` when another incarnation of the same id is connected and alive (a cloned folder).
 */
export const register = method({
  number: 110,
  name: 'register',
  request: struct('register', 1, {
    server: field(1, hex<ServerId>(16)),
    /** Random per start: tells two processes with one identity apart. */
    incarnation: field(2, hex<string>(8)),
    address: field(3, text(256)),
    httpAddress: field(4, text(256)),
    domain: field(5, text(256)),
    space: field(6, spaceReport),
    /** The highest leader epoch it has ever seen, durably kept. */
    leaderEpochSeen: field(7, id<Rising>()),
    digests: field(8, list(groupDigest, 65_536)),
    version: field(9, text(64)),
  }),
  response: struct('register response', 1, {
    leaderEpoch: field(1, id<Rising>()),
    clusterTime: field(2, id<Rising>()),
    heartbeatMs: field(3, uint),
    map: field(4, clusterMap),
  }),
  callers: ['chunkserver'],
})

/** Every second, or as the answer says. `digests`: of groups that changed since the last acknowledged heartbeat. */
export const heartbeat = method({
  number: 111,
  name: 'heartbeat',
  request: struct('heartbeat', 1, {
    server: field(1, hex<ServerId>(16)),
    incarnation: field(2, hex<string>(8)),
    sequence: field(3, uint),
    space: field(4, spaceReport),
    digests: field(5, list(groupDigest, 65_536)),
    quarantined: field(6, list(hex<ChunkId>(16), 1024)),
    scrub: optional(7, scrubReport),
    /** What its disk writes or reads in a second, measured or declared; absent: not known. */
    diskBytesPerSecond: optional(8, uint),
  }),
  response: struct('heartbeat response', 1, {
    leaderEpoch: field(1, id<Rising>()),
    clusterTime: field(2, id<Rising>()),
    mapVersion: field(3, id<Rising>()),
    /** When the next one is due: it follows the setting `dead-after`. */
    heartbeatMs: optional(4, uint),
    scrub: optional(5, scrubOrders),
  }),
  callers: ['chunkserver'],
})

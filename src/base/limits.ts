/**
 * Every limit, in one table. A frame, queue, name or buffer without a row here is a defect.
 * `docs/limits.md` is made from it by `npm run docs`.
 * @module
 */
const KiB = 1024
const MiB = 1024 * KiB

export const limits = {
  // Names.
  nameBytes: 1024,
  pathBytes: 4096,
  xattrNameBytes: 255,
  xattrValueBytes: 16 * KiB,
  xattrTotalBytes: 32 * KiB,
  // Chunks.
  chunkSizeMaxBytes: 128 * MiB,
  chunkSizeDefaultBytes: 8 * MiB,
  blockBytes: 64 * KiB,
  /** From this length on, a chunk is a file of its own; below, a record in a segment. */
  chunkFileMinBytes: MiB,
  segmentBytes: 64 * MiB,
  pageIds: 4096,
  /** A source that cannot be read again is written in chunks of at most this, since the client keeps them. */
  unrepeatableChunkBytes: 16 * MiB,
  // Metadata.
  inlineExtents: 4,
  extentsPerPage: 256,
  extentsPerCommit: 256,
  /** One append to a file that holds bytes: its extents move in one transaction. */
  extentsPerAppend: 16_384,
  filesPerCommitBatch: 256,
  keyBytes: 4 * KiB,
  valueBytes: 256 * KiB,
  transactionBytes: 4 * MiB,
  transactionKeys: 10_000,
  transactionsQueued: 16_384,
  transactionsPerBatch: 256,
  /** How often a transaction that lost to others is run again. */
  transactionAttempts: 32,
  metadataCacheBytes: 64 * MiB,
  /** Rows kept verified, beside the pages. */
  metadataRowCacheBytes: 8 * MiB,
  /** Kept free for deletes on a full disk: twice what the write-ahead log may need to move into the database. */
  metadataReserveBytes: 32 * MiB,
  listPageEntries: 1000,
  // Backups of the metadata.
  /** Changes that wait to be sent to chunk servers; past it the oldest are dropped, and a new base is made. */
  backupFeedBytes: 64 * MiB,
  /** Sealed blocks of the log that wait for the slowest server; past it that server is given up. */
  backupLogQueueBytes: 64 * MiB,
  /** What one sealed block holds. */
  backupBlockBytes: 512 * KiB,
  /** Servers that keep backups and the log. */
  backupServers: 3,
  /** Complete bases that are kept. */
  backupBases: 2,
  /** A log longer than this, and than the base before it, is cut by a new base. */
  backupLogBytes: 64 * MiB,
  /** Pieces of backups that one chunk server keeps. */
  backupPieces: 1024,
  backupManifestBytes: 256 * KiB,
  /** Small files of the master's folder that a backup carries. */
  backupAttachmentBytes: 16 * KiB,
  purgeStepChunks: 512,
  // Wire.
  frameHeadBytes: 1 * MiB,
  framePayloadBytes: 1 * MiB,
  handshakeBytes: 4 * KiB,
  requestsPerConnection: 1024,
  connectionsPerListener: 8192,
  unsentBytesPerConnection: 4 * MiB,
  /** Bytes of requests on one connection that were not answered yet. */
  requestBytesPerConnection: 16 * MiB,
  /** Calls of one connection that wait at the caller until they may be sent. */
  callsWaitingPerConnection: 16_384,
  /** Connections of one listener that have not proven themselves yet; the oldest makes room for a new one. */
  handshakesPerListener: 256,
  errorMessageBytes: 4 * KiB,
  errorDetailsBytes: 128 * KiB,
  tokenBytes: 256,
  tokensPerConnection: 256,
  /** Log lines that wait for a slow reader of stderr; past it they are dropped. */
  logBufferBytes: 1 * MiB,
  /** A payload up to this size travels on the shared connection; a larger one on a connection of its own. */
  smallTransferBytes: 64 * KiB,
  // Memory.
  /** Of large payloads that arrived, kept for the next ones. */
  payloadsKeptBytes: 16 * MiB,
  /** Of payloads of 1 MiB that a server takes into whole pages, from where they are written. More of them are copied. */
  payloadPagesBytes: 32 * MiB,
  clientBufferBytes: 64 * MiB,
  /** Transfers of one client that wait for memory. */
  clientWaitersForMemory: 65_536,
  /** Connections for long transfers from one client to one chunk server. */
  dataConnectionsPerServer: 8,
  /** Chunks of one file that were written and are not committed yet. */
  uncommittedChunksPerFile: 16,
  storeBufferBytes: 64 * MiB,
  /** Of an S3 gateway: small chunks that were read, for who reads them again. */
  s3ChunkCacheBytes: 32 * MiB,
  /** A signed chunk of an S3 request: it is kept until its signature proved right. */
  s3ChunkBytes: 16 * MiB,
  /** All signed chunks that one S3 gateway keeps. */
  s3ChunkMemoryBytes: 128 * MiB,
  /** Users of S3, their keys, and all that an S3 gateway keeps of them: names and policies. */
  s3Users: 10_000,
  s3Keys: 20_000,
  s3AccountBytes: 32 * MiB,
  s3KeysPerUser: 16,
  s3PoliciesPerUser: 10,
  /** Refused requests that an S3 gateway keeps to be explained. */
  s3RefusalsKept: 1024,
  /** Webhooks that S3 may tell of changes, and events that wait for one of them. */
  s3Webhooks: 64,
  s3EventsWaiting: 10_000,
  /** Lines of access logs that an S3 gateway holds until they are stored; past it they are dropped. */
  s3LogBufferBytes: 8 * MiB,
  /** Threads of one process that hash, and the memory that each shares with those who give it bytes. */
  hashThreads: 4,
  hashBlockBytes: 256 * KiB,
  hashBlocksPerThread: 8,
  /** Requests of one process that wait for a page-aligned buffer. */
  storeBufferWaiters: 1024,
  /** Records that wait for the next write of a store's log. */
  storeCommitQueue: 8192,
  /** Events that a store's index may be behind. */
  storeOverlayEvents: 16_384,
  /** Files that a store keeps open for reading while nobody reads them. */
  storeIdleFiles: 128,
  /** Footers of chunk files that a store keeps in memory: about 1 KiB each. */
  storeFooters: 2048,
  // Cluster.
  chunkServers: 10_000,
  groupsPerServer: 32,
  allTriplesUpToServers: 8,
  allocationIds: 1024,
  /** Groups that a server fills, or is the source of, at once. */
  fillsPerServer: 64,
  fillsInAll: 4096,
  /** Groups whose members a master compares and fills at the same time. */
  groupsFilledAtOnce: 256,
  /** Steps of a plan that one answer shows. */
  planSteps: 1024,
  /** Chunks whose replicas one call has read. */
  scrubChunksPerCall: 64,
  /** What a chunk server reads in a second, at most, to prove all it holds; and any such rate. */
  scrubBytesPerSecond: 64 * MiB,
  rateBytesPerSecond: 1024 * 1024 * MiB,
  /** Copies of chunks that wait for room on their servers, of each duty. */
  copiesWaiting: 16_384,
  /** Events that the metadata keeps, that wait to be written, and that one answer holds. */
  eventsKept: 10_000,
  eventsQueued: 4096,
  eventsPerAnswer: 256,
  /** Writes that found no place, kept to be explained. */
  refusalsKept: 1024,
  /** Findings that one answer of fsck, and one report, can hold. */
  fsckFindings: 1024,
  locksPerSession: 1024,
  allocationsPerSession: 4096,
  hiddenFilesPerSession: 1024,
  /** Answers that are kept for a session until it acknowledges them. */
  unacknowledgedRequests: 65_536,
  // Time.
  requestTimeoutMs: 30_000,
  handshakeTimeoutMs: 5_000,
  /** A silent peer is pinged after two of these and given up after five. */
  keepaliveTickMs: 5_000,
  /** What an ended connection gets to deliver its last bytes. */
  closeGraceMs: 2_000,
  idleConnectionTimeoutMs: 120_000,
  /** After so long without a byte, the operating system starts to probe whether the peer is alive. */
  keepAliveAfterMs: 30_000,
  httpHeadersTimeoutMs: 30_000,
  /** What a webhook gets to take an event. */
  webhookTimeoutMs: 10_000,
  /** A commit of the embedded engine that takes longer ends the process; a transaction's body is given up. */
  metadataCommitTimeoutMs: 10_000,
  heartbeatIntervalMs: 1_000,
  deadAfterMs: 30_000,
  /** After a loss of many servers at once, groups with more than one member left are not repaired for so long. */
  holdOffMs: 300_000,
  /** In which a chunk server reads all it holds. */
  scrubWithinMs: 7 * 24 * 3_600_000,
  allocationLifeMs: 600_000,
  sessionLifeMs: 60_000,
  /** Cluster time leaps forward by so much at most when a master becomes the leader. */
  clusterTimeAheadMs: 10_000,
  /** Of an order to delete a chunk, which somebody carries by HTTP. */
  deleteOrderLifeMs: 60_000,
  tokenLifeMs: 900_000,
  tombstoneKeepMs: 3_600_000,
  trashKeepMs: 7 * 24 * 3_600_000,
  /** A base that is older is followed by a new one. */
  backupEveryMs: 24 * 3_600_000,
} as const

/** The marks of promise P8, on the disk beneath a store or the metadata. */
export const diskMarks = {
  placement: { usedFraction: 0.9, freeBytes: 20 * 1024 * MiB },
  write: { usedFraction: 0.95, freeBytes: 10 * 1024 * MiB },
} as const

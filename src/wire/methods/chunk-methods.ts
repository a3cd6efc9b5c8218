/**
 * To a chunk server: chunks (numbers 130–149, by clients and by other chunk servers), and the leader's orders (150–169).
 *
 * A large chunk is `beginChunk`, `appendChunk`… in order, `commitChunk`, all on one connection that ends it if it closes; a small
 * one is a single `putChunk`. Each call names the group's epoch that the caller knows: an older one than the server's is `stale-epoch`,
 * a newer one makes the server fetch the map first. Reads are served whatever the epoch.
 * @module
 */
import { bool, bytes, field, hex, type Infer, id, list, optional, struct, text, uint } from '../../base/codec.ts'
import type { ChunkId, GroupId, ServerId } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import type { Rising } from '../../base/rising.ts'
import { method } from '../method.ts'
import { receipt } from '../types/extent.ts'
import { groupDigest, spaceReport } from './cluster-methods.ts'
import { nothing } from './session-methods.ts'

const chunk = hex<ChunkId>(16)
const token = bytes(256)
const received = struct('receipt response', 1, { receipt: field(1, receipt) })

/** The payload is the whole chunk, at most `limits.framePayloadBytes`. */
export const putChunk = method({
  number: 130,
  name: 'putChunk',
  request: struct('putChunk', 1, {
    chunk: field(1, chunk),
    epoch: field(2, id<Rising>()),
    token: field(3, token),
    crc: field(4, uint),
  }),
  response: received,
  callers: ['client', 'chunkserver'],
})

/** Reserves `length` bytes and starts a chunk. */
export const beginChunk = method({
  number: 131,
  name: 'beginChunk',
  request: struct('beginChunk', 1, {
    chunk: field(1, chunk),
    epoch: field(2, id<Rising>()),
    token: field(3, token),
    length: field(4, uint),
  }),
  response: struct('beginChunk response', 1, { handle: field(1, uint) }),
  callers: ['client', 'chunkserver'],
})

/** The payload is the next bytes. Calls of one handle are executed in the order they were sent; several may be in flight. */
export const appendChunk = method({
  number: 132,
  name: 'appendChunk',
  request: struct('appendChunk', 1, { handle: field(1, uint), offset: field(2, uint) }),
  response: nothing,
  callers: ['client', 'chunkserver'],
})

export const commitChunk = method({
  number: 133,
  name: 'commitChunk',
  request: struct('commitChunk', 1, { handle: field(1, uint), crc: field(2, uint) }),
  response: received,
  callers: ['client', 'chunkserver'],
})

/** Idempotent. */
export const abortChunk = method({
  number: 134,
  name: 'abortChunk',
  request: struct('abortChunk', 1, { handle: field(1, uint) }),
  response: nothing,
  callers: ['client', 'chunkserver'],
})

/**
 * Bytes of a chunk: the payload is the whole blocks that cover the range, at most `limits.framePayloadBytes` of them (ask again for the rest).
 * The caller proves them: block crcs combine to the chunk's crc that the extent names, and each block matches its own.
 */
export const readChunk = method({
  number: 135,
  name: 'readChunk',
  request: struct('readChunk', 1, {
    chunk: field(1, chunk),
    token: field(2, token),
    offset: field(3, uint),
    length: field(4, uint),
    /** Send all block crcs of the chunk too: wanted once per chunk. */
    wantBlockCrcs: field(5, bool),
  }),
  response: struct('readChunk response', 1, {
    /** Offset of the payload's first byte in the chunk. */
    offset: field(1, uint),
    chunkLength: field(2, uint),
    crc: field(3, uint),
    /** Big-endian, 4 bytes a block. */
    blockCrcs: optional(4, bytes((limits.chunkSizeMaxBytes / limits.blockBytes) * 4)),
  }),
  callers: ['client', 'chunkserver'],
})

/** What the server holds of a chunk; `md5`: computed by reading it. */
export const describeReplica = method({
  number: 136,
  name: 'describeReplica',
  request: struct('describeReplica', 1, { chunk: field(1, chunk), token: field(2, token), wantMd5: field(3, bool) }),
  response: struct('describeReplica response', 1, {
    length: field(1, uint),
    crc: field(2, uint),
    md5: optional(3, bytes(16)),
  }),
  callers: ['client', 'chunkserver'],
})

/** Deletes chunks of one group, durably. An order of the leader. Absent ones are no error. */
export const deleteChunks = method({
  number: 150,
  name: 'deleteChunks',
  request: struct('deleteChunks', 1, {
    leaderEpoch: field(1, id<Rising>()),
    group: field(2, id<GroupId>()),
    epoch: field(3, id<Rising>()),
    chunks: field(4, list(chunk, limits.pageIds)),
  }),
  response: struct('deleteChunks response', 1, {
    deleted: field(1, uint),
    space: field(2, spaceReport),
    digest: field(3, groupDigest),
  }),
  callers: ['master'],
})

export const chunkFacts = struct('chunk facts', 1, {
  id: field(1, chunk),
  length: field(2, uint),
  crc: field(3, uint),
})

/** Copies a chunk from another server, verifies it against the named length and crc, syncs, reads it back, and answers with a receipt. */
export const replicateChunk = method({
  number: 151,
  name: 'replicateChunk',
  request: struct('replicateChunk', 1, {
    leaderEpoch: field(1, id<Rising>()),
    epoch: field(2, id<Rising>()),
    facts: field(3, chunkFacts),
    source: field(4, hex<ServerId>(16)),
    sourceAddress: field(5, text(256)),
    readToken: field(6, token),
    /** The source is the last member that is left: clients wait for the copy rather than the other way round. */
    isUrgent: optional(7, bool),
  }),
  response: received,
  callers: ['master'],
})

/** The digests of a group's pages that the server holds. */
export const getPageDigests = method({
  number: 152,
  name: 'getPageDigests',
  request: struct('getPageDigests', 1, {
    group: field(1, id<GroupId>()),
    fromPage: field(2, uint),
    /** The group's: the server knows it before it answers, so that no order of an older one changes anything after. */
    epoch: optional(3, id<Rising>()),
  }),
  response: struct('getPageDigests response', 1, {
    pages: field(1, list(struct('page digest', 1, { page: field(1, uint), lanes: field(2, bytes(24)) }), 8192)),
    more: field(2, bool),
  }),
  callers: ['master'],
})

/** The chunks of one page, complete, or an error: absence is never inferred from a failed list. */
export const listPage = method({
  number: 153,
  name: 'listPage',
  request: struct('listPage', 1, { group: field(1, id<GroupId>()), page: field(2, uint) }),
  response: struct('listPage response', 1, { chunks: field(1, list(chunkFacts, limits.pageIds)) }),
  callers: ['master'],
})

/** Reads a replica whole and verifies it against the named facts; a wrong one is quarantined. `ok: false` says it is not here or wrong. */
export const verifyReplica = method({
  number: 154,
  name: 'verifyReplica',
  request: struct('verifyReplica', 1, { leaderEpoch: field(1, id<Rising>()), facts: field(2, chunkFacts) }),
  response: struct('verifyReplica response', 1, { ok: field(1, bool) }),
  callers: ['master'],
})

export type ReadChunkResponse = Infer<typeof readChunk.response>

/** To the master: read replicas now (number 106). @module */
import { field, hex, type Infer, list, optional, struct, text, uint } from '../../base/codec.ts'
import type { ChunkId, ServerId } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import { method } from '../method.ts'

const badReplica = struct('bad replica', 1, {
  chunk: field(1, hex<ChunkId>(16)),
  server: field(2, hex<ServerId>(16)),
})

/**
 * Has every replica of some chunks read whole by its server, against what the metadata names. Those that are wrong are set aside,
 * and copied anew.
 */
export const scrubChunks = method({
  number: 106,
  name: 'scrubChunks',
  request: struct('scrubChunks', 1, { chunks: field(1, list(hex<ChunkId>(16), limits.scrubChunksPerCall)) }),
  response: struct('scrubChunks response', 1, {
    /** Chunks that the metadata knows; others are gone by now. */
    chunks: field(1, uint),
    /** Replicas that were read whole and found right. */
    good: field(2, uint),
    /** Of all that were read. */
    bytes: field(3, uint),
    /** Not there, or not what the metadata names. */
    bad: field(4, list(badReplica, limits.scrubChunksPerCall * 64)),
    /** Replicas on servers that are not up, or did not answer. */
    unread: field(5, uint),
    /** Why, of one of them. */
    reason: optional(6, text(1024)),
  }),
  callers: ['client'],
})
export type ScrubResult = Infer<typeof scrubChunks.response>

/** Client to master: sessions, the map, tokens and locks. Numbers 1–19. @module */
import { bool, bytes, field, hex, type Infer, id, list, optional, struct, text, uint } from '../../base/codec.ts'
import type { AllocationId, ChunkId, GroupId } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import type { Rising } from '../../base/rising.ts'
import { method } from '../method.ts'
import { requestId } from '../types/attributes.ts'
import { clusterMap } from '../types/cluster-map.ts'
import { readToken } from '../types/extent.ts'

export const nothing = struct('nothing', 1, {})

/** The map, or nothing when the caller's version is current. Also called by chunk servers. */
export const getMap = method({
  number: 1,
  name: 'getMap',
  request: struct('getMap', 1, { knownVersion: optional(1, id<Rising>()) }),
  response: struct('getMap response', 1, { map: optional(1, clusterMap), clusterTime: field(2, id<Rising>()) }),
  callers: ['client', 'chunkserver', 'master'],
})

/** Begins a session: mutations, allocations and locks hang on it. */
export const openSession = method({
  number: 2,
  name: 'openSession',
  request: nothing,
  response: struct('openSession response', 1, { session: field(1, uint), lifeMs: field(2, uint) }),
  callers: ['client'],
})

/** Keeps a session alive; call it every third of its life. `session-ended` when it is gone. */
export const keepSession = method({
  number: 3,
  name: 'keepSession',
  request: struct('keepSession', 1, { session: field(1, uint), acknowledged: field(2, uint) }),
  response: struct('keepSession response', 1, { lifeMs: field(1, uint), mapVersion: field(2, id<Rising>()) }),
  callers: ['client'],
})

/** Ends a session: its allocations are closed, its locks released, its hidden inodes purged. Idempotent. */
export const endSession = method({
  number: 4,
  name: 'endSession',
  request: struct('endSession', 1, { session: field(1, uint) }),
  response: nothing,
  callers: ['client'],
})

/** Capabilities to read the chunks of groups. */
export const getReadTokens = method({
  number: 5,
  name: 'getReadTokens',
  request: struct('getReadTokens', 1, { groups: field(1, list(id<GroupId>(), 1024)) }),
  response: struct('getReadTokens response', 1, { tokens: field(1, list(readToken, 1024)) }),
  callers: ['client', 'chunkserver'],
})

/**
 * The leader's order to delete one chunk, for a server's `DELETE /chunks/ID`: what gc orders by frames. Given only for a chunk
 * whose tombstone waits for gc; `forbidden` says what keeps any other.
 */
export const getDeleteOrder = method({
  number: 9,
  name: 'getDeleteOrder',
  request: struct('getDeleteOrder', 1, { chunk: field(1, hex<ChunkId>(16)) }),
  response: struct('getDeleteOrder response', 1, { token: field(1, bytes(256)), lifeMs: field(2, uint) }),
  callers: ['client'],
})

/** Takes a named lock, or waits up to `waitMs` for it. The fencing token rises with every holder. */
export const lock = method({
  number: 6,
  name: 'lock',
  request: struct('lock', 1, {
    request: field(1, requestId),
    name: field(2, text(limits.pathBytes)),
    waitMs: field(3, uint),
    /** Shown to those who wait. */
    holder: field(4, text(255)),
  }),
  response: struct('lock response', 1, { fencingToken: field(1, id<Rising>()) }),
  callers: ['client'],
})

/** Releases a lock that this session holds under this fencing token; `released: false` when it was lost before. */
export const unlock = method({
  number: 7,
  name: 'unlock',
  request: struct('unlock', 1, {
    request: field(1, requestId),
    name: field(2, text(limits.pathBytes)),
    fencingToken: field(3, id<Rising>()),
  }),
  response: struct('unlock response', 1, { released: field(1, bool) }),
  callers: ['client'],
})

/**
 * Ends the doubt about a request whose earlier sending may still be under way: from now on no sending of it is applied, and
 * who sends it once more learns what became of it. The allocations it names are closed, so that its chunks can be committed
 * by nobody else either. Idempotent.
 */
export const fenceRequest = method({
  number: 8,
  name: 'fenceRequest',
  request: struct('fenceRequest', 1, {
    request: field(1, requestId),
    allocations: field(2, list(id<AllocationId>(), limits.extentsPerCommit)),
  }),
  response: nothing,
  callers: ['client'],
})

export type GetMapResponse = Infer<typeof getMap.response>

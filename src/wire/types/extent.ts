/** Extents and the chunks they point into. @module */
import { bytes, choice, field, hex, type Infer, id, list, optional, struct, text, uint } from '../../base/codec.ts'
import type { AllocationId, ChunkId, GroupId, ServerId } from '../../base/ids.ts'
import type { Rising } from '../../base/rising.ts'

/** A range of a chunk, in a file. `crc` and `chunkLength` are of the whole chunk: readers verify against them. */
export const extent = struct('extent', 1, {
  chunk: field(1, hex<ChunkId>(16)),
  /** First byte within the chunk. */
  offset: field(2, uint),
  length: field(3, uint),
  chunkLength: field(4, uint),
  crc: field(5, uint),
})
export type Extent = Infer<typeof extent>

/** A member's signed word that it holds a chunk durably. Opaque to clients: they pass it on as it came. */
export const receipt = struct('receipt', 1, {
  chunk: field(1, hex<ChunkId>(16)),
  length: field(2, uint),
  crc: field(3, uint),
  server: field(4, hex<ServerId>(16)),
  /** The group's epoch that the member knew. */
  epoch: field(5, id<Rising>()),
  slot: field(6, uint),
  /** HMAC-SHA256 over the fields above, truncated to 16 bytes. */
  mac: field(7, bytes(16)),
})
export type Receipt = Infer<typeof receipt>

/** The right to write `count` chunk ids of one group, from `first` on. */
export const allocation = struct('allocation', 1, {
  allocation: field(1, id<AllocationId>()),
  group: field(2, id<GroupId>()),
  generation: field(3, uint),
  firstSequence: field(4, uint),
  count: field(5, uint),
  epoch: field(6, id<Rising>()),
  policy: field(7, text(64)),
  /** Largest chunk that the policy allows. */
  chunkSizeBytes: field(8, uint),
  /** Capability to write these ids at the group's members. */
  token: field(9, bytes(256)),
  /** From now on; the client stops using it a little earlier. */
  lifeMs: field(10, uint),
})
export type Allocation = Infer<typeof allocation>

/** A capability to read all chunks of a group. */
export const readToken = struct('read token', 1, {
  group: field(1, id<GroupId>()),
  token: field(2, bytes(256)),
  lifeMs: field(3, uint),
})
export type ReadToken = Infer<typeof readToken>

/** What is known of one replica, for `stat --chunks`. */
export const replicaState = struct('replica state', 1, {
  server: field(1, hex<ServerId>(16)),
  state: field(2, choice('ok', 'missing', 'unknown')),
})

export const chunkDescription = struct('chunk description', 1, {
  extent: field(1, extent),
  group: field(2, id<GroupId>()),
  members: field(3, list(replicaState, 32)),
  /** Replicas short of the policy. */
  missing: field(4, uint),
  policy: optional(5, text(64)),
})
export type ChunkDescription = Infer<typeof chunkDescription>

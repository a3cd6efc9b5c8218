/**
 * Client to master: how bytes become a file. Numbers 20–39.
 *
 * `allocate` → the members of the group are written → `commitFile` with their receipts. A file with more extents than
 * one commit takes is a hidden inode: `beginFile`, `addExtents`…, `linkFile` (or `linkAppend`: it becomes the end of a file).
 * @module
 */
import { bool, field, hex, type Infer, id, list, optional, struct, text, uint } from '../../base/codec.ts'
import type { AllocationId, ChunkId, GroupId, InodeId } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import { method } from '../method.ts'
import { attributes, newAttributes, precondition, requestId } from '../types/attributes.ts'
import { allocation, extent, receipt } from '../types/extent.ts'
import { nothing } from './session-methods.ts'

const path = text(limits.pathBytes)

/**
 * Chunk ids to write under. `no-space` lists the reason of each server in `details.reasons`
 * (`[{server, domain, reason, freeBytes}]`) and the bytes in trash in `details.trashBytes`.
 */
export const allocate = method({
  number: 20,
  name: 'allocate',
  request: struct('allocate', 1, {
    session: field(1, uint),
    /** The file to be written: its directory says the policy. */
    path: field(2, path),
    /** Ids wanted; the master may give fewer, at least 1. */
    count: field(3, uint),
    /** Bytes that the next chunk will have: members must have room for it. */
    chunkBytes: field(4, uint),
    /** Groups that failed this client just now. */
    avoid: field(5, list(id<GroupId>(), 64)),
    /** Policies of which the client has ids: where the directory's is one of them, only its name is answered, and nothing is written. */
    inHand: optional(6, list(text(64), 16)),
  }),
  response: struct('allocate response', 1, {
    allocation: optional(1, allocation),
    /** Instead of an allocation: the directory's policy is this one, of those in hand. */
    policy: optional(2, text(64)),
  }),
  callers: ['client'],
})

/**
 * Gives allocations back, so that their pages can be compared and orphans removed. `burned` names ids of theirs that were, or
 * may have been, written and are in no commit that was answered: those that no file names are deleted at once.
 */
export const releaseAllocations = method({
  number: 21,
  name: 'releaseAllocations',
  request: struct('releaseAllocations', 1, {
    session: field(1, uint),
    allocations: field(2, list(allocation, 256)),
    burned: optional(3, list(hex<ChunkId>(16), limits.allocationIds)),
  }),
  response: nothing,
  callers: ['client'],
})

/** Chunks with their proof. Each extent's chunk has `minReplicas` receipts or more in `receipts`. */
const proven = {
  extents: field(10, list(extent, limits.extentsPerCommit)),
  receipts: field(11, list(receipt, limits.extentsPerCommit * 64)),
  /** Of the extents' chunks, each once. */
  allocations: field(12, list(id<AllocationId>(), limits.extentsPerCommit)),
}

/** Makes or replaces a whole file in one transaction. Also for an empty file: no extents. */
export const commitFile = method({
  number: 22,
  name: 'commitFile',
  request: struct('commitFile', 1, {
    request: field(1, requestId),
    path: field(2, path),
    precondition: field(3, precondition),
    attributes: field(4, newAttributes),
    /** Make missing directories too. */
    makeParents: field(5, bool),
    crc: optional(6, uint),
    ...proven,
  }),
  response: struct('commitFile response', 1, { attributes: field(1, attributes) }),
  callers: ['client'],
})
export type CommitFileRequest = Infer<typeof commitFile.request>

/** Makes a hidden inode that belongs to the session; checks path and precondition early. */
export const beginFile = method({
  number: 23,
  name: 'beginFile',
  request: struct('beginFile', 1, {
    request: field(1, requestId),
    path: field(2, path),
    precondition: field(3, precondition),
    makeParents: field(4, bool),
  }),
  response: struct('beginFile response', 1, { inode: field(1, id<InodeId>()) }),
  callers: ['client'],
})

/** Adds proven extents to a hidden inode that has `expectedLength` bytes now. */
export const addExtents = method({
  number: 24,
  name: 'addExtents',
  request: struct('addExtents', 1, {
    request: field(1, requestId),
    inode: field(2, id<InodeId>()),
    expectedLength: field(3, uint),
    ...proven,
  }),
  response: struct('addExtents response', 1, { length: field(1, uint) }),
  callers: ['client'],
})
export type AddExtentsRequest = Infer<typeof addExtents.request>

/** Gives the hidden inode its path, under the precondition. */
export const linkFile = method({
  number: 25,
  name: 'linkFile',
  request: struct('linkFile', 1, {
    request: field(1, requestId),
    inode: field(2, id<InodeId>()),
    path: field(3, path),
    precondition: field(4, precondition),
    attributes: field(5, newAttributes),
    makeParents: field(6, bool),
    length: field(7, uint),
    crc: optional(8, uint),
  }),
  response: struct('linkFile response', 1, { attributes: field(1, attributes) }),
  callers: ['client'],
})

/** Appends proven extents to a file that has `expectedLength` bytes now; `changed` otherwise. */
export const appendFile = method({
  number: 26,
  name: 'appendFile',
  request: struct('appendFile', 1, {
    request: field(1, requestId),
    path: field(2, path),
    expectedLength: field(3, uint),
    modifiedMs: optional(4, uint),
    /** Crc of the appended bytes. */
    crc: optional(5, uint),
    ...proven,
  }),
  response: struct('appendFile response', 1, { attributes: field(1, attributes) }),
  callers: ['client'],
})
export type AppendFileRequest = Infer<typeof appendFile.request>

/** Drops a hidden inode: its chunks are reclaimed. Idempotent. */
export const abandonFile = method({
  number: 27,
  name: 'abandonFile',
  request: struct('abandonFile', 1, { request: field(1, requestId), inode: field(2, id<InodeId>()) }),
  response: nothing,
  callers: ['client'],
})

/**
 * What the hidden inode holds becomes the end of a file that has `expectedLength` bytes now (`changed` otherwise), whole: at
 * most `limits.extentsPerAppend` extents, where the file is not empty (`too-large` otherwise).
 */
export const linkAppend = method({
  number: 28,
  name: 'linkAppend',
  request: struct('linkAppend', 1, {
    request: field(1, requestId),
    inode: field(2, id<InodeId>()),
    path: field(3, path),
    expectedLength: field(4, uint),
    modifiedMs: optional(5, uint),
    /** Of what the inode holds. */
    length: field(6, uint),
    crc: optional(7, uint),
  }),
  response: struct('linkAppend response', 1, { attributes: field(1, attributes) }),
  callers: ['client'],
})

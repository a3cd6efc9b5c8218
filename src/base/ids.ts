/**
 * Identifiers. Each kind is a branded type, so that none is passed for another.
 *
 * A chunk id is 16 bytes, big-endian: group 32 bits, generation 16, sequence 64, zero 16. In memory it is the
 * lower-case hex text of these bytes: comparable, usable as a map key and in logs as it stands.
 * Invariants: one id, one content; an id is never issued twice. Generation ≤ 2,047 and sequence < 2^52, so that the
 * number of a page is exact.
 * @module
 */
import { assert } from './assert.ts'
import { AshlarError } from './errors.ts'
import { limits } from './limits.ts'
import { maxGeneration } from './rising.ts'

export type ChunkId = string & { readonly brand: 'ChunkId' }
/** Unsigned 32-bit. */
export type GroupId = number & { readonly brand: 'GroupId' }
/** 32 hex digits, made once when the data folder is made. */
export type ServerId = string & { readonly brand: 'ServerId' }
/** 32 hex digits, made once when the cluster is made. */
export type ClusterId = string & { readonly brand: 'ClusterId' }
/** A rising number, as issued by the master. */
export type SessionId = number & { readonly brand: 'SessionId' }
export type AllocationId = number & { readonly brand: 'AllocationId' }
/** An inode: a directory, or a file being written. */
export type InodeId = number & { readonly brand: 'InodeId' }
/** Names the further extents of one content of a file. */
export type ContentId = number & { readonly brand: 'ContentId' }

export interface ChunkIdParts {
  readonly group: GroupId
  readonly generation: number
  readonly sequence: number
}

export const chunkIdBytes = 16

const chunkIdPattern = /^[0-9a-f]{8}0[0-7][0-9a-f]{2}000[0-9a-f]{13}0000$/

export function chunkId({ group, generation, sequence }: ChunkIdParts): ChunkId {
  assert(Number.isInteger(group) && group >= 0 && group < 2 ** 32, 'group out of range')
  assert(Number.isInteger(generation) && generation >= 0 && generation <= maxGeneration, 'generation out of range')
  assert(Number.isInteger(sequence) && sequence >= 0 && sequence < 2 ** 52, 'sequence out of range')
  return `${hex(group, 8)}${hex(generation, 4)}${hex(sequence, 16)}0000` as ChunkId
}

export function chunkIdParts(id: ChunkId): ChunkIdParts {
  return {
    group: hexNumber(id, 0, 8) as GroupId,
    generation: hexNumber(id, 8, 12),
    sequence: hexNumber(id, 12, 28),
  }
}

export function groupOf(id: ChunkId): GroupId {
  return hexNumber(id, 0, 8) as GroupId
}

/** The digest page of a chunk within its group: `generation * 2^40 + floor(sequence / 4096)`, one safe integer. */
export function pageOf(id: ChunkId): number {
  const { generation, sequence } = chunkIdParts(id)
  return pageNumber(generation, sequence)
}

/** Which of the `limits.pageIds` chunks of its page it is: the last three digits of the sequence. */
export function indexInPage(id: ChunkId): number {
  return hexNumber(id, 25, 28)
}

export function pageNumber(generation: number, sequence: number): number {
  return generation * 2 ** 40 + Math.floor(sequence / limits.pageIds)
}

/** The first and the last chunk id of a page: both inclusive. */
export function pageBounds(group: GroupId, page: number): { readonly first: ChunkId; readonly last: ChunkId } {
  const generation = Math.floor(page / 2 ** 40)
  const sequence = (page % 2 ** 40) * limits.pageIds
  return {
    first: chunkId({ group, generation, sequence }),
    last: chunkId({ group, generation, sequence: sequence + limits.pageIds - 1 }),
  }
}

/** @throws {AshlarError} `protocol` — not 32 lower-case hex digits that end in 0000, or generation or sequence out of range */
export function parseChunkId(text: string): ChunkId {
  if (!chunkIdPattern.test(text)) {
    throw new AshlarError('protocol', `Cannot read chunk id "${text.slice(0, 40)}": it is not what a master issues`)
  }
  return text as ChunkId
}

export function chunkIdToBytes(id: ChunkId): Buffer {
  return Buffer.from(id, 'hex')
}

export function chunkIdFromBytes(bytes: Uint8Array): ChunkId {
  return parseChunkId(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex'))
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0')
}

/** The number that digits `from` to `to` of an id spell: hot, so without a piece of text for `parseInt`. */
function hexNumber(id: ChunkId, from: number, to: number): number {
  let value = 0
  for (let at = from; at < to; at++) {
    const code = id.charCodeAt(at)
    value = value * 16 + (code < 0x3a ? code - 0x30 : code - 0x57)
  }
  return value
}

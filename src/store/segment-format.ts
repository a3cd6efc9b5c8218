/**
 * The bytes of a segment: a header, then records one after the other. Specified in `docs/formats/segment.md`.
 *
 * Record kinds: `put` carries a small chunk; `delete` says that an id is gone; `file` announces a chunk file, so that
 * a start-up finds new chunk files in the tail of the segments instead of walking all directories.
 * The checksum of a record's head is bound to its place (server, segment, offset): a scan that looks for the next record
 * after damage must not believe a record inside the bytes that a user stored, nor one that was written elsewhere.
 * A head holds nothing twice: 39 bytes for a chunk of one block, where every small file pays them in each copy.
 * @module
 */
import { assert } from '../base/assert.ts'
import { crc32 } from '../base/crc.ts'
import { type ChunkId, chunkIdBytes, parseChunkId, type ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { blockCount, combineBlocks, sumBlocks } from './block-sums.ts'
import type { StoredChunk } from './chunk-file-format.ts'

/** `log`: takes new records, its end may be torn. `compacted`: was complete before it got its name. */
export type SegmentKind = 'log' | 'compacted'

export interface SegmentHeader {
  readonly number: number
  readonly kind: SegmentKind
  readonly server: ServerId
}

export type RecordKind = 'put' | 'delete' | 'file'

export interface SegmentRecord extends StoredChunk {
  readonly kind: RecordKind
  /** Of the stored bytes; empty unless `put`. */
  readonly blockCrcs: Uint32Array
}

export const segmentHeaderBytes = 40
const segmentMagic = Buffer.from('ASHLSEGM', 'latin1')
/** Begins each record, so that a scan finds the next one after damage. */
export const recordMagic = Buffer.from([0xa5, 0x52, 0x45, 0x43])
const version = 2
const recordKinds = { 1: 'put', 2: 'delete', 3: 'file' } as const
const recordKindCodes = { put: 1, delete: 2, file: 3 } as const
/** Set in the kind of a record whose bytes are not those of the chunk, but its shard's: then it says what the chunk is. */
const shardFlag = 0x80
const fixedBytes = 35
const shardBytes = 10
/** Of an id, without the two bytes in which all end. */
const idBytes = chunkIdBytes - 2
/** The head of a whole copy without block checksums: the shortest there is. */
export const recordHeadMinBytes = fixedBytes + 4
/** A record's head with the most block checksums. */
export const recordHeadMaxBytes = recordHeadMinBytes + shardBytes + 4 * blockCount(limits.chunkFileMinBytes)

export function encodeSegmentHeader({ number, kind, server }: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(segmentHeaderBytes)
  segmentMagic.copy(bytes)
  bytes.writeUInt16BE(version, 8)
  bytes[10] = kind === 'log' ? 0 : 1
  bytes.writeUInt32BE(number, 12)
  bytes.write(server, 16, 'hex')
  bytes.writeUInt32BE(crc32(bytes.subarray(0, 36)), 36)
  return bytes
}

/** @returns undefined: damaged, or of another version */
export function decodeSegmentHeader(bytes: Buffer): SegmentHeader | undefined {
  if (bytes.length < segmentHeaderBytes || !bytes.subarray(0, 8).equals(segmentMagic)) return undefined
  if (crc32(bytes.subarray(0, 36)) !== bytes.readUInt32BE(36) || bytes.readUInt16BE(8) !== version) return undefined
  return {
    number: bytes.readUInt32BE(12),
    kind: bytes[10] === 0 ? 'log' : 'compacted',
    server: bytes.toString('hex', 16, 32) as ServerId,
  }
}

/** One block needs no checksum beside the record's own. */
function storedBlockCrcs(storedLength: number): number {
  const blocks = blockCount(storedLength)
  return blocks > 1 ? blocks : 0
}

function isShard({ slot, length, crc, storedLength, storedCrc }: Omit<StoredChunk, 'id' | 'sequence'>): boolean {
  return slot !== 0 || length !== storedLength || crc !== storedCrc
}

/** Length of the head of a record: what stands before its payload. */
export function recordHeadBytes(record: Omit<SegmentRecord, 'blockCrcs'>): number {
  return record.kind === 'put' ? putHeadBytes(record) : headBytes(record, 0)
}

/** Length of a record with its payload. */
export function recordBytes(record: Omit<SegmentRecord, 'blockCrcs'>): number {
  return record.kind === 'put' ? putBytes(record) : headBytes(record, 0)
}

/** Length of the head of the record that puts `chunk`. */
export function putHeadBytes(chunk: StoredChunk): number {
  return headBytes(chunk, storedBlockCrcs(chunk.storedLength))
}

/** Length of the record that puts `chunk`. */
export function putBytes(chunk: StoredChunk): number {
  return putHeadBytes(chunk) + chunk.storedLength
}

function headBytes(chunk: StoredChunk, blockCrcCount: number): number {
  return recordHeadMinBytes + (isShard(chunk) ? shardBytes : 0) + 4 * blockCrcCount
}

/** What binds the records of one segment to it. */
export function segmentSeed({ server, number }: Pick<SegmentHeader, 'server' | 'number'>): number {
  const bytes = Buffer.alloc(20)
  bytes.write(server, 0, 'hex')
  bytes.writeUInt32BE(number, 16)
  return crc32(bytes)
}

/** What binds a record to its place, from the {@link segmentSeed} of its segment. */
function placeSeed(seed: number, offset: number): number {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32BE(offset)
  return crc32(bytes, seed)
}

export interface RecordSeed {
  readonly seed: number
  readonly offset: number
}

/** The head of a record for one place; a `put`'s payload follows it. */
export function encodeRecordHead(record: SegmentRecord, place: RecordSeed): Buffer {
  const { kind, blockCrcs, sequence, storedLength } = record
  assert(kind !== 'put' || blockCrcs.length === blockCount(storedLength), 'block checksums do not fit the length')
  const head = Buffer.allocUnsafe(recordHeadBytes(record))
  recordMagic.copy(head)
  head[4] = version
  head[5] = recordKindCodes[kind]
  head.writeUIntBE(Math.floor(sequence / 2 ** 32), 6, 3)
  head.writeUInt32BE(sequence % 2 ** 32, 9)
  head.write(record.id, 13, idBytes, 'hex')
  head.writeUInt32BE(storedLength, 27)
  head.writeUInt32BE(record.storedCrc, 31)
  let at = fixedBytes
  if (isShard(record)) {
    head[5] |= shardFlag
    at = head.writeUInt16BE(record.slot, at)
    at = head.writeUInt32BE(record.length, at)
    at = head.writeUInt32BE(record.crc, at)
  }
  const stored = kind === 'put' ? storedBlockCrcs(storedLength) : 0
  for (let index = 0; index < stored; index++) at = head.writeUInt32BE(blockCrcs[index] as number, at)
  head.writeUInt32BE(crc32(head.subarray(0, at), placeSeed(place.seed, place.offset)), at)
  return head
}

/**
 * Reads the head that `bytes` begins with; the payload is not looked at.
 * @returns undefined: too short, damaged, no record, or one of another place
 */
export function decodeRecordHead(bytes: Buffer, place: RecordSeed): SegmentRecord | undefined {
  if (bytes.length < recordHeadMinBytes || bytes.readUInt32BE(0) !== recordMagic.readUInt32BE(0)) return undefined
  const code = bytes[5] as number
  const kind = recordKinds[(code & ~shardFlag) as keyof typeof recordKinds]
  if (bytes[4] !== version || kind === undefined) return undefined
  const storedLength = bytes.readUInt32BE(27)
  if (storedLength > limits.chunkSizeMaxBytes) return undefined
  if (kind === 'put' && storedLength >= limits.chunkFileMinBytes) return undefined
  const stored = kind === 'put' ? storedBlockCrcs(storedLength) : 0
  const crcsAt = fixedBytes + ((code & shardFlag) === 0 ? 0 : shardBytes)
  const end = crcsAt + 4 * stored
  if (bytes.length < end + 4) return undefined
  if (crc32(bytes.subarray(0, end), placeSeed(place.seed, place.offset)) !== bytes.readUInt32BE(end)) return undefined
  const storedCrc = bytes.readUInt32BE(31)
  const blockCrcs = new Uint32Array(stored)
  for (let index = 0; index < stored; index++) blockCrcs[index] = bytes.readUInt32BE(crcsAt + 4 * index)
  if (stored > 0 && combineBlocks(blockCrcs, storedLength) !== storedCrc) return undefined
  const isWhole = crcsAt === fixedBytes
  return {
    kind,
    id: parseChunkId(`${bytes.toString('hex', 13, 13 + idBytes)}0000`),
    sequence: bytes.readUIntBE(6, 3) * 2 ** 32 + bytes.readUInt32BE(9),
    slot: isWhole ? 0 : bytes.readUInt16BE(fixedBytes),
    length: isWhole ? storedLength : bytes.readUInt32BE(fixedBytes + 2),
    crc: isWhole ? storedCrc : bytes.readUInt32BE(fixedBytes + 6),
    storedLength,
    storedCrc,
    blockCrcs: kind === 'put' && stored === 0 ? Uint32Array.of(storedCrc) : blockCrcs,
  }
}

/** Whether `payload` is what the head of its record says. */
export function payloadMatches(record: SegmentRecord, payload: Uint8Array): boolean {
  return payload.length === record.storedLength && crc32(payload) === record.storedCrc
}

/** A `put` record of a whole copy that is in memory. */
export function putRecord(
  id: ChunkId,
  { bytes, sequence }: { readonly bytes: Uint8Array; readonly sequence: number },
): SegmentRecord {
  const blockCrcs = sumBlocks(bytes)
  const crc = combineBlocks(blockCrcs, bytes.length)
  const length = bytes.length
  return { kind: 'put', id, sequence, slot: 0, length, crc, storedLength: length, storedCrc: crc, blockCrcs }
}

export function deleteRecord(id: ChunkId, sequence: number): SegmentRecord {
  return {
    kind: 'delete',
    id,
    sequence,
    slot: 0,
    length: 0,
    crc: 0,
    storedLength: 0,
    storedCrc: 0,
    blockCrcs: new Uint32Array(0),
  }
}

/**
 * Keys and values of the chunk index. Each value begins with a version; one that is not known here means that another
 * program wrote the index, and it is rebuilt: the index is never the only place of a fact.
 *
 * A live chunk's row has nothing twice and no number longer than it is: with key, checksum and SQLite's own bytes it takes 46 in the
 * database, which each small file pays in each copy.
 *
 *     c id           → live chunk        x id           → grave
 *     d group page   → digest lanes      s number       → segment
 *     m              → marks and sums of the whole store
 * @module
 */
import { ByteReader } from '../base/byte-reader.ts'
import { ByteWriter } from '../base/byte-writer.ts'
import { AshlarError, isAshlarError } from '../base/errors.ts'
import { type ChunkId, chunkIdBytes, type GroupId, parseChunkId } from '../base/ids.ts'
import type { Grave, LiveChunk, Location } from './chunk-state.ts'

const version = 1
const idBytes = chunkIdBytes - 2

export const indexPrefix = {
  live: Buffer.from('c'),
  grave: Buffer.from('x'),
  digest: Buffer.from('d'),
  segment: Buffer.from('s'),
} as const

export const marksKey = Buffer.from('m')

export function liveKey(id: ChunkId): Buffer {
  return keyOf(indexPrefix.live, id)
}

export function graveKey(id: ChunkId): Buffer {
  return keyOf(indexPrefix.grave, id)
}

/** Without the two bytes in which all ids end: the order of the keys is that of the ids. */
function keyOf(prefix: Buffer, id: ChunkId): Buffer {
  const key = Buffer.allocUnsafe(1 + idBytes)
  key[0] = prefix[0] as number
  key.write(id, 1, idBytes, 'hex')
  return key
}

/** @throws {AshlarError} `metadata-corrupt` */
export function chunkIdOfKey(key: Buffer): ChunkId {
  if (key.length !== 1 + idBytes) throw anotherForm('key of a chunk')
  return parseChunkId(`${key.toString('hex', 1)}0000`)
}

/** @param page 0 for the first key of a group */
export function digestKey(group: GroupId, page: number): Buffer {
  const key = Buffer.allocUnsafe(13)
  indexPrefix.digest.copy(key)
  key.writeUInt32BE(group, 1)
  key.writeBigUInt64BE(BigInt(page), 5)
  return key
}

export function digestKeyParts(key: Buffer): { readonly group: GroupId; readonly page: number } {
  return { group: key.readUInt32BE(1) as GroupId, page: Number(key.readBigUInt64BE(5)) }
}

export function segmentKey(number: number): Buffer {
  const key = Buffer.alloc(5)
  indexPrefix.segment.copy(key)
  key.writeUInt32BE(number, 1)
  return key
}

/** In the high half of the first byte; the low half has these flags. */
const liveVersion = 2
/** A chunk in a segment: as many bytes as it takes in a store of some millions. */
const liveUsualBytes = 24
const inFile = 1
const isShard = 2

export function encodeLive(chunk: LiveChunk): Buffer {
  const { location, slot, length, crc, storedLength, storedCrc } = chunk
  const hasShard = slot !== 0 || length !== storedLength || crc !== storedCrc
  const row = new ByteWriter(liveUsualBytes)
  row.u8((liveVersion << 4) | (location.kind === 'file' ? inFile : 0) | (hasShard ? isShard : 0))
  row.varint(chunk.sequence)
  row.varint(length)
  row.u32(crc)
  if (hasShard) {
    row.varint(slot)
    row.varint(storedLength)
    row.u32(storedCrc)
  }
  if (location.kind === 'segment') {
    row.varint(location.segment)
    row.varint(location.offset)
  }
  return row.finish()
}

export function decodeLive(id: ChunkId, row: Buffer): LiveChunk {
  const head = row[0] ?? 0
  if (head >> 4 !== liveVersion) throw anotherForm('chunk')
  try {
    const reader = new ByteReader(row.subarray(1))
    const sequence = reader.varint()
    const length = reader.varint()
    const crc = reader.u32()
    const hasShard = (head & isShard) !== 0
    const slot = hasShard ? reader.varint() : 0
    const storedLength = hasShard ? reader.varint() : length
    const storedCrc = hasShard ? reader.u32() : crc
    const location: Location =
      (head & inFile) !== 0 ? { kind: 'file' } : { kind: 'segment', segment: reader.varint(), offset: reader.varint() }
    if (reader.remaining > 0) throw anotherForm('chunk')
    return { id, sequence, slot, length, crc, storedLength, storedCrc, location }
  } catch (error) {
    if (isAshlarError(error, 'protocol')) throw anotherForm('chunk', error)
    throw error
  }
}

export function encodeGrave({ sequence, segment, holders }: Grave): Buffer {
  const row = Buffer.alloc(13 + 4 * holders.length)
  row[0] = version
  row.writeUInt32BE(Math.floor(sequence / 2 ** 32), 1)
  row.writeUInt32BE(sequence % 2 ** 32, 5)
  row.writeUInt32BE(segment, 9)
  holders.forEach((holder, index) => {
    row.writeUInt32BE(holder, 13 + 4 * index)
  })
  return row
}

export function decodeGrave(row: Buffer): Grave {
  checkRow(row, { what: 'delete' })
  const holders: number[] = []
  for (let at = 13; at < row.length; at += 4) holders.push(row.readUInt32BE(at))
  return { sequence: row.readUInt32BE(1) * 2 ** 32 + row.readUInt32BE(5), segment: row.readUInt32BE(9), holders }
}

/** What the index knows of one segment. */
export interface SegmentRow {
  /** Every record before this offset is in the index. */
  readonly scannedBytes: number
  /** Bytes of records that are still needed. */
  readonly liveBytes: number
}

export function encodeSegmentRow({ scannedBytes, liveBytes }: SegmentRow): Buffer {
  const row = Buffer.alloc(9)
  row[0] = version
  row.writeUInt32BE(scannedBytes, 1)
  row.writeUInt32BE(liveBytes, 5)
  return row
}

export function decodeSegmentRow(row: Buffer): SegmentRow {
  checkRow(row, { exactBytes: 9, what: 'segment' })
  return { scannedBytes: row.readUInt32BE(1), liveBytes: row.readUInt32BE(5) }
}

/** Facts of the whole store as of a checkpoint. */
export interface IndexMarks {
  /** Rises at each opening; the store folder holds it too, so that an index from a backup is not believed. */
  readonly opening: number
  /** No record with a higher sequence is in the index. */
  readonly sequence: number
  readonly usedBytes: number
  readonly chunks: number
}

export function encodeMarks(marks: IndexMarks): Buffer {
  const row = Buffer.alloc(33)
  row[0] = version
  row.writeBigUInt64BE(BigInt(marks.opening), 1)
  row.writeBigUInt64BE(BigInt(marks.sequence), 9)
  row.writeBigUInt64BE(BigInt(marks.usedBytes), 17)
  row.writeBigUInt64BE(BigInt(marks.chunks), 25)
  return row
}

export function decodeMarks(row: Buffer): IndexMarks {
  checkRow(row, { exactBytes: 33, what: 'store' })
  return {
    opening: Number(row.readBigUInt64BE(1)),
    sequence: Number(row.readBigUInt64BE(9)),
    usedBytes: Number(row.readBigUInt64BE(17)),
    chunks: Number(row.readBigUInt64BE(25)),
  }
}

function checkRow(row: Buffer, { exactBytes, what }: { readonly exactBytes?: number; readonly what: string }): void {
  if (row[0] === version && (exactBytes === undefined ? row.length % 4 === 1 : row.length === exactBytes)) return
  throw anotherForm(what)
}

function anotherForm(what: string, cause?: unknown): AshlarError {
  return new AshlarError('metadata-corrupt', `Cannot read the ${what} row of a chunk index: it has another form`, {
    cause,
  })
}

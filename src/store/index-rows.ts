/**
 * Keys and values of the chunk index. Each value begins with a version; one that is not known here means that another
 * program wrote the index, and it is rebuilt: the index is never the only place of a fact.
 *
 *     c id           → live chunk        x id           → grave
 *     d group page   → digest lanes      s number       → segment
 *     m              → marks and sums of the whole store
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import { type ChunkId, chunkIdBytes, chunkIdFromBytes, type GroupId } from '../base/ids.ts'
import type { Grave, LiveChunk } from './chunk-state.ts'

const version = 1

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

function keyOf(prefix: Buffer, id: ChunkId): Buffer {
  const key = Buffer.allocUnsafe(1 + chunkIdBytes)
  key[0] = prefix[0] as number
  key.write(id, 1, 'hex')
  return key
}

export function chunkIdOfKey(key: Buffer): ChunkId {
  return chunkIdFromBytes(key.subarray(1))
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

export function encodeLive(chunk: LiveChunk): Buffer {
  const { location } = chunk
  const row = Buffer.allocUnsafe(36)
  row[0] = version
  row[1] = location.kind === 'file' ? 0 : 1
  row.writeUInt16BE(chunk.slot, 2)
  row.writeUInt32BE(Math.floor(chunk.sequence / 2 ** 32), 4)
  row.writeUInt32BE(chunk.sequence % 2 ** 32, 8)
  row.writeUInt32BE(chunk.length, 12)
  row.writeUInt32BE(chunk.crc, 16)
  row.writeUInt32BE(chunk.storedLength, 20)
  row.writeUInt32BE(chunk.storedCrc, 24)
  row.writeUInt32BE(location.kind === 'file' ? 0 : location.segment, 28)
  row.writeUInt32BE(location.kind === 'file' ? 0 : location.offset, 32)
  return row
}

export function decodeLive(id: ChunkId, row: Buffer): LiveChunk {
  checkRow(row, { exactBytes: 36, what: 'chunk' })
  return {
    id,
    sequence: row.readUInt32BE(4) * 2 ** 32 + row.readUInt32BE(8),
    slot: row.readUInt16BE(2),
    length: row.readUInt32BE(12),
    crc: row.readUInt32BE(16),
    storedLength: row.readUInt32BE(20),
    storedCrc: row.readUInt32BE(24),
    location:
      row[1] === 0
        ? { kind: 'file' }
        : { kind: 'segment', segment: row.readUInt32BE(28), offset: row.readUInt32BE(32) },
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
  throw new AshlarError('metadata-corrupt', `Cannot read the ${what} row of a chunk index: it has another form`)
}

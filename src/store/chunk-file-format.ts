/**
 * The bytes of a chunk file: the data, zeros up to a page, then a footer in whole pages that ends with the file.
 * Specified in `docs/formats/chunk-file.md`.
 *
 * The footer comes last because it holds checksums that are known only when the last byte has come. Its last 16 bytes
 * have a fixed place, so that one read of the file's last page finds it without an index. It binds the chunk's id and
 * the store-wide sequence of the put: a file under another chunk's name, or one that an older put left, is recognised.
 * @module
 */
import { assert } from '../base/assert.ts'
import { crc32 } from '../base/crc.ts'
import { type ChunkId, chunkIdFromBytes, chunkIdToBytes } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { pageBytes } from '../env/disk.ts'
import { blockCount, combineBlocks } from './block-sums.ts'

/** What is known of one stored replica, wherever it lies. */
export interface StoredChunk {
  readonly id: ChunkId
  /** The store-wide number of the put that stored it. */
  readonly sequence: number
  /** The member's slot in its group; 0 for whole copies. */
  readonly slot: number
  /** Length and crc of the chunk that the id names. */
  readonly length: number
  readonly crc: number
  /** Length and crc of the bytes stored here: of the shard, for a code; otherwise the chunk's. */
  readonly storedLength: number
  readonly storedCrc: number
}

export interface ChunkFooter extends StoredChunk {
  /** Of the stored bytes. */
  readonly blockCrcs: Uint32Array
}

const magic = Buffer.from('ASHLCHNK', 'latin1')
const version = 1
const fixedBytes = 56
/** crc u32, footer length u32, magic. */
const trailerBytes = 16

/** The longest footer there can be: the bound of every read of one. */
export const footerMaxBytes = footerBytes(limits.chunkSizeMaxBytes)

export function alignUp(length: number): number {
  return Math.ceil(length / pageBytes) * pageBytes
}

/** Length of the footer of a file that stores `storedLength` bytes: whole pages. */
export function footerBytes(storedLength: number): number {
  return alignUp(fixedBytes + 4 * blockCount(storedLength) + trailerBytes)
}

/** Length of the whole file. */
export function chunkFileBytes(storedLength: number): number {
  return alignUp(storedLength) + footerBytes(storedLength)
}

/** Writes the footer into `target`, which has exactly its length. */
export function encodeFooter(footer: ChunkFooter, target: Buffer): void {
  const { blockCrcs, storedLength } = footer
  assert(target.length === footerBytes(storedLength) && blockCrcs.length === blockCount(storedLength), 'footer misfit')
  target.fill(0)
  target.writeUInt16BE(version, 0)
  target.writeUInt16BE(footer.slot, 2)
  target.writeUInt32BE(limits.blockBytes, 4)
  target.writeBigUInt64BE(BigInt(footer.sequence), 8)
  chunkIdToBytes(footer.id).copy(target, 16)
  target.writeBigUInt64BE(BigInt(footer.length), 32)
  target.writeUInt32BE(footer.crc, 40)
  target.writeUInt32BE(storedLength, 44)
  target.writeUInt32BE(footer.storedCrc, 48)
  target.writeUInt32BE(blockCrcs.length, 52)
  for (let index = 0, at = fixedBytes; index < blockCrcs.length; index++) {
    at = target.writeUInt32BE(blockCrcs[index] as number, at)
  }
  const end = target.length
  target.writeUInt32BE(target.length, end - 12)
  magic.copy(target, end - 8)
  target.writeUInt32BE(crc32(target.subarray(0, end - 16), crc32(target.subarray(end - 12))), end - 16)
}

/** The length of the footer that ends with `lastPage`, or undefined: there is none. */
export function footerLengthIn(lastPage: Buffer): number | undefined {
  const end = lastPage.length
  if (end < trailerBytes || !lastPage.subarray(end - 8).equals(magic)) return undefined
  const length = lastPage.readUInt32BE(end - 12)
  return length % pageBytes === 0 && length > 0 && length <= footerMaxBytes ? length : undefined
}

/**
 * Reads a footer; everything in it is checked, also that the blocks' checksums combine to the stored crc.
 * @param bytes exactly the footer
 * @returns undefined: it is damaged, or not a footer of this version
 */
export function decodeFooter(bytes: Buffer): ChunkFooter | undefined {
  const end = bytes.length
  if (footerLengthIn(bytes) !== end) return undefined
  if (crc32(bytes.subarray(0, end - 16), crc32(bytes.subarray(end - 12))) !== bytes.readUInt32BE(end - 16)) {
    return undefined
  }
  if (bytes.readUInt16BE(0) !== version || bytes.readUInt32BE(4) !== limits.blockBytes) return undefined
  const storedLength = bytes.readUInt32BE(44)
  const blocks = bytes.readUInt32BE(52)
  if (storedLength > limits.chunkSizeMaxBytes || footerBytes(storedLength) !== end) return undefined
  if (blocks !== blockCount(storedLength)) return undefined
  const blockCrcs = new Uint32Array(blocks)
  for (let index = 0; index < blocks; index++) blockCrcs[index] = bytes.readUInt32BE(fixedBytes + 4 * index)
  const storedCrc = bytes.readUInt32BE(48)
  if (combineBlocks(blockCrcs, storedLength) !== storedCrc) return undefined
  return {
    id: chunkIdFromBytes(bytes.subarray(16, 32)),
    sequence: Number(bytes.readBigUInt64BE(8)),
    slot: bytes.readUInt16BE(2),
    length: Number(bytes.readBigUInt64BE(32)),
    crc: bytes.readUInt32BE(40),
    storedLength,
    storedCrc,
    blockCrcs,
  }
}

/**
 * Checksums of a chunk's bytes while they stream by: one CRC-32 per block of 64 KiB, and the whole chunk's crc
 * combined from them, so that no byte is summed twice.
 * @module
 */
import { assert } from '../base/assert.ts'
import { combineCrc32, crc32 } from '../base/crc.ts'
import { limits } from '../base/limits.ts'

const { blockBytes } = limits

/** How many blocks `length` bytes make. */
export function blockCount(length: number): number {
  return Math.ceil(length / blockBytes)
}

/** The crc of a chunk of `length` bytes whose blocks have `blockCrcs`. */
export function combineBlocks(blockCrcs: Uint32Array, length: number): number {
  assert(blockCrcs.length === blockCount(length), 'block checksums do not fit the length')
  let crc = 0
  for (let index = 0; index < blockCrcs.length; index++) {
    crc = combineCrc32(crc, blockCrcs[index] as number, Math.min(blockBytes, length - index * blockBytes))
  }
  return crc
}

/** Block checksums of bytes that are in memory whole. */
export function sumBlocks(bytes: Uint8Array): Uint32Array {
  const crcs = new Uint32Array(blockCount(bytes.length))
  for (let index = 0; index < crcs.length; index++) {
    crcs[index] = crc32(bytes.subarray(index * blockBytes, (index + 1) * blockBytes))
  }
  return crcs
}

/** The index of the first block of `bytes` (whole blocks from block `firstBlock` on) that differs from `blockCrcs`; -1: all right. */
export function findBadBlock(bytes: Uint8Array, blockCrcs: Uint32Array, firstBlock: number): number {
  for (let at = 0, block = firstBlock; at < bytes.length; at += blockBytes, block++) {
    if (crc32(bytes.subarray(at, at + blockBytes)) !== blockCrcs[block]) return block
  }
  return -1
}

/** Sums bytes that arrive in pieces of any size. */
export class BlockSums {
  readonly #length: number
  readonly #crcs: Uint32Array
  #appended = 0

  /** @param length bytes that will come */
  constructor(length: number) {
    this.#length = length
    this.#crcs = new Uint32Array(blockCount(length))
  }

  get appendedBytes(): number {
    return this.#appended
  }

  append(bytes: Uint8Array): void {
    assert(this.#appended + bytes.length <= this.#length, 'more bytes than were declared')
    let at = 0
    while (at < bytes.length) {
      const block = Math.floor(this.#appended / blockBytes)
      const take = Math.min(blockBytes - (this.#appended % blockBytes), bytes.length - at)
      this.#crcs[block] = crc32(bytes.subarray(at, at + take), this.#crcs[block] as number)
      this.#appended += take
      at += take
    }
  }

  /** Called once all declared bytes were appended. */
  finish(): { readonly crc: number; readonly blockCrcs: Uint32Array } {
    assert(this.#appended === this.#length, 'fewer bytes than were declared')
    return { crc: combineBlocks(this.#crcs, this.#length), blockCrcs: this.#crcs }
  }
}

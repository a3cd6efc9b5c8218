/**
 * End-to-end verification of what chunk servers send, against the length and checksum that the *extent* names: a
 * replica that agrees only with itself is caught.
 *
 * A whole chunk is checked directly. For a part, the chunk's block checksums are proven once (combined, they give the
 * chunk's), then each block against its own. Proven block checksums hold for every replica, and are kept for later reads.
 * @module
 */
import { combineCrc32, crc32 } from '../base/crc.ts'
import { AshlarError } from '../base/errors.ts'
import type { ChunkId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { ReadChunkResponse } from '../wire/methods/chunk-methods.ts'
import type { Extent } from '../wire/types/extent.ts'

const chunksKept = 256
const { blockBytes } = limits

export class BlockProof {
  /** Proven block checksums, 4 bytes each, by chunk; the least recently proven goes first. */
  readonly #proven = new Map<ChunkId, { readonly crc: number; readonly blockCrcs: Buffer }>()

  /** Whether a read of a part needs the block checksums sent along. */
  needsBlockCrcs({ chunk, crc }: Extent): boolean {
    return this.#proven.get(chunk)?.crc !== crc
  }

  /** @throws {AshlarError} `corrupt` — the bytes are not those of the extent's chunk */
  check(extent: Extent, response: ReadChunkResponse, payload: Buffer): void {
    const { chunk, chunkLength, crc } = extent
    if (response.chunkLength !== chunkLength || response.crc !== crc) {
      throw corrupt(
        chunk,
        `the replica has ${response.chunkLength} bytes and another checksum, the file names ${chunkLength}`,
      )
    }
    const { offset } = response
    const end = offset + payload.length
    if (offset % blockBytes !== 0 || end > chunkLength || (end % blockBytes !== 0 && end !== chunkLength)) {
      throw corrupt(chunk, `${payload.length} bytes at ${offset} are not whole blocks`)
    }
    if (payload.length === chunkLength) {
      if (crc32(payload) !== crc) throw corrupt(chunk, 'its bytes do not match its checksum')
      return
    }
    const blockCrcs = this.#blockCrcs(extent, response.blockCrcs)
    for (let at = 0; at < payload.length; at += blockBytes) {
      const index = (offset + at) / blockBytes
      if (crc32(payload.subarray(at, at + blockBytes)) !== blockCrcs.readUInt32BE(index * 4)) {
        throw corrupt(chunk, `block ${index} does not match its checksum`)
      }
    }
  }

  #blockCrcs({ chunk, chunkLength, crc }: Extent, sent: Buffer | undefined): Buffer {
    const known = this.#proven.get(chunk)
    if (known?.crc === crc) return known.blockCrcs
    const count = Math.ceil(chunkLength / blockBytes)
    if (sent === undefined || sent.length !== count * 4) throw corrupt(chunk, 'its block checksums are missing')
    let combined = 0
    for (let index = 0; index < count; index++) {
      const length = Math.min(blockBytes, chunkLength - index * blockBytes)
      combined = combineCrc32(combined, sent.readUInt32BE(index * 4), length)
    }
    if (combined !== crc) throw corrupt(chunk, "its block checksums do not give the chunk's")
    this.#proven.set(chunk, { crc, blockCrcs: sent })
    for (const oldest of this.#proven.keys()) {
      if (this.#proven.size <= chunksKept) break
      this.#proven.delete(oldest)
    }
    return sent
  }
}

function corrupt(chunk: ChunkId, state: string): AshlarError {
  return new AshlarError('corrupt', `Cannot use a replica of chunk ${chunk}: ${state}`)
}

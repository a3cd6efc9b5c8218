/** Bytes that will become one chunk: they do not change any more, and their checksum is known. @module */
import { crc32 } from '../base/crc.ts'
import { limits } from '../base/limits.ts'

export interface SealedChunk {
  /** In order; each but the last is `limits.framePayloadBytes` long. */
  readonly blocks: readonly Uint8Array[]
  readonly length: number
  readonly crc: number
}

/** Cuts bytes in memory into blocks, without copying. */
export function sealBytes(bytes: Uint8Array): SealedChunk {
  const blocks: Uint8Array[] = []
  if (bytes.length <= limits.framePayloadBytes) blocks.push(bytes)
  else {
    for (let at = 0; at < bytes.length; at += limits.framePayloadBytes) {
      blocks.push(bytes.subarray(at, at + limits.framePayloadBytes))
    }
  }
  return { blocks, length: bytes.length, crc: crc32(bytes) }
}

/** Which lengths a chunk may have. @module */
import { AshlarError } from '../base/errors.ts'
import type { ChunkId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'

/** @throws {AshlarError} `invalid-argument` */
export function checkChunkLength(id: ChunkId, length: number): void {
  if (Number.isInteger(length) && length >= 1 && length <= limits.chunkSizeMaxBytes) return
  throw new AshlarError(
    'invalid-argument',
    `Cannot store chunk ${id}: ${length} is not a length from 1 to ${limits.chunkSizeMaxBytes} bytes`,
  )
}

/**
 * A commit of written chunks, until it is taken: one that is refused because its allocation was closed, or its receipts
 * prove too little, writes the chunks again under new ids. Never while the refused one may still be applied.
 * @module
 */
import { isAshlarError } from '../base/errors.ts'
import type { GroupId } from '../base/ids.ts'
import type { Clock } from '../env/clock.ts'
import { sleep } from '../env/waiting.ts'
import type { ChunkWriter } from './chunk-writer.ts'
import type { ProvenChunk } from './proven-chunk.ts'
import type { SealedChunk } from './sealed-chunk.ts'

/** A chunk whose bytes are kept until its commit is acknowledged. */
export interface WrittenChunk {
  readonly data: SealedChunk
  /** Under which id members hold it; another one after it was written again. */
  proven: ProvenChunk
}

export interface ProvingOptions {
  readonly clock: Clock
  readonly writer: ChunkWriter
  /** Of the file. */
  readonly path: string
  readonly signal: AbortSignal | undefined
}

const maxRewrites = 8
const firstPauseMs = 100
const longestPauseMs = 2_000

/** @throws {AshlarError} what `send` threw at last, what {@link ChunkWriter.write} throws */
export async function proveChunks<T>(
  chunks: readonly WrittenChunk[],
  options: ProvingOptions,
  send: (chunks: readonly ProvenChunk[]) => Promise<T>,
): Promise<T> {
  let pauseMs = firstPauseMs
  for (let attempt = 0; ; attempt++) {
    try {
      return await send(chunks.map(({ proven }) => proven))
    } catch (error) {
      const isRefused = isAshlarError(error, 'allocation-closed', 'receipts-rejected', 'stale-epoch')
      if (!isRefused || error.applied !== 'no' || attempt === maxRewrites) throw error
      if (attempt > 0) {
        await sleep(options.clock, pauseMs, options.signal)
        pauseMs = Math.min(longestPauseMs, pauseMs * 2)
      }
      const areReceiptsAtFault = error.code === 'receipts-rejected'
      for (const chunk of chunks) await writeAgain(chunk, { ...options, avoidsGroup: areReceiptsAtFault })
    }
  }
}

async function writeAgain(
  chunk: WrittenChunk,
  { writer, path, signal, avoidsGroup }: ProvingOptions & { readonly avoidsGroup: boolean },
): Promise<void> {
  const { slot } = chunk.proven
  slot.discard()
  slot.settle()
  const avoid = new Set<GroupId>(avoidsGroup ? [slot.allocation.group] : [])
  chunk.proven = await writer.write({ path, data: chunk.data, signal, avoid })
}

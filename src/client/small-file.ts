/**
 * A file that is one small chunk at most, its bytes in memory: written, then committed. What a pipeline and a writer keep for
 * more (a queue, a stop of their own, blocks) would cost as much as all the rest of such a file.
 * @module
 */
import type { ClientCore } from './client-core.ts'
import { commitWhole, type FileTarget } from './file-sink.ts'
import type { FileStats } from './file-stats.ts'
import { proveChunks, type WrittenChunk } from './prove-chunks.ts'
import { sealBytes } from './sealed-chunk.ts'

/** @param bytes no more than one chunk holds; they stay as they are until this settles */
export async function writeSmallFile(core: ClientCore, target: FileTarget, bytes: Uint8Array): Promise<FileStats> {
  const { env, writer, session } = core
  const { path, signal } = target
  const data = sealBytes(bytes)
  const { length, crc } = data
  if (length === 0) return await commitWhole(session, target, { chunks: [], length, crc })
  const chunk: WrittenChunk = { data, proven: await writer.write({ path, data, signal }) }
  try {
    const stats = await proveChunks([chunk], { clock: env.clock, writer, path, signal }, (chunks) =>
      commitWhole(session, target, { chunks, length, crc }),
    )
    chunk.proven.slot.commit()
    return stats
  } catch (error) {
    chunk.proven.slot.settle()
    throw error
  }
}

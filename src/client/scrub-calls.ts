/** Reading every replica of files at once, so that what is wrong is found and repaired now. @module */
import type { ChunkId, ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { describeChunks } from '../wire/methods/file-methods.ts'
import { scrubChunks } from '../wire/methods/scrub-methods.ts'
import type { ClientCore } from './client-core.ts'
import type { DirectoryEntry, FileStats } from './file-stats.ts'
import type { CallOptions } from './options.ts'
import { checkPath } from './paths.ts'

/** What was read. Replicas of a chunk that several files share are read once for each. */
export interface ScrubCounts {
  readonly files: number
  readonly chunks: number
  /** Replicas that were read whole and are right. */
  readonly good: number
  /** Replicas that are missing or wrong: set aside, and copied anew. */
  readonly bad: number
  /** Replicas that nobody could read: their servers are not up. */
  readonly unread: number
  /** Of all that was read. */
  readonly bytes: number
}

export interface BadReplica {
  readonly path: string
  readonly chunk: ChunkId
  readonly server: ServerId
}

export interface ScrubbedFiles {
  readonly counts: ScrubCounts
  /** The first `limits.fsckFindings`. */
  readonly bad: readonly BadReplica[]
  /** Why something could not be read, if so. */
  readonly reason?: string
}

export interface ScrubOptions extends CallOptions {
  /** Called after each step with all that was read so far. */
  readonly onProgress?: (counts: ScrubCounts) => void
}

/** What is needed of the namespace. */
export interface FileTree {
  stat(path: string, options: CallOptions): Promise<FileStats>
  list(path: string, options: CallOptions): AsyncIterable<DirectoryEntry>
}

/** A step reads up to so much of each replica; the largest chunk may be more. */
const bytesPerCall = 256 * 1024 * 1024
const callTimeoutMs = 180_000

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] }

/** Scrubs a file, or all files below a directory. */
export async function scrubPath(
  { core, namespace }: { readonly core: ClientCore; readonly namespace: FileTree },
  path: string,
  { onProgress, signal }: ScrubOptions = {},
): Promise<ScrubbedFiles> {
  const counts: Mutable<ScrubCounts> = { files: 0, chunks: 0, good: 0, bad: 0, unread: 0, bytes: 0 }
  const bad: BadReplica[] = []
  let reason: string | undefined
  let batch = new Map<ChunkId, string>()
  let batchBytes = 0
  const scrub = async () => {
    if (batch.size === 0) return
    const asked = batch
    batch = new Map()
    batchBytes = 0
    const request = { chunks: [...asked.keys()] }
    const { value } = await core.link.call(scrubChunks, request, { signal, timeoutMs: callTimeoutMs })
    counts.chunks += value.chunks
    counts.good += value.good
    counts.bad += value.bad.length
    counts.unread += value.unread
    counts.bytes += value.bytes
    reason = value.reason ?? reason
    for (const { chunk, server } of value.bad) {
      if (bad.length < limits.fsckFindings) bad.push({ path: asked.get(chunk) ?? path, chunk, server })
    }
    onProgress?.(counts)
  }
  for await (const file of filesBelow(namespace, checkPath(path), signal)) {
    counts.files++
    for (let from = 0, isWhole = false; !isWhole; ) {
      const { value } = await core.link.call(describeChunks, { path: file, from }, { signal })
      for (const { extent } of value.chunks) {
        if (!batch.has(extent.chunk)) batchBytes += extent.chunkLength
        batch.set(extent.chunk, file)
        if (batch.size === limits.scrubChunksPerCall || batchBytes >= bytesPerCall) await scrub()
      }
      from += value.chunks.length
      isWhole = value.chunks.length === 0 || from >= value.extentCount
    }
  }
  await scrub()
  return { counts, bad, ...(reason === undefined ? {} : { reason }) }
}

async function* filesBelow(
  namespace: FileTree,
  path: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<string, void, undefined> {
  const given = signal === undefined ? {} : { signal }
  if ((await namespace.stat(path, given)).isFile()) return yield path
  const directories = [path]
  for (let next = directories.pop(); next !== undefined; next = directories.pop()) {
    for await (const entry of namespace.list(next, given)) {
      if (entry.isDirectory()) directories.push(entry.path)
      else yield entry.path
    }
  }
}

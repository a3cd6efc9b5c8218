/**
 * Chunks become a new file: a few in one `commitFile`; many through a hidden inode, in bounded steps, which only the last
 * one links. Until then no reader sees anything.
 * @module
 */
import type { Infer } from '../base/codec.ts'
import { commitFile, linkFile } from '../wire/methods/write-methods.ts'
import type { NewAttributes, precondition } from '../wire/types/attributes.ts'
import type { Background } from './background.ts'
import { type ExtentSink, type FileTotals, proofOf } from './extent-sink.ts'
import { FileStats } from './file-stats.ts'
import type { ProvenChunk } from './proven-chunk.ts'
import type { Session } from './session.ts'
import { StagedExtents } from './staged-extents.ts'

export interface FileTarget {
  readonly path: string
  readonly precondition: Infer<typeof precondition>
  /** A function: made when the bytes are written. */
  readonly attributes: NewAttributes | ((written: FileTotals) => NewAttributes)
  readonly makeParents: boolean
  readonly signal?: AbortSignal | undefined
}

export class FileSink implements ExtentSink {
  readonly #session: Session
  readonly #target: FileTarget
  readonly #staged: StagedExtents

  constructor(services: { readonly session: Session; readonly background: Background }, target: FileTarget) {
    this.#session = services.session
    this.#target = target
    this.#staged = new StagedExtents(services, target)
  }

  async stage(): Promise<void> {
    await this.#staged.inode()
  }

  async add(chunks: readonly ProvenChunk[]): Promise<void> {
    await this.#staged.add(chunks)
  }

  async finish(chunks: readonly ProvenChunk[], { length, crc }: FileTotals): Promise<FileStats> {
    if (!this.#staged.isBegun) return await commitWhole(this.#session, this.#target, { chunks, length, crc })
    if (chunks.length > 0) await this.add(chunks)
    const { path, precondition, makeParents, signal } = this.#target
    const attributes = chosenAttributes(this.#target, { length, crc })
    const inode = await this.#staged.inode()
    const body = { inode, path, precondition, attributes, makeParents, length, crc }
    const { value } = await this.#session.mutate(linkFile, body, { signal })
    this.#staged.linked()
    return new FileStats(value.attributes)
  }

  async abandon(): Promise<void> {
    await this.#staged.abandon()
  }
}

/** One transaction: the file is there, whole, or nothing changed. */
export async function commitWhole(
  session: Session,
  target: FileTarget,
  { chunks, length, crc }: { readonly chunks: readonly ProvenChunk[] } & FileTotals,
): Promise<FileStats> {
  const { path, precondition, makeParents, signal } = target
  const attributes = chosenAttributes(target, { length, crc })
  const body = { path, precondition, attributes, makeParents, crc, ...proofOf(chunks) }
  const { value } = await session.mutate(commitFile, body, { signal })
  return new FileStats(value.attributes)
}

function chosenAttributes({ attributes }: FileTarget, written: FileTotals): NewAttributes {
  return typeof attributes === 'function' ? attributes(written) : attributes
}

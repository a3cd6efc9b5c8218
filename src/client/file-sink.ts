/**
 * Chunks become a new file: a few in one `commitFile`; many through a hidden inode, in bounded steps, which only the last
 * one links. Until then no reader sees anything.
 * @module
 */
import type { Infer } from '../base/codec.ts'
import type { InodeId } from '../base/ids.ts'
import { abandonFile, addExtents, beginFile, commitFile, linkFile } from '../wire/methods/write-methods.ts'
import type { NewAttributes, precondition } from '../wire/types/attributes.ts'
import { beforeApplied } from './applied.ts'
import type { Background } from './background.ts'
import { type ExtentSink, type FileTotals, proofOf } from './extent-sink.ts'
import { FileStats } from './file-stats.ts'
import type { ProvenChunk } from './proven-chunk.ts'
import type { Session } from './session.ts'

export interface FileTarget {
  readonly path: string
  readonly precondition: Infer<typeof precondition>
  /** A function: made when the bytes are written. */
  readonly attributes: NewAttributes | ((written: FileTotals) => NewAttributes)
  readonly makeParents: boolean
  readonly signal?: AbortSignal | undefined
}

const abandonTimeoutMs = 5_000

export class FileSink implements ExtentSink {
  readonly #session: Session
  readonly #background: Background
  readonly #target: FileTarget
  #staging: Promise<InodeId> | undefined
  #length = 0
  #isLinked = false

  constructor(services: { readonly session: Session; readonly background: Background }, target: FileTarget) {
    this.#session = services.session
    this.#background = services.background
    this.#target = target
  }

  async stage(): Promise<void> {
    this.#staging ??= this.#begin()
    await this.#staging
  }

  async add(chunks: readonly ProvenChunk[]): Promise<void> {
    await this.stage()
    const inode = (await this.#staging) as InodeId
    const body = { inode, expectedLength: this.#length, ...proofOf(chunks) }
    const { value } = await beforeApplied(this.#session.mutate(addExtents, body, { signal: this.#target.signal }))
    this.#length = value.length
  }

  async finish(chunks: readonly ProvenChunk[], { length, crc }: FileTotals): Promise<FileStats> {
    if (this.#staging === undefined) return await commitWhole(this.#session, this.#target, { chunks, length, crc })
    if (chunks.length > 0) await this.add(chunks)
    const { path, precondition, makeParents, signal } = this.#target
    const attributes = chosenAttributes(this.#target, { length, crc })
    const inode = await this.#staging
    const body = { inode, path, precondition, attributes, makeParents, length, crc }
    const { value } = await this.#session.mutate(linkFile, body, { signal })
    this.#isLinked = true
    return new FileStats(value.attributes)
  }

  explained(error: unknown): unknown {
    return error
  }

  async abandon(): Promise<void> {
    if (this.#staging === undefined || this.#isLinked) return
    let inode: InodeId
    try {
      inode = await this.#staging
    } catch {
      // Whoever waited for the staging was told. One that was made all the same is dropped by `#begin`.
      return
    }
    this.#background.run('abandon a file that was being written', this.#drop(inode))
  }

  /** Until the master has dropped it, or the session is over and it with it. */
  async #drop(inode: InodeId): Promise<void> {
    const session = await this.#session.opened()
    await this.#session.insist(session, () =>
      this.#session.mutate(abandonFile, { inode }, { timeoutMs: abandonTimeoutMs }),
    )
  }

  async #begin(): Promise<InodeId> {
    const { path, precondition, makeParents, signal } = this.#target
    const body = { path, precondition, makeParents }
    const undo = ({ inode }: { readonly inode: InodeId }) => this.#drop(inode)
    const { value } = await beforeApplied(this.#session.mutateOrUndo(beginFile, body, { signal, undo }))
    return value.inode
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

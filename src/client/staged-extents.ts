/**
 * The hidden inode of a write of many chunks: it takes them in bounded commits, seen by nobody, until one last request
 * gives them a name. What is not linked is dropped, here or with the session.
 * @module
 */
import type { Infer } from '../base/codec.ts'
import type { InodeId } from '../base/ids.ts'
import { abandonFile, addExtents, beginFile } from '../wire/methods/write-methods.ts'
import type { precondition } from '../wire/types/attributes.ts'
import { beforeApplied } from './applied.ts'
import type { Background } from './background.ts'
import { proofOf } from './extent-sink.ts'
import type { ProvenChunk } from './proven-chunk.ts'
import type { Session } from './session.ts'

export interface StagedTarget {
  readonly path: string
  /** Checked early; whoever links checks it again. */
  readonly precondition: Infer<typeof precondition>
  readonly makeParents: boolean
  readonly signal?: AbortSignal | undefined
}

const abandonTimeoutMs = 5_000

export class StagedExtents {
  readonly #session: Session
  readonly #background: Background
  readonly #target: StagedTarget
  #staging: Promise<InodeId> | undefined
  #length = 0
  #count = 0
  #isLinked = false

  constructor(services: { readonly session: Session; readonly background: Background }, target: StagedTarget) {
    this.#session = services.session
    this.#background = services.background
    this.#target = target
  }

  get isBegun(): boolean {
    return this.#staging !== undefined
  }

  /** Extents that were added. */
  get count(): number {
    return this.#count
  }

  /** Makes the hidden inode, the first time. */
  async inode(): Promise<InodeId> {
    this.#staging ??= this.#begin()
    return await this.#staging
  }

  async add(chunks: readonly ProvenChunk[]): Promise<void> {
    const inode = await this.inode()
    const body = { inode, expectedLength: this.#length, ...proofOf(chunks) }
    const { value } = await beforeApplied(this.#session.mutate(addExtents, body, { signal: this.#target.signal }))
    this.#length = value.length
    this.#count += chunks.length
  }

  /** The extents have a name: there is nothing to be dropped any more. */
  linked(): void {
    this.#isLinked = true
  }

  /** Never rejects. */
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

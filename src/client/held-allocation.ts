/**
 * One allocation in this client's hands: which of its ids are still to be used, and how many chunks written under it wait for
 * their commit. It may be given back only when none does.
 * @module
 */
import { type ChunkId, chunkId } from '../base/ids.ts'
import type { Allocation } from '../wire/types/extent.ts'
import type { OpenedSession } from './session.ts'

/** The right to write one chunk. {@link ChunkSlot.settle} exactly once: after its commit, or when its id is burned. */
export interface ChunkSlot {
  readonly allocation: Allocation
  readonly chunk: ChunkId
  /** The allocation cannot be used any more (closed, expired, of an older epoch): burns what is left of it. */
  discard(): void
  settle(): void
}

export class HeldAllocation {
  readonly allocation: Allocation
  readonly session: OpenedSession
  /** On the monotonic clock: from then on a chunk begun under it might come too late for its commit. */
  readonly usableUntilMs: number
  /** A member of its group was away when it was given. */
  readonly isPartial: boolean
  #used = 0
  #unsettled = 0
  #isDiscarded = false

  constructor(
    allocation: Allocation,
    options: { readonly session: OpenedSession; readonly usableUntilMs: number; readonly isPartial: boolean },
  ) {
    this.allocation = allocation
    this.session = options.session
    this.usableUntilMs = options.usableUntilMs
    this.isPartial = options.isPartial
  }

  get left(): number {
    return this.#isDiscarded || this.session.endedSignal.aborted ? 0 : this.allocation.count - this.#used
  }

  /** Nothing that was written under it still waits for a commit. */
  get isSettled(): boolean {
    return this.#unsettled === 0
  }

  discard(): void {
    this.#isDiscarded = true
  }

  take(onSettled: (held: HeldAllocation) => void): ChunkSlot {
    const { group, generation, firstSequence } = this.allocation
    const chunk = chunkId({ group, generation, sequence: firstSequence + this.#used })
    this.#used++
    this.#unsettled++
    let isOpen = true
    return {
      allocation: this.allocation,
      chunk,
      discard: () => this.discard(),
      settle: () => {
        if (!isOpen) return
        isOpen = false
        this.#unsettled--
        if (this.left === 0 && this.isSettled) onSettled(this)
      },
    }
  }
}

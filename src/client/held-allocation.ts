/**
 * One allocation in this client's hands: which of its ids are still to be used, and how many chunks written under it wait for
 * their commit. It may be given back only when none does.
 * An id that is settled without a commit is *burned*: members may hold bytes under it that nothing will ever name. Then the
 * whole allocation is used no more and goes back at once, with its burned ids, so that their space returns.
 * @module
 */
import { type ChunkId, chunkId } from '../base/ids.ts'
import type { Allocation } from '../wire/types/extent.ts'
import type { OpenedSession } from './session.ts'

/** The right to write one chunk. It is settled once: {@link ChunkSlot.commit}, or {@link ChunkSlot.settle}; what comes later is nothing. */
export interface ChunkSlot {
  readonly allocation: Allocation
  readonly chunk: ChunkId
  /** The allocation cannot be used any more (closed, expired, of an older epoch): burns what is left of it. */
  discard(): void
  /** A commit that names the chunk was answered. */
  commit(): void
  /** The id is burned: no answered commit names it, and none is to be sent any more. */
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
  readonly #burned: ChunkId[] = []

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
    const end = (isBurned: boolean) => {
      if (!isOpen) return
      isOpen = false
      this.#unsettled--
      if (isBurned) this.#burn(chunk)
      if (this.left > 0 || !this.isSettled) return
      if (this.#burned.length === 0) onSettled(this)
      else this.session.giveBackBurned(this.allocation, this.#burned)
    }
    return {
      allocation: this.allocation,
      chunk,
      discard: () => this.discard(),
      commit: () => end(false),
      settle: () => end(true),
    }
  }

  #burn(chunk: ChunkId): void {
    this.#burned.push(chunk)
    this.discard()
  }
}

/**
 * Copies that members owe: of what was acknowledged without them, and of replicas found bad. Placement counts their bytes as used, so that
 * a debt finds room when its member can pay it; else a write that is taken now leaves a file short of a copy for ever.
 *
 * The truth are the rows of the repair queue, which every pass of the repair over it counts anew; what commits add in between
 * comes on top, and what is paid goes at once. A commit that runs twice counts twice until the next pass: an error towards keeping room.
 * @module
 */
import type { ServerId } from '../base/ids.ts'
import type { Amount } from './copy-progress.ts'

type Sums = Map<ServerId, Amount>

const nothing: Amount = { chunks: 0, bytes: 0 }

export class OwedCopies {
  #counted: Sums = new Map()
  /** Since the pass before the present one began: what that may have missed. */
  #added: Sums = new Map()
  #counting: Sums = new Map()
  #addedMeanwhile: Sums = new Map()

  of(server: ServerId): Amount {
    const counted = this.#counted.get(server) ?? nothing
    const added = this.#added.get(server) ?? nothing
    return { chunks: counted.chunks + added.chunks, bytes: counted.bytes + added.bytes }
  }

  /** A commit goes without this member's copy. */
  add(server: ServerId, lengthBytes: number): void {
    change(this.#added, server, { chunks: 1, bytes: lengthBytes })
    change(this.#addedMeanwhile, server, { chunks: 1, bytes: lengthBytes })
  }

  /** A pass over all debts begins. One under way is forgotten. */
  beginPass(): void {
    this.#counting = new Map()
    this.#addedMeanwhile = new Map()
  }

  /** The pass came by a debt that is not paid yet. */
  count(server: ServerId, lengthBytes: number): void {
    change(this.#counting, server, { chunks: 1, bytes: lengthBytes })
  }

  /** The pass came by a debt, and it was paid. */
  paid(server: ServerId, lengthBytes: number): void {
    change(this.#counted, server, { chunks: -1, bytes: -lengthBytes })
  }

  endPass(): void {
    this.#counted = this.#counting
    this.#added = this.#addedMeanwhile
    this.beginPass()
  }
}

function change(sums: Sums, server: ServerId, by: Amount): void {
  const { chunks, bytes } = sums.get(server) ?? nothing
  sums.set(server, { chunks: Math.max(0, chunks + by.chunks), bytes: Math.max(0, bytes + by.bytes) })
}

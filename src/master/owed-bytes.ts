/**
 * Bytes that members owe: what was acknowledged without them, and replicas found bad. Placement counts them as used, so that
 * a debt finds room when its member can pay it; else a write that is taken now leaves a file short of a copy for ever.
 *
 * The truth are the rows of the repair queue, which every pass of the repair over it counts anew; what commits add in between
 * comes on top. A commit that runs twice counts twice until the next pass: an error towards keeping room.
 * @module
 */
import type { ServerId } from '../base/ids.ts'

type Sums = Map<ServerId, number>

export class OwedBytes {
  #counted: Sums = new Map()
  /** Since the pass before the present one began: what that may have missed. */
  #added: Sums = new Map()
  #counting: Sums = new Map()
  #addedMeanwhile: Sums = new Map()

  of(server: ServerId): number {
    return (this.#counted.get(server) ?? 0) + (this.#added.get(server) ?? 0)
  }

  /** A commit goes without this member's copy. */
  add(server: ServerId, lengthBytes: number): void {
    increase(this.#added, server, lengthBytes)
    increase(this.#addedMeanwhile, server, lengthBytes)
  }

  /** A pass over all debts begins. One under way is forgotten. */
  beginPass(): void {
    this.#counting = new Map()
    this.#addedMeanwhile = new Map()
  }

  /** The pass came by a debt that is not paid yet. */
  count(server: ServerId, lengthBytes: number): void {
    increase(this.#counting, server, lengthBytes)
  }

  endPass(): void {
    this.#counted = this.#counting
    this.#added = this.#addedMeanwhile
    this.beginPass()
  }
}

function increase(sums: Sums, server: ServerId, lengthBytes: number): void {
  sums.set(server, (sums.get(server) ?? 0) + lengthBytes)
}

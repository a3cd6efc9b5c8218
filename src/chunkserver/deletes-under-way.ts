/**
 * Deletes that were admitted and are not in the index yet, by group. What is told of a group waits for them: an order of an older
 * epoch, to a server that was no member then, may still be at the disk when the server has joined again under a newer one. Told
 * of at that moment, what it deletes would be counted as held.
 * @module
 */
import type { GroupId } from '../base/ids.ts'
import { abortable } from '../env/waiting.ts'

export class DeletesUnderWay {
  readonly #tails = new Map<GroupId, Promise<void>>()

  /** To be called in the turn in which the order's epoch was checked. */
  of<T>(group: GroupId, work: Promise<T>): Promise<T> {
    const tail = Promise.allSettled([this.#tails.get(group), work]).then(() => {
      if (this.#tails.get(group) === tail) this.#tails.delete(group)
    })
    this.#tails.set(group, tail)
    return work
  }

  /**
   * Resolves when those have ended that are under way now, failed or not.
   * @throws {AshlarError} `cancelled` — whoever asked waits no longer than its `signal`; a disk may hang for ever
   */
  async ended(group: GroupId, signal: AbortSignal): Promise<void> {
    const tail = this.#tails.get(group)
    if (tail !== undefined) await abortable(tail, signal, `wait for deletes in group ${group}`)
  }
}

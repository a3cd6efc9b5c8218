/**
 * Counts of chunks and of changes per group. One entry per group that changed since the store was opened, so it does
 * not grow with the number of chunks.
 * @module
 */
import { type ChunkId, type GroupId, groupOf } from '../base/ids.ts'

export class ChangeCounts {
  readonly #changes = new Map<GroupId, number>()
  #chunks: number

  constructor(chunks: number) {
    this.#chunks = chunks
  }

  get chunks(): number {
    return this.#chunks
  }

  of(group: GroupId): number {
    return this.#changes.get(group) ?? 0
  }

  groups(): Iterable<GroupId> {
    return this.#changes.keys()
  }

  /** @param chunks 1: one came; -1: one went */
  note(id: ChunkId, chunks: 1 | -1): void {
    const group = groupOf(id)
    this.#changes.set(group, this.of(group) + 1)
    this.#chunks += chunks
  }
}

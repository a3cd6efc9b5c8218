/**
 * What happened since the index's last checkpoint, in memory: the newest state of each id that changed, and what
 * that does to the digests. Bounded by the index (`limits.storeOverlayEvents`).
 * @module
 */
import { addDigest, type ChunkDigest, emptyDigest, equalDigests, negateDigest } from '../base/digest.ts'
import { type ChunkId, type GroupId, groupOf, pageOf } from '../base/ids.ts'
import { type ChunkEvent, digestOfChunk, idOfEvent, type LiveChunk } from './chunk-state.ts'

interface Latest {
  readonly live: LiveChunk | undefined
  /** Number of the event that made it so. */
  readonly event: number
}

export class IndexOverlay {
  #events: ChunkEvent[] = []
  readonly #latest = new Map<ChunkId, Latest>()
  readonly #digests = new Map<GroupId, Map<number, ChunkDigest>>()
  #taken = 0

  get size(): number {
    return this.#events.length
  }

  /** The newest state of `id`, if it changed; `live` undefined: it was deleted. */
  get(id: ChunkId): { readonly live: LiveChunk | undefined } | undefined {
    return this.#latest.get(id)
  }

  /**
   * @param before the live chunk of the id before the event
   * @param after and after it
   */
  add(
    event: ChunkEvent,
    { before, after }: { readonly before: LiveChunk | undefined; readonly after: LiveChunk | undefined },
  ): void {
    this.#events.push(event)
    this.#latest.set(idOfEvent(event), { live: after, event: this.#taken + this.#events.length })
    if (before !== undefined) this.#addDigest(before, negateDigest(digestOfChunk(before)))
    if (after !== undefined) this.#addDigest(after, digestOfChunk(after))
  }

  /** The oldest events, at most `count`; they stay until {@link drop}. */
  oldest(count: number): readonly ChunkEvent[] {
    return this.#events.slice(0, count)
  }

  /** Forgets the oldest `count` events: they are in the index now, with `digests` as what they did to its digests. */
  drop(count: number, digests: readonly PageDelta[]): void {
    const dropped = this.#events.slice(0, count)
    this.#events = this.#events.slice(count)
    this.#taken += count
    for (const event of dropped) {
      const id = idOfEvent(event)
      if ((this.#latest.get(id)?.event ?? Number.POSITIVE_INFINITY) <= this.#taken) this.#latest.delete(id)
    }
    for (const { group, page, delta } of digests) this.#addToPage(group, page, negateDigest(delta))
  }

  /** Changed ids between `first` and `last`, in order. */
  changedBetween(first: ChunkId, last: ChunkId): { readonly id: ChunkId; readonly live: LiveChunk | undefined }[] {
    const found: { id: ChunkId; live: LiveChunk | undefined }[] = []
    for (const [id, { live }] of this.#latest) if (id >= first && id <= last) found.push({ id, live })
    return found.sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  digestsOf(group: GroupId): ReadonlyMap<number, ChunkDigest> {
    return this.#digests.get(group) ?? new Map()
  }

  changedGroups(): GroupId[] {
    return [...this.#digests.keys()]
  }

  #addDigest(chunk: LiveChunk, delta: ChunkDigest): void {
    this.#addToPage(groupOf(chunk.id), pageOf(chunk.id), delta)
  }

  #addToPage(group: GroupId, page: number, delta: ChunkDigest): void {
    let pages = this.#digests.get(group)
    if (pages === undefined) {
      pages = new Map()
      this.#digests.set(group, pages)
    }
    const sum = addDigest(pages.get(page) ?? emptyDigest, delta)
    if (equalDigests(sum, emptyDigest)) pages.delete(page)
    else pages.set(page, sum)
    if (pages.size === 0) this.#digests.delete(group)
  }
}

export interface PageDelta {
  readonly group: GroupId
  readonly page: number
  readonly delta: ChunkDigest
}

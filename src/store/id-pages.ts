/**
 * Which ids of a digest page have a row in the index, as a bit each: so that a put of a new id, the common case, asks
 * the KV nothing, neither when it comes nor at the checkpoint. Puts arrive page by page, so few pages serve, and mostly
 * the one that served last: it is told by the id's beginning, without a key to be made and hashed. What was not used for
 * long is dropped (512 bytes a page).
 * @module
 */
import { type ChunkId, indexInPage } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { RecentMap } from '../base/recent-map.ts'

const pagesKept = 512

export class IdPages {
  readonly #pages = new RecentMap<string, Uint8Array>(pagesKept)
  #last: { readonly page: string; readonly bits: Uint8Array } | undefined

  /** Undefined: the page is not known. */
  has(id: ChunkId): boolean | undefined {
    const bits = this.#bitsOf(id)
    if (bits === undefined) return undefined
    const index = indexInPage(id)
    return ((bits[index >> 3] as number) & (1 << (index & 7))) !== 0
  }

  /** Takes in a page: `ids` are all that have a row. */
  load(anyIdOfPage: ChunkId, ids: readonly ChunkId[]): void {
    const bits = new Uint8Array(limits.pageIds / 8)
    const page = pageKey(anyIdOfPage)
    this.#pages.set(page, bits)
    this.#last = { page, bits }
    for (const id of ids) this.note(id, true)
  }

  /** The index has written, or removed, the last row of `id`. */
  note(id: ChunkId, hasRow: boolean): void {
    const bits = this.#bitsOf(id)
    if (bits === undefined) return
    const index = indexInPage(id)
    const mask = 1 << (index & 7)
    const byte = bits[index >> 3] as number
    bits[index >> 3] = hasRow ? byte | mask : byte & ~mask
  }

  #bitsOf(id: ChunkId): Uint8Array | undefined {
    if (this.#last !== undefined && id.startsWith(this.#last.page)) return this.#last.bits
    const page = pageKey(id)
    const bits = this.#pages.get(page)
    if (bits !== undefined) this.#last = { page, bits }
    return bits
  }
}

/** A page is 4,096 ids: all but the last 12 bits of the sequence. */
function pageKey(id: ChunkId): string {
  return id.slice(0, 25)
}

export function pageBoundsOf(id: ChunkId): { readonly first: ChunkId; readonly last: ChunkId } {
  const prefix = pageKey(id)
  return { first: `${prefix}0000000` as ChunkId, last: `${prefix}fff0000` as ChunkId }
}

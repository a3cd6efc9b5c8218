/**
 * The extents of one content of a file, found by position. The first come with the open; further ones are fetched as they are
 * needed, and only a few pages are kept, so that a file of terabytes costs no more memory than a small one.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import { getExtents } from '../wire/methods/file-methods.ts'
import type { Extent } from '../wire/types/extent.ts'
import type { MasterLink } from './master-link.ts'

export interface LocatedExtent {
  readonly extent: Extent
  /** Where it begins in the file. */
  readonly position: number
}

interface Page {
  /** Index of its first extent. */
  readonly from: number
  /** Where that begins in the file. */
  readonly position: number
  readonly count: number
  readonly length: number
  extents: readonly Extent[] | undefined
}

const pagesKept = 8

export class ExtentList {
  readonly #link: MasterLink
  readonly #path: string
  readonly #content: number
  readonly #count: number
  readonly #which: { readonly objectVersion?: number | undefined }
  readonly #pages: Page[] = []
  /** Indexes of pages whose extents are in memory, the least recently loaded first; the first page stays. */
  readonly #loaded: number[] = []

  constructor(
    link: MasterLink,
    open: {
      readonly path: string
      readonly objectVersion?: number | undefined
      readonly content: number
      readonly extentCount: number
      readonly extents: readonly Extent[]
    },
  ) {
    this.#link = link
    this.#path = open.path
    this.#content = open.content
    this.#count = open.extentCount
    this.#which = open.objectVersion === undefined ? {} : { objectVersion: open.objectVersion }
    if (open.extents.length > 0) this.#pages.push(pageOf(open.extents, { from: 0, position: 0 }))
  }

  /**
   * The extent that holds the byte at `position`.
   * @throws {AshlarError} `changed` — the path has another content by now; `metadata-corrupt` — the extents end before
   */
  async at(position: number, signal?: AbortSignal): Promise<LocatedExtent> {
    for (let index = this.#pageIndexOf(position); ; index++) {
      const page = this.#pages[index] ?? (await this.#appendPage(signal))
      if (page === undefined) break
      if (position >= page.position + page.length) continue
      return locate(await this.#extentsOf(index, page, signal), page.position, position)
    }
    throw new AshlarError('metadata-corrupt', `Cannot read ${this.#path}: its extents end before byte ${position}`)
  }

  #pageIndexOf(position: number): number {
    let low = 0
    let high = this.#pages.length
    while (low < high) {
      const middle = (low + high) >> 1
      const page = this.#pages[middle] as Page
      if (page.position + page.length <= position) low = middle + 1
      else high = middle
    }
    return low
  }

  async #appendPage(signal: AbortSignal | undefined): Promise<Page | undefined> {
    const last = this.#pages.at(-1)
    const from = last === undefined ? 0 : last.from + last.count
    const position = last === undefined ? 0 : last.position + last.length
    if (from >= this.#count) return undefined
    const extents = await this.#fetch(from, signal)
    // Another read may have added the same page meanwhile.
    if (this.#pages.at(-1) !== last) return this.#pages.find((page) => page.from === from)
    const page = pageOf(extents, { from, position })
    this.#pages.push(page)
    this.#keepFew(this.#pages.length - 1)
    return page
  }

  async #extentsOf(index: number, page: Page, signal: AbortSignal | undefined): Promise<readonly Extent[]> {
    if (page.extents !== undefined) return page.extents
    const extents = (await this.#fetch(page.from, signal)).slice(0, page.count)
    if (page.extents === undefined) {
      page.extents = extents
      this.#keepFew(index)
    }
    return extents
  }

  #keepFew(loaded: number): void {
    this.#loaded.push(loaded)
    if (this.#loaded.length <= pagesKept) return
    const dropped = this.#pages[this.#loaded.shift() as number]
    if (dropped !== undefined) dropped.extents = undefined
  }

  async #fetch(from: number, signal: AbortSignal | undefined): Promise<readonly Extent[]> {
    const request = { path: this.#path, content: this.#content, from, ...this.#which }
    const { value } = await this.#link.call(getExtents, request, { signal })
    if (value.extents.length === 0) {
      throw new AshlarError(
        'metadata-corrupt',
        `Cannot read ${this.#path}: extent ${from} of ${this.#count} is missing`,
      )
    }
    return value.extents
  }
}

function pageOf(
  extents: readonly Extent[],
  { from, position }: { readonly from: number; readonly position: number },
): Page {
  return {
    from,
    position,
    count: extents.length,
    length: extents.reduce((sum, { length }) => sum + length, 0),
    extents,
  }
}

function locate(extents: readonly Extent[], pagePosition: number, position: number): LocatedExtent {
  let start = pagePosition
  for (const extent of extents) {
    if (position < start + extent.length) return { extent, position: start }
    start += extent.length
  }
  throw new AshlarError('metadata-corrupt', `Cannot find byte ${position}: the extents of its page do not reach it`)
}

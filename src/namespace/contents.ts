/**
 * The extent list of a file: the first ones in its entry, further ones in pages keyed by the content's id.
 * An append extends in place; whatever replaces bytes takes a new content id.
 * Invariant: page n holds the extents from `inlineExtents + n · extentsPerPage` on; all but the last page are full.
 * @module
 */
import { combineCrc32 } from '../base/crc.ts'
import { AshlarError } from '../base/errors.ts'
import type { ContentId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Rising } from '../base/rising.ts'
import type { Transaction } from '../kv/txn-kv.ts'
import type { Extent } from '../wire/types/extent.ts'
import { extentPageKey } from './keys.ts'
import { type Content, extentPageRow, readRow } from './rows.ts'

const { inlineExtents, extentsPerPage } = limits

export function emptyContent(id: Rising): Content {
  return { id: id as number as ContentId, length: 0, extentCount: 0, inline: [], crc: 0 }
}

/**
 * Adds extents at the end, in place.
 * @param crc of the added bytes, where known; otherwise that of the content is forgotten
 */
export async function extendContent(
  tx: Transaction,
  content: Content,
  extents: readonly Extent[],
  crc: number | undefined,
): Promise<Content> {
  let addedLength = 0
  for (const extent of extents) addedLength += extent.length
  const inlineRoom = inlineExtents - content.inline.length
  const inline = inlineRoom > 0 ? [...content.inline, ...extents.slice(0, inlineRoom)] : content.inline
  let at = Math.max(content.extentCount, inlineExtents) - inlineExtents
  for (let taken = Math.max(inlineRoom, 0); taken < extents.length; ) {
    const page = Math.floor(at / extentsPerPage)
    const known = at % extentsPerPage === 0 ? [] : await readPage(tx, content, page)
    const added = extents.slice(taken, taken + extentsPerPage - known.length)
    tx.put(extentPageKey(content.id, page), extentPageRow.encode({ extents: [...known, ...added] }))
    taken += added.length
    at += added.length
  }
  return {
    id: content.id,
    length: content.length + addedLength,
    extentCount: content.extentCount + extents.length,
    inline,
    crc: content.crc === undefined || crc === undefined ? undefined : combine(content, crc, addedLength),
  }
}

/** Extents from index `from` on: at least one where there is one, up to the end of its page, at most `limit`. */
export async function readExtents(
  tx: Transaction,
  content: Content,
  from: number,
  limit: number = extentsPerPage,
): Promise<readonly Extent[]> {
  if (from >= content.extentCount) return []
  if (from < inlineExtents) return content.inline.slice(from, from + limit)
  const at = from - inlineExtents
  const page = await readPage(tx, content, Math.floor(at / extentsPerPage))
  const offset = at % extentsPerPage
  return page.slice(offset, offset + limit)
}

/** Removes the page in which the extent of index `from` stands. */
export function dropPageOf(tx: Transaction, content: Content, from: number): void {
  if (from >= inlineExtents) tx.del(extentPageKey(content.id, Math.floor((from - inlineExtents) / extentsPerPage)))
}

/** All extents of content that is no longer to be; its pages are gone. They are read at once: the caller bounds them. */
export async function takeExtents(tx: Transaction, content: Content): Promise<Extent[]> {
  const extents: Extent[] = []
  while (extents.length < content.extentCount) {
    const from = extents.length
    for (const extent of await readExtents(tx, content, from)) extents.push(extent)
    dropPageOf(tx, content, from)
  }
  return extents
}

/** The crc of the bytes of extents, where each is a whole chunk. */
export function crcOfExtents(extents: readonly Extent[]): number | undefined {
  let crc = 0
  let isFirst = true
  for (const extent of extents) {
    if (extent.offset !== 0 || extent.length !== extent.chunkLength) return undefined
    crc = isFirst ? extent.crc : combineCrc32(crc, extent.crc, extent.length)
    isFirst = false
  }
  return crc
}

/** @throws {AshlarError} `corrupt` — the writer's crc of all bytes is not that of the chunks it names */
export function checkCrc(path: string, known: number | undefined, given: number | undefined): void {
  if (known !== undefined && given !== undefined && known !== given) {
    throw new AshlarError(
      'corrupt',
      `Cannot write "${path}": its checksum is not that of its chunks; send the bytes again`,
    )
  }
}

function combine(content: Content, crc: number, addedLength: number): number {
  return content.length === 0 ? crc : combineCrc32(content.crc as number, crc, addedLength)
}

async function readPage(tx: Transaction, content: Content, page: number): Promise<readonly Extent[]> {
  const row = await readRow(tx, extentPageRow, extentPageKey(content.id, page))
  if (row === undefined) {
    throw new AshlarError(
      'metadata-corrupt',
      `Cannot read content ${content.id}: its page ${page} of extents is missing`,
    )
  }
  return row.extents
}

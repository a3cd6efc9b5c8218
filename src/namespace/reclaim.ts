/**
 * Taking content apart: what is in no file, no trash and no session's hands any more.
 *
 * Each extent gives back one reference to its chunk. The last one turns the chunk's `C` row into a tombstone, takes it
 * out of its page's digest and queues its physical delete (`G`), all in the transaction that removes the extent: so no
 * crash leaves a chunk that nobody names, nor names a chunk that is gone.
 * Invariant: a chunk that an extent names has a live `C` row. Where it has none, metadata is damaged, and nothing is guessed.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import type { ChunkId, InodeId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Transaction } from '../kv/txn-kv.ts'
import type { Extent } from '../wire/types/extent.ts'
import type { Change } from './change.ts'
import { chunkKey, deleteKey, heldKey, inodeKey, jobKey, referencesKey } from './keys.ts'
import {
  type ChunkRow,
  type Content,
  chunkRow,
  decodeRow,
  deleteRow,
  inodeRow,
  type PurgeJob,
  purgeJob,
  readRow,
  referencesRow,
} from './rows.ts'

/** How often each chunk is named, and its rows. */
interface Referenced {
  readonly chunk: ChunkId
  readonly extents: number
  readonly row: ChunkRow
  /** Extents that name it, over all files. */
  readonly references: number
}

/** Gives back one reference for each extent. @returns chunks that became tombstones */
export async function releaseExtents(change: Change, extents: readonly Extent[]): Promise<number> {
  const { tx, tally } = change
  let tombstones = 0
  for (const { chunk, extents: count, row, references } of await readReferences(tx, extents)) {
    const left = references - count
    if (left < 0) throw damaged(chunk, `${count} extents give back ${references} references`)
    if (left > 0) {
      writeReferences(tx, chunk, left)
      continue
    }
    if (references > 1) tx.del(referencesKey(chunk))
    tx.put(chunkKey(chunk), chunkRow.encode({ ...row, tombstonedMs: change.nowMs }))
    tx.put(deleteKey(chunk), deleteRow.encode({ length: row.length, crc: row.crc, confirmed: [] }))
    tally.chunkRemoved({ id: chunk, length: row.length, crc: row.crc })
    tally.totals({ pendingDeletes: 1, pendingDeleteBytes: row.length })
    tombstones++
  }
  return tombstones
}

/** Takes one more reference for each extent: a copy. @throws {AshlarError} `metadata-corrupt` — a chunk is not live */
export async function shareExtents({ tx }: Change, extents: readonly Extent[]): Promise<void> {
  for (const { chunk, extents: count, references } of await readReferences(tx, extents)) {
    writeReferences(tx, chunk, references + count)
  }
}

/**
 * Lets go of content that nothing names any more: at once when it is small, else by a job that the leader takes apart.
 * @param counted its length is in `purgingBytes`
 * @returns chunks that became tombstones now
 */
export async function discardContent(change: Change, content: Content, counted: boolean): Promise<number> {
  if (content.extentCount <= limits.inlineExtents) {
    if (counted) change.tally.totals({ purgingBytes: -content.length })
    return releaseExtents(change, content.inline)
  }
  queuePurge(change, { content, next: 0, counted })
  return 0
}

export function queuePurge(change: Change, job: PurgeJob): void {
  change.tx.put(jobKey('purge', change.issue()), purgeJob.encode(job))
}

/** Drops a hidden file with all it holds. Nothing when it is gone. */
export async function dropHidden(change: Change, inode: InodeId): Promise<void> {
  const { tx } = change
  const row = await readRow(tx, inodeRow, inodeKey(inode))
  if (row?.kind !== 'hidden') return
  tx.del(inodeKey(inode))
  if (row.session !== undefined) tx.del(heldKey(row.session, 'inode', inode))
  if (row.content !== undefined) await discardContent(change, row.content, false)
}

async function readReferences(tx: Transaction, extents: readonly Extent[]): Promise<readonly Referenced[]> {
  const counts = new Map<ChunkId, number>()
  for (const { chunk } of extents) counts.set(chunk, (counts.get(chunk) ?? 0) + 1)
  const chunks = [...counts.keys()]
  const values = await tx.getMany([...chunks.map(chunkKey), ...chunks.map(referencesKey)])
  return chunks.map((chunk, index) => {
    const row = decodeRow(chunkRow, values[index])
    if (row === undefined || row.tombstonedMs !== undefined) {
      throw damaged(chunk, row === undefined ? 'its row is missing' : 'it was purged')
    }
    const references = decodeRow(referencesRow, values[chunks.length + index])?.count ?? 1
    return { chunk, extents: counts.get(chunk) as number, row, references }
  })
}

/** `R` rows are of shared chunks only. */
function writeReferences(tx: Transaction, chunk: ChunkId, count: number): void {
  if (count === 1) tx.del(referencesKey(chunk))
  else tx.put(referencesKey(chunk), referencesRow.encode({ count }))
}

function damaged(chunk: ChunkId, how: string): AshlarError {
  return new AshlarError('metadata-corrupt', `Cannot use chunk ${chunk}, which a file names: ${how}`)
}

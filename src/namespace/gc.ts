/**
 * Physical deletes: which chunks the members of a group may be told to delete, who did, and how long the tombstones stay.
 *
 * A `G` row is written with the tombstone and removed when every present member has deleted. The tombstone itself stays
 * until no commit that names the chunk can come any more: its allocation is closed for `limits.tombstoneKeepMs`, so that
 * a commit repeated late is still known as applied.
 * @module
 */

import { digestFromLanes, emptyDigest } from '../base/digest.ts'
import type { ChunkId, GroupId, ServerId } from '../base/ids.ts'
import { groupOf } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { prefixEnd, type Transaction } from '../kv/txn-kv.ts'
import { hasOpenAllocation, isAllocationOpen } from './allocations.ts'
import type { Change } from './change.ts'
import {
  chunkKey,
  chunkOf,
  deleteKey,
  deletePrefix,
  digestKey,
  digestPageOf,
  digestPrefix,
  groupKey,
  groupOfKey,
  groupSequenceKey,
  pageRange,
  tombstoneKey,
  tombstoneOf,
} from './keys.ts'
import type { DeleteConfirmation, DueDelete, PageChunks, PageDigest, PagePosition } from './operations.ts'
import { chunkRow, decodeRow, deleteRow, groupRow, numberRow, readRow } from './rows.ts'
import { readPageBytes } from './tally.ts'

const noValue = Buffer.alloc(0)

/** From a tombstone on, so long at most until its allocation is closed, and then its time runs. */
const tombstoneLifeMs = limits.allocationLifeMs + limits.tombstoneKeepMs

export async function dueDeletes(
  tx: Transaction,
  group: GroupId,
  { after, limit }: { readonly after?: ChunkId; readonly limit: number },
): Promise<readonly DueDelete[]> {
  const prefix = deletePrefix(group)
  const start = after === undefined ? prefix : Buffer.concat([deleteKey(after), Buffer.from([0])])
  const rows = await tx.range({ start, end: prefixEnd(prefix), limit })
  return rows.map(({ key, value }) => ({ id: chunkOf(key), ...deleteRow.decode(value) }))
}

export async function groupsWithDeletes(
  tx: Transaction,
  { from = 0 as GroupId, limit }: { readonly from?: GroupId; readonly limit: number },
): Promise<readonly GroupId[]> {
  const groups: GroupId[] = []
  const end = prefixEnd(Buffer.from('G'))
  for (let start = deletePrefix(from); groups.length < limit && Buffer.compare(start, end) < 0; ) {
    const [row] = await tx.range({ start, end, limit: 1 })
    if (row === undefined) break
    const group = groupOfKey(row.key)
    groups.push(group)
    start = prefixEnd(deletePrefix(group))
  }
  return groups
}

export async function confirmDeleted(change: Change, confirmation: DeleteConfirmation): Promise<number> {
  const { tx, tally } = change
  const { group, chunks, servers, absent } = confirmation
  const record = await readRow(tx, groupRow, groupKey(group))
  const present = (record?.group.members ?? []).map(({ server }) => server).filter((server) => !absent.includes(server))
  const own = chunks.filter((chunk) => groupOf(chunk) === group)
  const values = await tx.getMany(own.map(deleteKey))
  let done = 0
  own.forEach((chunk, index) => {
    const row = decodeRow(deleteRow, values[index])
    if (row === undefined) return
    const confirmed = [...new Set<ServerId>([...row.confirmed, ...servers])]
    if (!present.every((server) => confirmed.includes(server))) {
      tx.put(deleteKey(chunk), deleteRow.encode({ ...row, confirmed }))
      return
    }
    tx.del(deleteKey(chunk))
    tx.put(tombstoneKey(change.nowMs + tombstoneLifeMs, chunk), noValue)
    tally.totals({ pendingDeletes: -1, pendingDeleteBytes: -row.length })
    done++
  })
  return done
}

export async function dropTombstones(change: Change, limit: number): Promise<number> {
  const { tx } = change
  const due = await tx.range({ start: Buffer.from('g'), end: tombstoneKey(change.nowMs + 1, firstChunk), limit })
  for (const { key } of due) {
    const chunk = tombstoneOf(key)
    tx.del(key)
    if (await isAllocationOpen(tx, chunk)) tx.put(tombstoneKey(change.nowMs + tombstoneLifeMs, chunk), noValue)
    else tx.del(chunkKey(chunk))
  }
  return due.length
}

export async function pageDigests(
  tx: Transaction,
  group: GroupId,
  { fromPage = 0, limit = 1024 }: { readonly fromPage?: number; readonly limit?: number } = {},
): Promise<readonly PageDigest[]> {
  const rows = await tx.range({
    start: digestKey(group, fromPage),
    end: prefixEnd(digestPrefix(group)),
    limit: Math.min(limit, 1024),
  })
  return rows.map(({ key, value }) => pageDigestOf(key, value))
}

export async function allPageDigests(
  tx: Transaction,
  { after, limit }: { readonly after?: PagePosition; readonly limit: number },
): Promise<readonly (PageDigest & PagePosition)[]> {
  const start = after === undefined ? Buffer.from('E') : digestKey(after.group, after.page + 1)
  const rows = await tx.range({ start, end: prefixEnd(Buffer.from('E')), limit })
  return rows.map(({ key, value }) => ({ group: groupOfKey(key), ...pageDigestOf(key, value) }))
}

function pageDigestOf(key: Buffer, value: Buffer): PageDigest {
  return { page: digestPageOf(key), digest: digestFromLanes(value), sizeBytes: readPageBytes(value) }
}

export async function pageChunks(tx: Transaction, group: GroupId, page: number): Promise<PageChunks> {
  const rows = await tx.range({ ...pageRange('C', group, page), limit: limits.pageIds })
  const [lanes, sequence] = await tx.getMany([digestKey(group, page), groupSequenceKey(group)])
  const chunks = rows.flatMap(({ key, value }) => {
    const { length, crc, tombstonedMs } = chunkRow.decode(value)
    return tombstonedMs === undefined ? [{ id: chunkOf(key), length, crc }] : []
  })
  return {
    chunks,
    digest: lanes === undefined ? emptyDigest : digestFromLanes(lanes),
    nextSequence: decodeRow(numberRow, sequence)?.value ?? 0,
  }
}

export async function pageIsClosed(tx: Transaction, group: GroupId, page: number): Promise<boolean> {
  if (await hasOpenAllocation(tx, group, page)) return false
  return (await tx.range({ ...pageRange('G', group, page), limit: 1 })).length === 0
}

const firstChunk = '0'.repeat(32) as ChunkId

/**
 * Allocations: ranges of chunk ids lent to a session. An allocation is never renewed and is closed by deleting its row,
 * by whoever comes first: its session's release, the session's end, or the leader when its time is over. Commits read
 * the row, so one that comes after the closing finds nothing and one under way runs again.
 * Invariants: an id is in at most one allocation, ever; an allocation stays within one page.
 * @module
 */

import type { Infer } from '../base/codec.ts'
import { AshlarError } from '../base/errors.ts'
import { type AllocationId, type ChunkId, chunkIdParts, type GroupId, pageNumber } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Transaction } from '../kv/txn-kv.ts'
import { prefixEnd } from '../kv/txn-kv.ts'
import type { releaseAllocations as releaseMethod } from '../wire/methods/write-methods.ts'
import type { Allocation } from '../wire/types/extent.ts'
import { type Change, transactChange } from './change.ts'
import type { NamespaceContext } from './context.ts'
import { sessionEnded } from './failures.ts'
import { hold } from './holding.ts'
import {
  allocationKey,
  chunkKey,
  deleteKey,
  expiryIdOf,
  expiryKey,
  groupKey,
  groupSequenceKey,
  heldKey,
  pageAllocationKey,
  pageAllocationsPrefix,
  sessionKey,
} from './keys.ts'
import type { AllocationOrder } from './operations.ts'
import {
  type AllocationRow,
  allocationRow,
  decodeRow,
  deleteRow,
  groupRow,
  numberRow,
  readRow,
  sessionRow,
} from './rows.ts'

const noValue = Buffer.alloc(0)

export function insertAllocation(
  context: NamespaceContext,
  order: AllocationOrder,
): Promise<Omit<Allocation, 'token'>> {
  const { session, group, policy } = order
  return transactChange(context, async (change) => {
    const { tx } = change
    const [sessionValue, groupValue, sequenceValue] = await tx.getMany([
      sessionKey(session),
      groupKey(group),
      groupSequenceKey(group),
    ])
    const sessionFound = decodeRow(sessionRow, sessionValue)
    if (sessionFound === undefined || sessionFound.ended) throw sessionEnded(session)
    const record = decodeRow(groupRow, groupValue)
    if (record === undefined) {
      throw new AshlarError('stale-epoch', `Cannot allocate in group ${group}: it is not in the cluster map`)
    }
    const first = decodeRow(numberRow, sequenceValue)?.value ?? 0
    const leftInPage = limits.pageIds - (first % limits.pageIds)
    const count = Math.max(1, Math.min(order.count, leftInPage, limits.allocationIds))
    const id = change.issue() as number as AllocationId
    const closesAtMs = change.nowMs + limits.allocationLifeMs
    const { generation } = context
    tx.put(groupSequenceKey(group), numberRow.encode({ value: first + count }))
    tx.put(allocationKey(id), allocationRow.encode({ session, group, generation, first, count, closesAtMs }))
    tx.put(pageAllocationKey(group, pageNumber(generation, first), id), noValue)
    await hold(tx, session, 'allocation', id)
    tx.put(expiryKey('allocation', closesAtMs, id), noValue)
    change.tally.totals({ openAllocations: 1 })
    return {
      allocation: id,
      group,
      generation,
      firstSequence: first,
      count,
      epoch: record.group.epoch,
      policy: policy.name,
      chunkSizeBytes: policy.chunkSizeBytes,
      lifeMs: limits.allocationLifeMs,
    }
  })
}

/** Closes an allocation. Nothing when it is closed. */
export async function closeAllocation(change: Change, id: AllocationId): Promise<void> {
  const row = await readRow(change.tx, allocationRow, allocationKey(id))
  if (row !== undefined) deleteAllocation(change, id, row)
}

/** Closes what the session gives back. Idempotent; what belongs to another session is passed over. */
export async function releaseAllocations(
  context: NamespaceContext,
  { session, allocations, burned = [] }: Infer<typeof releaseMethod.request>,
): Promise<void> {
  const ids = allocations.map(({ allocation }) => allocation)
  await transactChange(
    context,
    async (change) => {
      const closed = await closeHeldAllocations(change, session, ids)
      if (burned.length > 0) await deleteBurned(change, burned, closed)
    },
    { freesRoom: true },
  )
}

/** Closes those that the session holds. @returns their rows */
export async function closeHeldAllocations(
  change: Change,
  session: number,
  ids: readonly AllocationId[],
): Promise<readonly AllocationRow[]> {
  const rows = await change.tx.getMany(ids.map(allocationKey))
  const closed = new Map<AllocationId, AllocationRow>()
  ids.forEach((id, index) => {
    const row = decodeRow(allocationRow, rows[index])
    if (row?.session === session) closed.set(id, row)
  })
  for (const [id, row] of closed) deleteAllocation(change, id, row)
  return [...closed.values()]
}

/**
 * Queues the physical delete of chunks that no file names, nor ever will: their allocation closes in this transaction, so
 * no commit of them can come. They get no tombstone, which would say that they were committed.
 */
async function deleteBurned(
  { tx, tally }: Change,
  burned: readonly ChunkId[],
  closed: readonly AllocationRow[],
): Promise<void> {
  const own = [...new Set(burned)].filter((chunk) => closed.some((row) => holdsChunk(row, chunk)))
  const committed = await tx.getMany(own.map(chunkKey))
  own.forEach((chunk, index) => {
    if (committed[index] !== undefined) return
    // Its length is not known here.
    tx.put(deleteKey(chunk), deleteRow.encode({ length: 0, crc: 0, confirmed: [] }))
    tally.totals({ pendingDeletes: 1 })
  })
}

/** Whether the id is one of the allocation's. */
export function holdsChunk(row: AllocationRow, chunk: ChunkId): boolean {
  const { group, generation, sequence } = chunkIdParts(chunk)
  return (
    row.group === group && row.generation === generation && row.first <= sequence && sequence < row.first + row.count
  )
}

/** Closes allocations whose time is over, at most `limit`. @returns how many */
export async function expireAllocations(change: Change, limit: number): Promise<number> {
  const due = await change.tx.range({
    start: expiryKey('allocation', 0, 0),
    end: expiryKey('allocation', change.nowMs + 1, 0),
    limit,
  })
  for (const { key } of due) {
    await closeAllocation(change, expiryIdOf(key) as AllocationId)
    change.tx.del(key)
  }
  return due.length
}

/** Whether an allocation is open that may hold ids of the page. */
export async function hasOpenAllocation(tx: Transaction, group: GroupId, page: number): Promise<boolean> {
  const prefix = pageAllocationsPrefix(group, page)
  return (await tx.range({ start: prefix, end: prefixEnd(prefix), limit: 1 })).length > 0
}

/** As {@link hasOpenAllocation}, for the page of a chunk. */
export function isAllocationOpen(tx: Transaction, chunk: ChunkId): Promise<boolean> {
  const { group, generation, sequence } = chunkIdParts(chunk)
  return hasOpenAllocation(tx, group, pageNumber(generation, sequence))
}

function deleteAllocation({ tx, tally }: Change, id: AllocationId, row: AllocationRow): void {
  tx.del(allocationKey(id))
  tx.del(pageAllocationKey(row.group, pageNumber(row.generation, row.first), id))
  tx.del(heldKey(row.session, 'allocation', id))
  tx.del(expiryKey('allocation', row.closesAtMs, id))
  tally.totals({ openAllocations: -1 })
}

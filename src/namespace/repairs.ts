/**
 * Replicas that members owe: one `W` row for each, written by the commit that was acknowledged without them, removed
 * when the member was seen to hold the chunk. Rows of chunks that are gone are dropped by whoever comes across them.
 * @module
 */
import type { ChunkId, ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { prefixEnd, type Transaction } from '../kv/txn-kv.ts'
import type { Extent } from '../wire/types/extent.ts'
import type { Change } from './change.ts'
import { chunkKey, queuePrefix, repairKey, repairOf, repairsOfChunkPrefix } from './keys.ts'
import type { DueRepair, OwedReplica } from './operations.ts'
import { chunkRow, decodeRow } from './rows.ts'

const noValue = Buffer.alloc(0)

/** The row was read and is absent, or the chunk is new. */
export function queueRepair({ tx, tally }: Change, chunk: ChunkId, server: ServerId): void {
  tx.put(repairKey(chunk, server), noValue)
  tally.totals({ owedReplicas: 1 })
}

/** As {@link queueRepair}, for a chunk that may be queued already, or gone. */
export async function queueLiveRepair(change: Change, chunk: ChunkId, server: ServerId): Promise<void> {
  const [chunkValue, queued] = await change.tx.getMany([chunkKey(chunk), repairKey(chunk, server)])
  const row = decodeRow(chunkRow, chunkValue)
  if (row === undefined || row.tombstonedMs !== undefined || queued !== undefined) return
  queueRepair(change, chunk, server)
}

export async function repairDone({ tx, tally }: Change, chunk: ChunkId, server: ServerId): Promise<void> {
  const key = repairKey(chunk, server)
  if ((await tx.get(key)) === undefined) return
  tx.del(key)
  tally.totals({ owedReplicas: -1 })
}

export async function dueRepairs(
  { tx, tally }: Change,
  { after, limit }: { readonly after?: OwedReplica; readonly limit: number },
): Promise<readonly DueRepair[]> {
  const prefix = queuePrefix('repair')
  const start = after === undefined ? prefix : Buffer.concat([repairKey(after.chunk, after.server), Buffer.from([0])])
  const rows = await tx.range({ start, end: prefixEnd(prefix), limit })
  const owed = rows.map(({ key }) => repairOf(key))
  const chunks = await tx.getMany(owed.map(({ chunk }) => chunkKey(chunk)))
  const due: DueRepair[] = []
  owed.forEach(({ chunk, server }, index) => {
    const row = decodeRow(chunkRow, chunks[index])
    if (row !== undefined && row.tombstonedMs === undefined) {
      due.push({ chunk, server, id: chunk, length: row.length, crc: row.crc })
      return
    }
    tx.del(repairKey(chunk, server))
    tally.totals({ owedReplicas: -1 })
  })
  return due
}

/** Members that owe a replica of a chunk. */
export async function owingMembers(tx: Transaction, chunk: ChunkId): Promise<readonly ServerId[]> {
  const prefix = repairsOfChunkPrefix(chunk)
  const rows = await tx.range({ start: prefix, end: prefixEnd(prefix), limit: limits.groupsPerServer })
  return rows.map(({ key }) => repairOf(key).server)
}

/** Whether some chunk of these extents is short of a replica. One read while nothing is owed at all. */
export async function areUnderReplicated(tx: Transaction, extents: readonly Extent[]): Promise<boolean> {
  if (extents.length === 0) return false
  const prefix = queuePrefix('repair')
  const any = await tx.range({ start: prefix, end: prefixEnd(prefix), limit: 1 })
  if (any.length === 0) return false
  for (const chunk of new Set(extents.map((extent) => extent.chunk))) {
    if ((await owingMembers(tx, chunk)).length > 0) return true
  }
  return false
}

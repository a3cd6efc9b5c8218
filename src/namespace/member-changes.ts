/**
 * Changes of a group's members as transactions: the row `P` is the whole state, so a change survives any death of a master.
 *
 * Settling is the moment at which the old member stops counting, so it looks for what may still be missing: a replica that the
 * filling member owes (a commit that went without its receipt has queued it in the same transaction, and conflicts with this one).
 * What lay in the group before the change began was seen on the member before this is called.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import type { GroupId, ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { type Replacement, replaceMember, type Settlement, settleMember } from '../cluster/member-change.ts'
import { prefixEnd, type Transaction } from '../kv/txn-kv.ts'
import type { Group } from '../wire/types/cluster-map.ts'
import type { Change } from './change.ts'
import { groupKey, repairOf, repairsOfGroupPrefix } from './keys.ts'
import { raiseMapVersion } from './map-rows.ts'
import { groupRow, readRow } from './rows.ts'

/** @throws {AshlarError} `stale-epoch` — the group changed since the plan; `invalid-argument` — not possible */
export async function replaceInGroup(change: Change, replacement: Replacement): Promise<Group> {
  const record = await readGroup(change.tx, replacement.group)
  const group = replaceMember(record.group, replacement, change.issue())
  change.tx.put(groupKey(group.id), groupRow.encode({ ...record, group }))
  raiseMapVersion(change)
  return group
}

/** @returns the group, or undefined while the member owes a replica; @throws as {@link replaceInGroup} */
export async function settleInGroup(change: Change, settlement: Settlement): Promise<Group | undefined> {
  const { tx } = change
  const record = await readGroup(tx, settlement.group)
  const group = settleMember(record.group, settlement)
  if (await mayOwe(tx, settlement.group, settlement.joined)) return undefined
  tx.put(groupKey(group.id), groupRow.encode({ ...record, group }))
  raiseMapVersion(change)
  return group
}

/** A group with very many debts is taken to owe: they are paid first. */
async function mayOwe(tx: Transaction, group: GroupId, server: ServerId): Promise<boolean> {
  const prefix = repairsOfGroupPrefix(group)
  const rows = await tx.range({ start: prefix, end: prefixEnd(prefix), limit: limits.pageIds })
  return rows.length === limits.pageIds || rows.some(({ key }) => repairOf(key).server === server)
}

async function readGroup(tx: Transaction, id: GroupId) {
  const record = await readRow(tx, groupRow, groupKey(id))
  if (record !== undefined) return record
  throw new AshlarError('stale-epoch', `Cannot change group ${id}: it is not in the cluster map`)
}

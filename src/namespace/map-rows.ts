/**
 * The cluster map as rows: groups, servers, and the map's version, which rises in the same transaction as any of them.
 * Beside them the master's settings and records.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import type { GroupId, ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Rising } from '../base/rising.ts'
import { prefixEnd, type Transaction } from '../kv/txn-kv.ts'
import type { Change } from './change.ts'
import { deletePrefix, digestPrefix, groupKey, recordKey, recordNameOf, recordPrefix, serverKey } from './keys.ts'
import type { GroupRecord, PageOptions, ServerRecord } from './operations.ts'
import { groupRow, numberRow, readRow, serverRow } from './rows.ts'

/** @throws {AshlarError} `invalid-argument` — members changed and the epoch did not rise */
export async function putGroup(change: Change, record: GroupRecord): Promise<void> {
  const { id, epoch } = record.group
  const known = await readRow(change.tx, groupRow, groupKey(id))
  if (known !== undefined && epoch < known.group.epoch) {
    throw new AshlarError('invalid-argument', `Cannot change group ${id}: its epoch would fall`)
  }
  change.tx.put(groupKey(id), groupRow.encode(record))
  raiseMapVersion(change)
}

/** @throws {AshlarError} `invalid-argument` — chunks of the group are live, or still to be deleted */
export async function removeGroup(change: Change, group: GroupId): Promise<void> {
  for (const prefix of [digestPrefix(group), deletePrefix(group)]) {
    const rows = await change.tx.range({ start: prefix, end: prefixEnd(prefix), limit: 1 })
    if (rows.length > 0)
      throw new AshlarError('invalid-argument', `Cannot remove group ${group}: it still holds chunks`)
  }
  change.tx.del(groupKey(group))
  raiseMapVersion(change)
}

export async function getGroups(
  tx: Transaction,
  { from = 0 as GroupId, limit = limits.chunkServers }: PageOptions = {},
): Promise<readonly GroupRecord[]> {
  const rows = await tx.range({ start: groupKey(from), end: prefixEnd(Buffer.from('P')), limit })
  return rows.map(({ value }) => groupRow.decode(value))
}

export async function putServer(change: Change, record: ServerRecord): Promise<void> {
  change.tx.put(serverKey(record.server.id), serverRow.encode(record))
  raiseMapVersion(change)
}

export async function removeServer(change: Change, server: ServerId): Promise<void> {
  change.tx.del(serverKey(server))
  raiseMapVersion(change)
}

export async function getServers(
  tx: Transaction,
  { after, limit = limits.chunkServers }: { readonly after?: ServerId; readonly limit?: number } = {},
): Promise<readonly ServerRecord[]> {
  const start = after === undefined ? Buffer.from('N') : Buffer.concat([serverKey(after), Buffer.from([0])])
  const rows = await tx.range({ start, end: prefixEnd(Buffer.from('N')), limit })
  return rows.map(({ value }) => serverRow.decode(value))
}

export function raiseMapVersion(change: Change): Rising {
  const value = change.issue()
  change.tx.put(recordKey('counter', 'mapVersion'), numberRow.encode({ value }))
  return value
}

export async function getSettings(tx: Transaction): Promise<ReadonlyMap<string, string>> {
  const prefix = recordPrefix('setting')
  const rows = await tx.range({ start: prefix, end: prefixEnd(prefix), limit: 1024 })
  return new Map(rows.map(({ key, value }) => [recordNameOf('setting', key), value.toString()]))
}

/**
 * The log of events in the metadata: one row each by number, the last `limits.eventsKept` of them. A number is given in the
 * transaction that writes the row, so that readers who go on after the last number they saw miss nothing.
 * @module
 */
import { limits } from '../base/limits.ts'
import { prefixEnd, type Transaction } from '../kv/txn-kv.ts'
import { type ClusterEvent, clusterEvent } from '../wire/types/cluster-event.ts'
import { eventKey, recordKey } from './keys.ts'
import { numberRow, readRow } from './rows.ts'

const counterKey = recordKey('counter', 'event')

/** @param events at most `limits.eventsPerAnswer` */
export async function appendEvents(tx: Transaction, events: readonly Omit<ClusterEvent, 'number'>[]): Promise<void> {
  const first = ((await readRow(tx, numberRow, counterKey))?.value ?? 0) + 1
  const last = first + events.length - 1
  for (const [index, event] of events.entries()) {
    tx.put(eventKey(first + index), clusterEvent.encode({ ...event, number: first + index }))
  }
  tx.put(counterKey, numberRow.encode({ value: last }))
  const end = eventKey(Math.max(0, last - limits.eventsKept + 1))
  const old = await tx.range({ start: eventKey(0), end, limit: limits.eventsPerAnswer * 2 })
  for (const { key } of old) tx.del(key)
}

/** Events with a number above `after`, at most `limit`. @returns `last`: the number of the newest event there is */
export async function readEvents(
  tx: Transaction,
  { after, limit }: { readonly after: number; readonly limit: number },
): Promise<{ readonly events: readonly ClusterEvent[]; readonly last: number }> {
  const rows = await tx.range({ start: eventKey(after + 1), end: prefixEnd(Buffer.from('e')), limit })
  const last = (await readRow(tx, numberRow, counterKey))?.value ?? 0
  return { events: rows.map(({ value }) => clusterEvent.decode(value)), last }
}

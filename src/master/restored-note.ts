/** The note that a restore leaves in the metadata for the master that starts on it, which tells it once, as an event. @module */
import { field, type Infer, id, struct, uint } from '../base/codec.ts'
import type { Rising } from '../base/rising.ts'
import type { TxnKV } from '../kv/txn-kv.ts'
import { recordKey } from '../namespace/keys.ts'
import type { Leader, Namespace } from '../namespace/namespace.ts'
import type { EventLog } from './event-log.ts'

const recordName = 'restored'

const restoredNote = struct('restored note', 1, {
  generation: field(1, uint),
  /** Wall clock of the newest change that was found. */
  changedMs: field(2, uint),
  position: field(3, id<Rising>()),
})

export async function noteRestored(kv: TxnKV, note: Infer<typeof restoredNote>): Promise<void> {
  await kv.transact(async (tx) => tx.put(recordKey('record', recordName), restoredNote.encode(note)))
}

export async function tellRestored({
  namespace,
  leader,
  events,
}: {
  readonly namespace: Pick<Namespace, 'getRecord'>
  readonly leader: Pick<Leader, 'putRecord'>
  readonly events: Pick<EventLog, 'tell'>
}): Promise<void> {
  const record = await namespace.getRecord(recordName)
  if (record === undefined || record.length === 0) return
  const { generation, changedMs } = restoredNote.decode(record)
  const what = `the metadata was restored from chunk servers, as generation ${generation}`
  events.tell({
    kind: 'metadata-restored',
    what,
    reason: `what was acknowledged after ${new Date(changedMs).toISOString()} is lost`,
  })
  await leader.putRecord(recordName, Buffer.alloc(0))
}

/** The worker that writes events down, and looks for what nobody decides. @module */
import type { AshlarError } from '../base/errors.ts'
import type { Env } from '../env/env.ts'
import type { TxnKV } from '../kv/txn-kv.ts'
import type { EventLog } from './event-log.ts'
import type { MemberChanges } from './member-changes.ts'
import { changedFacts, nothingNoted } from './noted-facts.ts'
import type { ServerRegistry } from './server-registry.ts'
import { Worker } from './worker.ts'

export interface EventWorkerParts {
  readonly env: Env
  readonly kv: TxnKV
  readonly events: EventLog
  readonly registry: ServerRegistry
  readonly changes: MemberChanges
  readonly onFatal: (error: AshlarError) => void
}

export function eventWorker({ env, kv, events, registry, changes, onFatal }: EventWorkerParts): Worker {
  let noted = nothingNoted
  const step = () => {
    const refusals = new Map(
      [...registry.loads().values()].flatMap(({ id, refusal }) => (refusal === undefined ? [] : [[id, refusal]])),
    )
    const facts = { refusals, holdOffMs: changes.massLoss()?.leftMs, isMetadataFull: kv.isReadOnly === true }
    for (const event of changedFacts(noted, facts)) events.tell(event)
    noted = facts
    return events.step()
  }
  // It meets nobody else's work: it needs no jitter, and leaves the random draws of others as they are.
  const steady = { ...env, random: { ...env.random, fraction: () => 0.5 } }
  const worker = new Worker({ name: 'events', env: steady, intervalMs: 1_000, step, onFatal })
  events.onTold = () => worker.wake()
  return worker
}

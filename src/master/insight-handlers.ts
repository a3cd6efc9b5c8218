/** What the cluster says of itself: fsck, the byte ledger, events. @module */

import { toAshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { withTimeout } from '../env/waiting.ts'
import { type FolderMeter, fsckStep, getEvents, ledgerStep } from '../wire/methods/insight-methods.ts'
import { ByteLedger } from './byte-ledger.ts'
import type { ChunkOrders } from './chunk-orders.ts'
import type { EventLog } from './event-log.ts'
import { Fsck } from './fsck.ts'
import type { HandlerContext } from './handlers.ts'

export interface InsightHandlerOptions {
  readonly orders: ChunkOrders
  readonly events: EventLog
  /** Of the metadata's own folder. */
  readonly measureOwn: FolderMeter | undefined
}

const longestWaitMs = 10_000

export function answerInsight(context: HandlerContext, { orders, events, measureOwn }: InsightHandlerOptions): void {
  const { service, env, namespace, map, registry } = context
  const fsck = new Fsck({ env, namespace, map, registry, orders })
  const ledger = new ByteLedger({ env, namespace, map, registry, orders, measureOwn })
  service.handle(fsckStep, async (request) => ({ value: await fsck.step(request) }))
  service.handle(ledgerStep, async (request) => ({ value: await ledger.step(request) }))
  service.handle(getEvents, async ({ after, limit, waitMs }) => {
    const page = { after, limit: Math.min(Math.max(1, limit), limits.eventsPerAnswer) }
    // Begun before the first look: an event between the two is not missed.
    const written = events.written()
    const found = await namespace.readEvents(page)
    if (found.events.length > 0 || waitMs === 0) return { value: found }
    const isWritten = await withTimeout(env.clock, Math.min(waitMs, longestWaitMs), 'wait for an event', written).then(
      () => true,
      (error: unknown) => {
        if (toAshlarError(error).code === 'timeout') return false
        throw error
      },
    )
    return { value: isWritten ? await namespace.readEvents(page) : found }
  })
}

/** What the cluster says of itself: fsck. @module */
import { fsckStep } from '../wire/methods/insight-methods.ts'
import type { ChunkOrders } from './chunk-orders.ts'
import { Fsck } from './fsck.ts'
import type { HandlerContext } from './handlers.ts'

export interface InsightHandlerOptions {
  readonly orders: ChunkOrders
}

export function answerInsight(context: HandlerContext, { orders }: InsightHandlerOptions): void {
  const { service, env, namespace, map, registry } = context
  const fsck = new Fsck({ env, namespace, map, registry, orders })
  service.handle(fsckStep, async (request) => ({ value: await fsck.step(request) }))
}

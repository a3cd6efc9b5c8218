/** What the cluster says of itself: fsck and the byte ledger. @module */
import { type FolderMeter, fsckStep, ledgerStep } from '../wire/methods/insight-methods.ts'
import { ByteLedger } from './byte-ledger.ts'
import type { ChunkOrders } from './chunk-orders.ts'
import { Fsck } from './fsck.ts'
import type { HandlerContext } from './handlers.ts'

export interface InsightHandlerOptions {
  readonly orders: ChunkOrders
  /** Of the metadata's own folder. */
  readonly measureOwn: FolderMeter | undefined
}

export function answerInsight(context: HandlerContext, { orders, measureOwn }: InsightHandlerOptions): void {
  const { service, env, namespace, map, registry } = context
  const fsck = new Fsck({ env, namespace, map, registry, orders })
  const ledger = new ByteLedger({ env, namespace, map, registry, orders, measureOwn })
  service.handle(fsckStep, async (request) => ({ value: await fsck.step(request) }))
  service.handle(ledgerStep, async (request) => ({ value: await ledger.step(request) }))
}

/**
 * The leader's orders to delete a chunk by HTTP. They go to whoever asks, since they permit nothing but what gc does anyway:
 * only a tombstone permits a delete, and none is ordered while gc itself holds back.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import type { Stray } from '../namespace/namespace.ts'
import { getDeleteOrder } from '../wire/methods/session-methods.ts'
import type { ChunkOrders } from './chunk-orders.ts'
import type { HandlerContext } from './handlers.ts'

const keptBecause: Readonly<Record<Exclude<Stray, 'pending-delete'>, string>> = {
  live: 'a file holds it, or the trash; remove the file, and empty the trash',
  open: 'a write may still commit it',
  orphan: 'the metadata does not know it; what no file names goes when its group was compared',
}

export function answerDeleteOrders(
  { service, namespace }: HandlerContext,
  { orders, mayDelete }: { readonly orders: ChunkOrders; readonly mayDelete: () => boolean },
): void {
  service.handle(getDeleteOrder, async ({ chunk }) => {
    const stray = (await namespace.judgeStrays([chunk])).get(chunk) ?? 'orphan'
    if (stray !== 'pending-delete') {
      throw new AshlarError('forbidden', `Cannot order chunk ${chunk} deleted: ${keptBecause[stray]}`)
    }
    if (!mayDelete()) {
      throw new AshlarError(
        'unavailable',
        `Cannot order chunk ${chunk} deleted: gc holds back now; see "ashlar status"`,
      )
    }
    return { value: await orders.deleteByHttp(chunk) }
  })
}

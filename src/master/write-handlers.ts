/**
 * How bytes become a file: allocations, and commits with receipts. The MACs of receipts are verified here, before the
 * transaction that judges them: a transaction may run several times, a MAC need be checked once.
 * @module
 */
import { limits } from '../base/limits.ts'
import type { Method } from '../wire/method.ts'
import {
  abandonFile,
  addExtents,
  allocate,
  appendFile,
  beginFile,
  commitFile,
  linkAppend,
  linkFile,
  releaseAllocations,
} from '../wire/methods/write-methods.ts'
import { verifyReceipt } from '../wire/receipt.ts'
import type { Receipt } from '../wire/types/extent.ts'
import { type HandlerContext, passThrough } from './handlers.ts'
import type { Refusals } from './refusals.ts'

/** One allocation may fill at most this part of what its group has free, so that small servers fill evenly. */
const shareOfFree = 1 / 8

export function answerWrites(context: HandlerContext, refusals: Refusals): void {
  const { service, namespace, chooser, tokens, workers } = context
  service.handle(allocate, async ({ session, path, count, chunkBytes, avoid, inHand }, { signal }) => {
    const policy = await namespace.resolvePolicy(path, { makeParents: true })
    if (inHand?.includes(policy.name)) return { value: { policy: policy.name } }
    const { group, freeBytes } = await chooser
      .choose({ policy, chunkBytes, avoid }, signal)
      .catch((error: unknown) => Promise.reject(refusals.named(error, { path, policy: policy.name, chunkBytes })))
    const allocation = await namespace.insertAllocation({
      session,
      group: group.id,
      policy,
      count: Math.max(1, Math.min(count, allocatedIds(freeBytes, chunkBytes))),
    })
    return { value: { allocation: { ...allocation, token: tokens.writeToken(allocation) } } }
  })
  service.handle(releaseAllocations, async (request) => {
    const value = await namespace.releaseAllocations(request)
    if (request.burned !== undefined && request.burned.length > 0) workers.wake('gc')
    return { value }
  })
  passThrough(service, beginFile, (request) => namespace.beginFile(request))
  passThrough(service, linkFile, (request) => namespace.linkFile(request))
  passThrough(service, linkAppend, (request) => namespace.linkAppend(request))
  service.handle(abandonFile, async (request) => {
    const value = await namespace.abandonFile(request)
    workers.wake('purge', 'gc')
    return { value }
  })
  answerProven(context, commitFile, (request) => namespace.commitFile(request))
  answerProven(context, addExtents, (request) => namespace.addExtents(request))
  answerProven(context, appendFile, (request) => namespace.appendFile(request))
}

function answerProven<Request extends { readonly receipts: readonly Receipt[] }, Response>(
  { service, registry, keys }: HandlerContext,
  method: Method<Request, Response>,
  operation: (request: Request) => Promise<Response>,
): void {
  service.handle(method, async (request) => {
    for (const receipt of request.receipts) verifyReceipt(keys.receipt, receipt)
    const value = await operation(request)
    for (const { server, length } of request.receipts) registry.noteWritten(server, length)
    return { value }
  })
}

function allocatedIds(freeBytes: number, chunkBytes: number): number {
  const fitting = Math.floor((freeBytes * shareOfFree) / Math.max(1, chunkBytes))
  return Math.min(limits.allocationIds, fitting)
}

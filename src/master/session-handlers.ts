/** Sessions, the map, tokens and locks, as clients ask for them. @module */

import type { Infer } from '../base/codec.ts'
import { type AshlarError, isAshlarError } from '../base/errors.ts'
import { sleep } from '../env/waiting.ts'
import {
  endSession,
  fenceRequest,
  getMap,
  getReadTokens,
  keepSession,
  lock,
  openSession,
  unlock,
} from '../wire/methods/session-methods.ts'
import { type HandlerContext, passThrough } from './handlers.ts'

/** How soon a waiter learns that a lock is free when its holder's session ended rather than gave it back. */
const lockPollMs = 200

export function answerSessions(context: HandlerContext): void {
  const { service, namespace, map, tokens, workers, clusterTime } = context
  passThrough(service, openSession, (request) => namespace.openSession(request))
  passThrough(service, keepSession, (request) => namespace.keepSession(request))
  passThrough(service, unlock, (request) => namespace.unlock(request))
  passThrough(service, fenceRequest, (request) => namespace.fenceRequest(request))
  service.handle(endSession, async (request) => {
    const value = await namespace.endSession(request)
    workers.wake('expiry', 'purge')
    return { value }
  })
  service.handle(getMap, async ({ knownVersion }) => {
    const isCurrent = knownVersion === map.version
    return { value: { clusterTime: clusterTime(), ...(isCurrent ? {} : { map: map.index.map }) } }
  })
  service.handle(getReadTokens, async ({ groups }) => ({
    value: { tokens: groups.map((group) => tokens.readToken(group)) },
  }))
  service.handle(lock, async (request, { signal }) => ({ value: await takeLock(context, request, signal) }))
}

/** Tries until the lock is free, the wait is over, or the caller is gone. The last refusal says who holds it. */
async function takeLock(
  { env, namespace }: HandlerContext,
  request: Infer<typeof lock.request>,
  signal: AbortSignal,
): Promise<Infer<typeof lock.response>> {
  const untilMs = env.clock.monotonicMs() + request.waitMs
  for (;;) {
    const refusal = await namespace.lock(request).catch((error: unknown) => {
      if (isAshlarError(error, 'locked')) return error
      throw error
    })
    if (!isRefusal(refusal)) return refusal
    const leftMs = untilMs - env.clock.monotonicMs()
    if (leftMs <= 0) throw refusal
    await sleep(env.clock, Math.min(leftMs, lockPollMs), signal)
  }
}

function isRefusal(result: Infer<typeof lock.response> | AshlarError): result is AshlarError {
  return result instanceof Error
}

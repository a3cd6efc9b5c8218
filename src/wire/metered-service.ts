/**
 * A service whose answers are counted: for metrics. One closure a method, none a request.
 * @module
 */
import { toAshlarError } from '../base/errors.ts'
import type { Clock } from '../env/clock.ts'
import type { Role } from './method.ts'
import type { Service } from './service.ts'

/** Told of each answer, and to whom. `code`: `ok`, or that of the error. It must be cheap, and must not throw. */
export type RequestObserver = (
  answer: { readonly method: string; readonly code: string; readonly durationMs: number },
  caller: Role,
) => void

/** @param onRequest undefined: the service as it is */
export function meteredService(service: Service, clock: Clock, onRequest: RequestObserver | undefined): Service {
  if (onRequest === undefined) return service
  return {
    ...service,
    handle: (method, handler) => {
      const { name } = method
      service.handle(method, async (request, context) => {
        const startedMs = clock.monotonicMs()
        const caller = context.peer.identity.role
        try {
          const answer = await handler(request, context)
          onRequest({ method: name, code: 'ok', durationMs: clock.monotonicMs() - startedMs }, caller)
          return answer
        } catch (error) {
          const { code } = toAshlarError(error)
          onRequest({ method: name, code, durationMs: clock.monotonicMs() - startedMs }, caller)
          throw error
        }
      })
    },
  }
}

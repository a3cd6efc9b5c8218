/**
 * Service: what a process answers to its peers, as handlers by method. One service serves any number of connections.
 * @module
 */
import { assert } from '../base/assert.ts'
import { AshlarError } from '../base/errors.ts'
import type { Method, Role } from './method.ts'
import type { Handler } from './peer.ts'

/** A method with what answers it. The types of request and response are the method's own. */
export interface Registration {
  readonly method: Method<unknown, unknown>
  readonly handler: Handler<unknown, unknown>
}

export interface Service {
  /**
   * Answers `method` by `handler`. Handlers of one connection start in the order in which its requests arrived, each running
   * to its first `await` before the next one starts. What one throws goes to the caller; anything but an `AshlarError` is
   * logged, and the caller gets `internal`.
   */
  handle<Request, Response>(method: Method<Request, Response>, handler: Handler<Request, Response>): void
  /** @throws {AshlarError} `not-supported` — nothing answers this method; `forbidden` — not to this role */
  find(methodNumber: number, caller: Role): Registration
  /** For logs. Undefined: nothing answers it. */
  nameOf(methodNumber: number): string | undefined
}

export function createService(): Service {
  const registrations = new Map<number, Registration>()
  return {
    handle(method, handler) {
      assert(!registrations.has(method.number), `${method.name} is answered twice`)
      registrations.set(method.number, { method, handler } as unknown as Registration)
    },
    nameOf: (methodNumber) => registrations.get(methodNumber)?.method.name,
    find(methodNumber, caller) {
      const registration = registrations.get(methodNumber)
      if (registration === undefined) {
        throw new AshlarError('not-supported', `Cannot answer method ${methodNumber}: this server does not know it`)
      }
      const { method } = registration
      if (!method.callers.includes(caller)) {
        throw new AshlarError('forbidden', `Cannot answer ${method.name}: a ${caller} may not call it`)
      }
      return registration
    },
  }
}

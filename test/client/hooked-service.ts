/** A service whose every method a test can wrap, by name. @module */
import { AshlarError } from '../../src/base/errors.ts'
import { currentLabel, type RequestLabel } from '../../src/env/request-label.ts'
import { deriveKeys } from '../../src/wire/keys.ts'
import type { Method } from '../../src/wire/method.ts'
import type { CallContext, Handler } from '../../src/wire/peer.ts'
import { createService, type Service } from '../../src/wire/service.ts'

export const keys = deriveKeys(Buffer.alloc(32, 7))

/** Runs around a method: call `next` to answer as usual. */
export type Hook = (request: unknown, context: CallContext, next: () => Promise<unknown>) => Promise<unknown>

/** A service whose every method can be hooked by name; counts calls. */
export class HookedService {
  readonly service: Service = createService()
  readonly hooks = new Map<string, Hook>()
  readonly calls: { readonly name: string; readonly request: unknown; readonly label: RequestLabel | undefined }[] = []

  handle<Request, Response>(method: Method<Request, Response>, handler: Handler<Request, Response>): void {
    this.service.handle(method, async (request, context) => {
      this.calls.push({ name: method.name, request, label: currentLabel() })
      const hook = this.hooks.get(method.name)
      const next = () => handler(request, context)
      return (hook === undefined ? await next() : await hook(request, context, next)) as Awaited<
        ReturnType<typeof next>
      >
    })
  }

  count(name: string): number {
    return this.calls.filter((call) => call.name === name).length
  }
}

export function refuse(code: ConstructorParameters<typeof AshlarError>[0], message: string = code): never {
  throw new AshlarError(code, message)
}

/**
 * What all handlers of the master are given, and the shape of the simplest: a request passed to the namespace as it came.
 * @module
 */

import type { Rising } from '../base/rising.ts'
import type { Env } from '../env/env.ts'
import type { Leader, Namespace } from '../namespace/namespace.ts'
import type { ClusterKeys } from '../wire/credentials.ts'
import type { Method } from '../wire/method.ts'
import type { Service } from '../wire/service.ts'
import type { CurrentMap } from './current-map.ts'
import type { GroupChooser } from './group-chooser.ts'
import type { ServerRegistry } from './server-registry.ts'
import type { Settings } from './settings.ts'
import type { TokenMint } from './token-mint.ts'
import type { Workers } from './workers.ts'

export interface HandlerContext {
  readonly env: Env
  readonly service: Service
  readonly namespace: Namespace
  readonly leader: Leader
  readonly map: CurrentMap
  readonly registry: ServerRegistry
  readonly chooser: GroupChooser
  readonly settings: Settings
  readonly tokens: TokenMint
  readonly keys: ClusterKeys
  readonly workers: Workers
  readonly clusterTime: () => Rising
}

export function passThrough<Request, Response>(
  service: Service,
  method: Method<Request, Response>,
  operation: (request: Request) => Promise<Response>,
): void {
  service.handle(method, async (request) => ({ value: await operation(request) }))
}

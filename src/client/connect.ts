/** From options to a connected client: the stages raw → checked → used. @module */
import { AshlarError } from '../base/errors.ts'
import type { AshlarClient } from './filesystem.ts'
import type { ConnectOptions } from './options.ts'

export async function connectClient(_options: ConnectOptions): Promise<AshlarClient> {
  throw new AshlarError('not-supported', 'Cannot connect: the client is being written')
}

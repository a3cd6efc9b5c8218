/**
 * A method: one kind of request and its response, both structs, each with room for a payload of raw bytes.
 *
 * Everything between our processes is a call of a method: small, bounded, answered once. Long transfers are many calls
 * with payloads of at most `limits.framePayloadBytes` in flight on a connection of their own, so that flow control,
 * deadlines and cancellation need no second mechanism.
 * Invariant: a number is never used again for something else.
 * @module
 */
import { assert } from '../base/assert.ts'
import type { Struct } from '../base/codec.ts'

export interface Method<Request, Response> {
  readonly number: number
  readonly name: string
  readonly request: Struct<Request>
  readonly response: Struct<Response>
  /** Who may call it; a request from anyone else is refused with `forbidden`. */
  readonly callers: readonly Role[]
}

/** What a peer proved to be, by the key it holds. */
export type Role = 'client' | 'chunkserver' | 'master'

const numbers = new Set<number>()

export function method<Request, Response>(definition: Method<Request, Response>): Method<Request, Response> {
  assert(!numbers.has(definition.number), `method number ${definition.number} is taken`)
  numbers.add(definition.number)
  return definition
}

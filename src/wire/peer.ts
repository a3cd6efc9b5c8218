/**
 * Peer: one authenticated connection on which both sides can call methods of the other.
 * `connect.ts` makes one; `service.ts` answers calls.
 * @module
 */
import type { ClusterId, ServerId } from '../base/ids.ts'
import type { Method, Role } from './method.ts'

/** Who is at the other end, as proven by the handshake. */
export interface PeerIdentity {
  readonly role: Role
  readonly clusterId: ClusterId
  /** Of a chunk server or master; clients have none. */
  readonly serverId?: ServerId | undefined
  readonly address: string
  /** The protocol version on which both settled. Default: 1. */
  readonly version?: number
}

export interface CallOptions {
  /** The answer must have come by then; it travels with the request, so that the server stops too. Default `limits.requestTimeoutMs`. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  /** Raw bytes beside the request, at most `limits.framePayloadBytes`; they must not change until the call settles. */
  readonly payload?: Uint8Array
}

export interface Reply<Response> {
  readonly value: Response
  /** Empty when the response carries none. It belongs to the caller. */
  readonly payload: Buffer
}

export interface Peer {
  readonly identity: PeerIdentity
  readonly isClosed: boolean
  /** Aborts when the connection is gone: what hangs on it (open writers) ends. */
  readonly closedSignal: AbortSignal
  /**
   * @throws {AshlarError} what the other side threw (code, message, retry, applied and details survive), `timeout`, `cancelled`,
   *   `connection-lost` (applied: unknown), `unavailable` (the request was never sent; applied: no)
   */
  call<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    options?: CallOptions,
  ): Promise<Reply<Response>>
  /** Ends the connection; calls under way reject with `connection-lost`. Idempotent. */
  close(): void
}

export interface CallContext {
  readonly peer: Peer
  /** The handler's own. One that has no more use for it may give it to `recyclePayload`. */
  readonly payload: Buffer
  /** Aborts when the caller cancels, its deadline passes or the connection closes. */
  readonly signal: AbortSignal
}

/** A response that was encoded where it was made, as its method's struct would encode it: long ones need no objects in between. */
export class EncodedResponse {
  readonly bytes: Buffer

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }
}

/** What a handler returns: the response, or the response with a payload. */
export interface Answer<Response> {
  readonly value: Response | EncodedResponse
  readonly payload?: Uint8Array
  /** Called when the payload's memory is free again: the socket has taken it, or the connection closed. */
  readonly sent?: () => void
}

export type Handler<Request, Response> = (request: Request, context: CallContext) => Promise<Answer<Response>>

/**
 * Byte streams between processes, and HTTP at the doors.
 * Addresses are `host:port` text (`[::1]:7600` for IPv6).
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AshlarError } from '../base/errors.ts'

export interface ConnectionHandlers {
  /** Bytes that arrived, in order. They belong to the callee only until it returns: copy what is kept. */
  readonly data: (bytes: Buffer) => void
  /**
   * Where the next bytes are wanted: a connection that can has the system put them there, and no more than fit; `data` then gets
   * that part of it. Asked after each arrival; stands until the next. Undefined: anywhere.
   */
  readonly target?: (() => Buffer | undefined) | undefined
  /** The bytes written before fell below the high-water mark: write on. */
  readonly drained: () => void
  /** Called exactly once, last; without an error after an orderly end by either side. */
  readonly closed: (error?: AshlarError) => void
}

/** A duplex, ordered, reliable byte stream. */
export interface Connection {
  /** The peer's `host:port`, for logs. */
  readonly peerAddress: string
  /** Sets the handlers and starts the flow; called once, right after the connection was made. */
  start(handlers: ConnectionHandlers): void
  /**
   * Queues bytes. They must not change until `sent` is called (or the connection has closed).
   * @param sent called when the operating system has taken the bytes, or the connection closed
   * @returns false: the queue is over the high-water mark, wait for `drained`
   */
  write(bytes: Uint8Array, sent?: () => void): boolean
  /** Holds writes back until `uncork`, so that many small frames leave in one packet. Nests. */
  cork(): void
  uncork(): void
  /** Stops and starts the arrival of bytes: back-pressure towards the peer. */
  pause(): void
  resume(): void
  /** Bytes queued and not yet taken by the operating system. */
  readonly unsentBytes: number
  /** Sends what is queued, then ends. */
  end(): void
  /** Ends at once, dropping what is queued. Idempotent. */
  destroy(error?: AshlarError): void
}

export interface Listener {
  /** The address that peers reach, with the port that was really taken. */
  readonly address: string
  /** Takes no more connections; open ones go on. Idempotent. */
  close(): Promise<void>
}

export interface HttpListener extends Listener {
  /** Ends open connections too. */
  close(): Promise<void>
}

export interface HttpOptions {
  readonly address: string
  /** When there are so many, the one that is idle for longest makes room for one more; where none is, that one is answered 503. */
  readonly maxConnections: number
  /** A connection on which nothing moves for so long is closed. */
  readonly idleTimeoutMs: number
  /**
   * `handle` answers `Expect` itself, by `response.writeContinue()` or a final status; any value of it reaches it.
   * Default: bodies are asked for at once, and other expectations are answered 417.
   */
  readonly expectations?: 'handled' | undefined
}

export interface Network {
  /**
   * @param address `host:port`; port 0 takes any free one
   * @throws {AshlarError} `in-use` — the port is taken; the message names it
   */
  listen(
    options: { readonly address: string; readonly maxConnections: number },
    onConnection: (connection: Connection) => void,
  ): Promise<Listener>
  /** @throws {AshlarError} `unavailable` — refused or unreachable; `timeout` */
  connect(address: string, options: { readonly timeoutMs: number; readonly signal?: AbortSignal }): Promise<Connection>
  /** `handle` may be async; what it throws is answered 500 and logged. @throws {AshlarError} `in-use` */
  serveHttp(
    options: HttpOptions,
    handle: (request: IncomingMessage, response: ServerResponse) => void | Promise<void>,
  ): Promise<HttpListener>
}

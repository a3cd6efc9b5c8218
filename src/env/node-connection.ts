/**
 * A {@link Connection} over a TCP socket. Half-open is no state here: when the peer ends, what is queued is sent and
 * the connection ends, in order. One that broke closes with `connection-lost`.
 * @module
 */
import type { Socket } from 'node:net'
import { assert } from '../base/assert.ts'
import type { AshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { connectionError } from './errno.ts'
import type { Connection, ConnectionHandlers } from './network.ts'
import type { Receiver, ReceivingSocket } from './node-receiver.ts'

export class NodeConnection implements Connection {
  readonly peerAddress: string
  readonly #socket: Socket
  readonly #receiver: Receiver
  #handlers: ConnectionHandlers | undefined
  #error: AshlarError | undefined

  /** @param receiving connected, and paused until {@link start} */
  constructor({ socket, receiver }: ReceivingSocket, peerAddress: string) {
    this.#socket = socket
    this.#receiver = receiver
    this.peerAddress = peerAddress
    socket.on('error', (error) => {
      this.#error ??= connectionError(error, peerAddress)
    })
    socket.on('close', () => this.#handlers?.closed(this.#error))
  }

  start(handlers: ConnectionHandlers): void {
    assert(this.#handlers === undefined, 'the connection was started before')
    this.#handlers = handlers
    if (this.#socket.closed) {
      setImmediate(() => handlers.closed(this.#error))
      return
    }
    this.#receiver.data = handlers.data
    this.#receiver.target = handlers.target
    this.#socket.on('drain', handlers.drained)
    this.#socket.resume()
  }

  write(bytes: Uint8Array, sent?: () => void): boolean {
    if (!this.#socket.writable) {
      // It is over, which `closed` tells; there is nothing to drain.
      if (sent !== undefined) setImmediate(sent)
      return false
    }
    // Node calls back with an error when the socket closes first, which `closed` tells.
    return this.#socket.write(bytes, sent && (() => sent()))
  }

  cork(): void {
    this.#socket.cork()
  }

  uncork(): void {
    this.#socket.uncork()
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  get unsentBytes(): number {
    return this.#socket.writableLength
  }

  end(): void {
    this.#socket.end()
    // A peer that takes nothing, or never ends its side, must not hold the connection for ever.
    this.#socket.setTimeout(limits.idleConnectionTimeoutMs, () => this.#socket.destroy())
  }

  destroy(error?: AshlarError): void {
    this.#error ??= error
    this.#socket.destroy()
  }
}

/**
 * A {@link Connection} as a Node stream, so that `node:http` can serve and ask over any {@link Network}. It has the
 * methods of a socket that `node:http` looks for; its idle timeout runs on the injected clock.
 * @module
 */
import { Duplex } from 'node:stream'
import { toAshlarError } from '../base/errors.ts'
import { parseAddress } from './address.ts'
import type { Clock, Timer } from './clock.ts'
import type { Connection } from './network.ts'

export class ConnectionStream extends Duplex {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly #connection: Connection
  readonly #clock: Clock
  #idleTimeoutMs = 0
  #idleTimer: Timer | undefined
  #movedMs = 0

  /** @param connection not started; it belongs to the stream from now on */
  constructor(connection: Connection, clock: Clock) {
    super({ allowHalfOpen: false })
    this.#connection = connection
    this.#clock = clock
    const { host, port } = parseAddress(connection.peerAddress)
    this.remoteAddress = host
    this.remotePort = port
    connection.start({
      data: (bytes) => {
        this.#movedMs = clock.monotonicMs()
        if (!this.push(Buffer.from(bytes))) connection.pause()
      },
      // Back-pressure is by the callbacks of writes instead.
      drained: () => undefined,
      closed: (error) => {
        if (error === undefined) this.push(null)
        else this.destroy(error)
      },
    })
  }

  override _read(): void {
    this.#connection.resume()
  }

  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    this._writev([{ chunk: bytes }], done)
  }

  override _writev(writes: readonly { readonly chunk: Buffer }[], done: () => void): void {
    const sent = () => {
      this.#movedMs = this.#clock.monotonicMs()
      done()
    }
    this.#connection.cork()
    for (const [index, { chunk }] of writes.entries()) {
      this.#connection.write(chunk, index === writes.length - 1 ? sent : undefined)
    }
    this.#connection.uncork()
  }

  override _final(done: () => void): void {
    this.#connection.end()
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#idleTimer?.cancel()
    this.#connection.destroy(error === null ? undefined : toAshlarError(error))
    done(error)
  }

  /** As of a socket: emits `timeout` when nothing has moved for so long; 0 never. */
  setTimeout(timeoutMs: number, onTimeout?: () => void): this {
    if (onTimeout !== undefined) this.once('timeout', onTimeout)
    this.#idleTimer?.cancel()
    this.#idleTimeoutMs = timeoutMs
    this.#movedMs = this.#clock.monotonicMs()
    if (timeoutMs > 0) this.#watch(timeoutMs)
    return this
  }

  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  #watch(delayMs: number): void {
    const onTimer = () => {
      const restMs = this.#movedMs + this.#idleTimeoutMs - this.#clock.monotonicMs()
      if (restMs > 0) this.#watch(restMs)
      else this.emit('timeout')
    }
    this.#idleTimer = this.#clock.after(delayMs, onTimer, { background: true })
  }
}

/** A connection that keeps what is written, and takes it when a test says so. @module */
import type { Connection, ConnectionHandlers } from '../../src/env/network.ts'

export class FakeConnection implements Connection {
  readonly peerAddress = 'fake:1'
  readonly writes: Uint8Array[] = []
  readonly events: string[] = []
  handlers: ConnectionHandlers | undefined
  unsentBytes = 0
  #unsent: ((() => void) | undefined)[] = []

  start(handlers: ConnectionHandlers): void {
    this.handlers = handlers
  }

  write(bytes: Uint8Array, sent?: () => void): boolean {
    this.writes.push(bytes)
    this.unsentBytes += bytes.length
    this.#unsent.push(sent)
    return true
  }

  /** What the operating system does: takes all that was written. */
  takeAll(): void {
    const unsent = this.#unsent
    this.#unsent = []
    this.unsentBytes = 0
    for (const sent of unsent) sent?.()
    this.handlers?.drained()
  }

  /** All that was written so far. */
  get written(): Buffer {
    return Buffer.concat(this.writes)
  }

  cork(): void {
    this.events.push('cork')
  }

  uncork(): void {
    this.events.push('uncork')
  }

  pause(): void {
    this.events.push('pause')
  }

  resume(): void {
    this.events.push('resume')
  }

  end(): void {
    this.events.push('end')
  }

  destroy(): void {
    this.events.push('destroy')
  }
}

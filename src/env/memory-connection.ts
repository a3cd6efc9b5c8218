/**
 * The two ends of a connection within one process. Each direction is a queue of writes; bytes are delivered in new
 * turns, in order, in pieces, out of one buffer that is used again: so whoever keeps what is not theirs sees it change.
 *
 * - A cut link holds everything back, ends and breaks included, until it heals: neither side notices by itself.
 * - `sent` is called when the other side has been handed the bytes.
 * - `destroy` breaks the connection: what was under way in both directions is lost, the peer sees `connection-lost`.
 * @module
 */
import { assert } from '../base/assert.ts'
import { AshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Clock, Timer } from './clock.ts'
import type { Connection, ConnectionHandlers } from './network.ts'

/** What lies between two hosts. */
export interface Link {
  readonly clock: Clock
  /** For one way; undefined: it is cut. */
  delayMs(from: string, to: string): number | undefined
}

/** Handed over at most in one turn, so that one stream does not starve the others. */
const bytesPerTurn = 1024 * 1024
const receiveBuffer = Buffer.allocUnsafeSlow(64 * 1024)

interface QueuedWrite {
  /** Undefined: the end of the stream. */
  readonly bytes: Uint8Array | undefined
  readonly sent: (() => void) | undefined
  readonly dueMs: number
  offset: number
}

export interface EndPlace {
  readonly host: string
  readonly peerHost: string
  readonly peerAddress: string
}

export class MemoryConnection implements Connection {
  readonly host: string
  readonly peerHost: string
  readonly peerAddress: string
  readonly #link: Link
  readonly #onClosed: () => void
  #peer: MemoryConnection | undefined
  #handlers: ConnectionHandlers | undefined
  #queue: QueuedWrite[] = []
  #unsentBytes = 0
  #corks = 0
  #paused = false
  #delivering = false
  #wantsDrained = false
  /** Each direction by itself: nothing more will be written; nothing more will arrive. */
  #ended = false
  #endSent = false
  #endArrived = false
  /** Set once, when the connection is over; `error` undefined is an orderly end. */
  #over: { readonly error: AshlarError | undefined } | undefined
  #closedTold = false
  /** Of the next delivery over a slow link. */
  #timer: Timer | undefined
  /** The peer broke the connection, and a cut link hides it. */
  #brokenBehindCut: AshlarError | undefined

  /** @param onClosed called once when this end is over */
  constructor(link: Link, { host, peerHost, peerAddress }: EndPlace, onClosed: () => void) {
    this.#link = link
    this.host = host
    this.peerHost = peerHost
    this.peerAddress = peerAddress
    this.#onClosed = onClosed
  }

  static join(a: MemoryConnection, b: MemoryConnection): void {
    a.#peer = b
    b.#peer = a
  }

  start(handlers: ConnectionHandlers): void {
    assert(this.#handlers === undefined, 'the connection was started before')
    this.#handlers = handlers
    if (this.#over !== undefined) this.#tellClosed()
    this.#peer?.deliver()
  }

  write(bytes: Uint8Array, sent?: () => void): boolean {
    if (this.#ended || this.#over !== undefined) {
      // It is over, which `closed` tells; there is nothing to drain.
      if (sent !== undefined) this.#link.clock.soon(sent)
      return false
    }
    this.#enqueue(bytes, sent)
    this.#wantsDrained ||= this.#unsentBytes >= limits.unsentBytesPerConnection
    return !this.#wantsDrained
  }

  cork(): void {
    this.#corks++
  }

  uncork(): void {
    this.#corks = Math.max(0, this.#corks - 1)
    this.deliver()
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#peer?.deliver()
  }

  get unsentBytes(): number {
    return this.#unsentBytes
  }

  end(): void {
    if (this.#ended || this.#over !== undefined) return
    this.#ended = true
    this.#corks = 0
    this.#enqueue(undefined, undefined)
  }

  destroy(error?: AshlarError): void {
    if (this.#over !== undefined) return
    this.#finish(error)
    const peer = this.#peer
    if (peer === undefined) return
    peer.#breakWhenReached(
      new AshlarError('connection-lost', `Cannot talk to ${peer.peerAddress}: the connection broke`),
    )
  }

  /** Moves the queue on, when it can move; called again whenever something that held it back has changed. */
  deliver(): void {
    const first = this.#queue[0]
    if (this.#delivering || first === undefined || this.#corks > 0 || !this.#peer?.receives) return
    if (this.#link.delayMs(this.host, this.peerHost) === undefined) return
    this.#delivering = true
    const waitMs = first.dueMs - this.#link.clock.monotonicMs()
    const step = () => {
      this.#delivering = false
      this.#deliverDue()
      this.deliver()
    }
    if (waitMs > 0) this.#timer = this.#link.clock.after(waitMs, step)
    else this.#link.clock.soon(step)
  }

  get receives(): boolean {
    return this.#handlers !== undefined && !this.#paused && this.#over === undefined
  }

  #deliverDue(): void {
    const peer = this.#peer as MemoryConnection
    const handlers = peer.#handlers as ConnectionHandlers
    const nowMs = this.#link.clock.monotonicMs()
    let roomBytes = bytesPerTurn
    for (let first = this.#queue[0]; first !== undefined && roomBytes > 0; first = this.#queue[0]) {
      const held = this.#corks > 0 || this.#link.delayMs(this.host, this.peerHost) === undefined
      if (held || !peer.receives || first.dueMs > nowMs) break
      if (first.bytes === undefined) {
        this.#queue.shift()
        this.#endSent = true
        peer.#endHasArrived()
        this.#finishWhenDone()
        continue
      }
      const piece = first.bytes.subarray(first.offset, first.offset + receiveBuffer.length)
      receiveBuffer.set(piece)
      first.offset += piece.length
      roomBytes -= piece.length
      this.#unsentBytes -= piece.length
      const whole = first.offset === first.bytes.length
      if (whole) this.#queue.shift()
      if (piece.length > 0) handlers.data(receiveBuffer.subarray(0, piece.length))
      if (whole) first.sent?.()
    }
    if (this.#wantsDrained && this.#over === undefined && this.#unsentBytes < limits.unsentBytesPerConnection) {
      this.#wantsDrained = false
      this.#handlers?.drained()
    }
  }

  #enqueue(bytes: Uint8Array | undefined, sent: (() => void) | undefined): void {
    const { clock } = this.#link
    // Over a cut link the delay is that of the moment in which it heals, or none.
    const delayMs = this.#link.delayMs(this.host, this.peerHost) ?? 0
    const dueMs = Math.max(this.#queue.at(-1)?.dueMs ?? 0, delayMs > 0 ? clock.monotonicMs() + delayMs : 0)
    this.#queue.push({ bytes, sent, dueMs, offset: 0 })
    this.#unsentBytes += bytes?.byteLength ?? 0
    this.deliver()
  }

  /** An end of the peer's side ends ours, after what is queued. */
  #endHasArrived(): void {
    this.#endArrived = true
    this.end()
    this.#finishWhenDone()
  }

  #finishWhenDone(): void {
    if (this.#endSent && this.#endArrived) this.#finish(undefined)
  }

  /** The peer broke the connection: this end learns it when the link lets it. */
  #breakWhenReached(error: AshlarError): void {
    if (this.#over !== undefined) return
    const delayMs = this.#link.delayMs(this.peerHost, this.host)
    if (delayMs === undefined) {
      this.#brokenBehindCut = error
      return
    }
    const step = () => this.#finish(error)
    if (delayMs > 0) this.#link.clock.after(delayMs, step)
    else this.#link.clock.soon(step)
  }

  /** The link between the hosts has healed. */
  healed(): void {
    if (this.#brokenBehindCut !== undefined) this.#breakWhenReached(this.#brokenBehindCut)
    this.deliver()
  }

  #finish(error: AshlarError | undefined): void {
    if (this.#over !== undefined) return
    this.#over = { error }
    this.#timer?.cancel()
    const dropped = this.#queue
    this.#queue = []
    this.#unsentBytes = 0
    this.#onClosed()
    this.#link.clock.soon(() => {
      for (const { sent } of dropped) sent?.()
      if (this.#handlers !== undefined) this.#tellClosed()
    })
  }

  #tellClosed(): void {
    if (this.#closedTold) return
    this.#closedTold = true
    const { error } = this.#over as { readonly error: AshlarError | undefined }
    this.#link.clock.soon(() => this.#handlers?.closed(error))
  }
}

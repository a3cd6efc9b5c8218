/**
 * The two ends of a simulated connection, each in a process. What a process has written is copied by its operating system,
 * as far as the windows of both sides have room, and travels as one segment; the segments of one direction arrive in order.
 *
 * - `sent` is called when the operating system has taken the bytes, not when the peer has them.
 * - The end of a process, or `destroy`, sends a reset behind what has left already. A machine without power sends nothing:
 *   the other side notices only after the machine is back, when something of it reaches a system that knows no such connection.
 * - Bytes are handed over out of one buffer that is used again, so that whoever keeps what is not theirs sees it change.
 * @module
 */
import { assert } from '../base/assert.ts'
import { AshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Connection, ConnectionHandlers } from '../env/network.ts'
import type { SimProcess } from './sim-process.ts'
import type { SimWire } from './sim-wire.ts'

/** Taken by the operating systems of both sides and not yet by the receiving process. */
const windowBytes = 1024 * 1024
/** Between two arrivals of one direction: events of one time have no order. */
const apartMs = 0.001
const receiveBuffer = Buffer.allocUnsafeSlow(64 * 1024)
const piecemealOneIn = 32
const nothing = Buffer.alloc(0)

interface QueuedWrite {
  readonly bytes: Uint8Array
  readonly sent: (() => void) | undefined
  offset: number
}

/** `end`: the last of its direction, in order. */
type Segment = { readonly bytes: Buffer } | 'end' | 'reset'

export interface SimEndPlace {
  readonly owner: SimProcess
  readonly peerHost: string
  readonly peerAddress: string
}

export class SimConnection implements Connection {
  readonly owner: SimProcess
  readonly peerHost: string
  readonly peerAddress: string
  readonly #wire: SimWire
  readonly #onOver: () => void
  #peer: SimConnection | undefined
  #handlers: ConnectionHandlers | undefined
  #queue: QueuedWrite[] = []
  #unsentBytes = 0
  #corks = 0
  #paused = false
  #flushing = false
  #wantsDrained = false
  #ended = false
  #endSent = false
  #endArrived = false
  /** Taken from this process and not yet handed to the peer's. */
  #windowUsedBytes = 0
  #lastArrivalMs = 0
  /** Segments that a cut way holds back, in order; undefined: the way is open. */
  #held: Segment[] | undefined
  /** Arrived, and waiting for the process. */
  #inbox: Buffer[] = []
  #over: { readonly error: AshlarError | undefined } | undefined
  #isClosedTold = false
  /** The machine lost power: it answers nothing until it is back. */
  #isDark = false
  /** Something reached the dark machine, and is sent again until somebody answers. */
  #unanswered = false

  /** @param onOver called once, when this end is over */
  constructor(wire: SimWire, { owner, peerHost, peerAddress }: SimEndPlace, onOver: () => void) {
    this.#wire = wire
    this.owner = owner
    this.peerHost = peerHost
    this.peerAddress = peerAddress
    this.#onOver = onOver
  }

  static join(a: SimConnection, b: SimConnection): void {
    a.#peer = b
    b.#peer = a
  }

  start(handlers: ConnectionHandlers): void {
    assert(this.#handlers === undefined, 'the connection was started before')
    this.#handlers = handlers
    if (this.#over !== undefined) this.#tellClosed()
    else this.#handOverSoon()
  }

  write(bytes: Uint8Array, sent?: () => void): boolean {
    if (this.#ended || this.#over !== undefined) {
      // It is over, which `closed` tells; there is nothing to drain.
      if (sent !== undefined) this.#soon(sent)
      return false
    }
    this.#queue.push({ bytes, sent, offset: 0 })
    this.#unsentBytes += bytes.byteLength
    this.#wantsDrained ||= this.#unsentBytes >= limits.unsentBytesPerConnection
    this.#flushSoon()
    return !this.#wantsDrained
  }

  cork(): void {
    this.#corks++
  }

  uncork(): void {
    this.#corks = Math.max(0, this.#corks - 1)
    this.#flushSoon()
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#handOverSoon()
  }

  get unsentBytes(): number {
    return this.#unsentBytes
  }

  end(): void {
    if (this.#ended || this.#over !== undefined) return
    this.#ended = true
    this.#corks = 0
    this.#flushSoon()
  }

  destroy(error?: AshlarError): void {
    if (this.#over !== undefined) return
    this.#finish(error)
    this.#transmit('reset')
  }

  /** The process ended: the operating system closes what it had open. */
  processEnded(): void {
    if (this.#over !== undefined) return
    this.#forget()
    // A reset when bytes were unread, else an orderly end, cut short.
    this.#transmit(this.owner.random.fraction() < 0.5 ? 'reset' : 'end')
  }

  /** The machine has lost power. */
  powerLost(): void {
    if (this.#over !== undefined) return
    this.#isDark = true
    this.#forget()
  }

  /** The machine is back, and knows nothing of this connection. */
  powerBack(): void {
    if (!this.#isDark) return
    this.#isDark = false
    if (this.#unanswered) this.#transmit('reset')
  }

  #flushSoon(): void {
    const isIdle = this.#queue.length === 0 && (!this.#ended || this.#endSent)
    if (this.#flushing || isIdle || this.#corks > 0 || this.#windowUsedBytes >= windowBytes) return
    this.#flushing = true
    this.#soon(() => {
      this.#flushing = false
      this.#flush()
    })
  }

  /** The operating system takes what there is room for. */
  #flush(): void {
    if (this.#over !== undefined || this.#corks > 0) return
    const taken: Uint8Array[] = []
    const done: (() => void)[] = []
    let roomBytes = windowBytes - this.#windowUsedBytes
    let takenBytes = 0
    let whole = 0
    for (const write of this.#queue) {
      const part = write.bytes.subarray(write.offset, write.offset + roomBytes)
      taken.push(part)
      write.offset += part.length
      takenBytes += part.length
      roomBytes -= part.length
      if (write.offset < write.bytes.length) break
      whole++
      if (write.sent !== undefined) done.push(write.sent)
    }
    this.#queue.splice(0, whole)
    this.#unsentBytes -= takenBytes
    if (takenBytes > 0) {
      this.#windowUsedBytes += takenBytes
      this.#transmit({ bytes: Buffer.concat(taken, takenBytes) })
    }
    if (this.#ended && this.#queue.length === 0 && !this.#endSent) {
      this.#endSent = true
      this.#transmit('end')
      this.#finishWhenDone()
    }
    const isDrained = this.#wantsDrained && this.#unsentBytes < limits.unsentBytesPerConnection
    if (isDrained) this.#wantsDrained = false
    for (const sent of done) sent()
    if (isDrained && this.#over === undefined) this.#handlers?.drained()
  }

  #transmit(segment: Segment): void {
    if (this.#held !== undefined) {
      this.#held.push(segment)
      return
    }
    const { host } = this.owner
    if (!this.#wire.isCut(host, this.peerHost)) {
      this.#launch(segment)
      return
    }
    this.#held = [segment]
    this.#wire.whenOpen(host, this.peerHost, () => {
      const held = this.#held ?? []
      this.#held = undefined
      for (const segment of held) this.#transmit(segment)
    })
  }

  #launch(segment: Segment): void {
    const { scheduler } = this.#wire
    const sizeBytes = typeof segment === 'object' ? segment.bytes.length : 0
    const delayMs = this.#wire.drawDelayMs(this.owner.host, this.peerHost, sizeBytes)
    this.#lastArrivalMs = Math.max(this.#lastArrivalMs + apartMs, scheduler.nowMs + delayMs)
    scheduler.schedule(this.#lastArrivalMs - scheduler.nowMs, 'arrival', undefined, () => this.#peer?.arrive(segment))
  }

  /** At the operating system: whatever the process does. */
  arrive(segment: Segment): void {
    if (typeof segment === 'object') this.#wire.scheduler.trace.bytes(segment.bytes)
    if (this.#isDark) {
      this.#unanswered = true
      return
    }
    if (this.#over !== undefined) {
      if (segment !== 'reset' && this.#over.error !== undefined) this.#transmit('reset')
      return
    }
    if (segment === 'reset') {
      this.#inbox = []
      this.#finish(new AshlarError('connection-lost', `Cannot talk to ${this.peerAddress}: the connection broke`))
      return
    }
    this.#inbox.push(segment === 'end' ? nothing : segment.bytes)
    this.owner.enter(() => this.#handOver())
  }

  #handOverSoon(): void {
    if (this.#inbox.length > 0) this.#soon(() => this.#handOver())
  }

  #handOver(): void {
    while (this.#over === undefined && this.#handlers !== undefined && !this.#paused) {
      const bytes = this.#inbox.shift()
      if (bytes === undefined) return
      if (bytes.length === 0) {
        this.#endArrived = true
        this.end()
        this.#finishWhenDone()
        return
      }
      this.#peer?.windowFreed(bytes.length)
      for (let at = 0, lengthBytes = 0; at < bytes.length; at += lengthBytes) {
        lengthBytes = bytes.copy(receiveBuffer, 0, at, at + this.#drawPieceBytes(bytes.length - at))
        this.#handlers.data(receiveBuffer.subarray(0, lengthBytes))
        if (this.#over !== undefined) return
        if (this.#paused) {
          if (at + lengthBytes < bytes.length) this.#inbox.unshift(bytes.subarray(at + lengthBytes))
          return
        }
      }
    }
  }

  /** A stream has no messages: now and then what was written together arrives in pieces. */
  #drawPieceBytes(mostBytes: number): number {
    const { random } = this.owner
    if (random.fraction() * piecemealOneIn >= 1) return receiveBuffer.length
    return 1 + random.below(Math.min(mostBytes, receiveBuffer.length))
  }

  windowFreed(sizeBytes: number): void {
    this.#windowUsedBytes = Math.max(0, this.#windowUsedBytes - sizeBytes)
    if (this.#over === undefined) this.#flushSoon()
  }

  #finishWhenDone(): void {
    if (this.#endSent && this.#endArrived) this.#finish(undefined)
  }

  #finish(error: AshlarError | undefined): void {
    if (this.#over !== undefined) return
    this.#over = { error }
    const dropped = this.#queue
    this.#queue = []
    this.#unsentBytes = 0
    this.#onOver()
    this.#soon(() => {
      for (const { sent } of dropped) sent?.()
      if (this.#handlers !== undefined) this.#tellClosed()
    })
  }

  #forget(): void {
    this.#over = { error: new AshlarError('connection-lost', 'Cannot go on: the process ended') }
    this.#queue = []
    this.#inbox = []
    this.#onOver()
  }

  #tellClosed(): void {
    if (this.#isClosedTold) return
    this.#isClosedTold = true
    const { error } = this.#over as { readonly error: AshlarError | undefined }
    this.#soon(() => this.#handlers?.closed(error))
  }

  #soon(callback: () => void): void {
    this.#wire.scheduler.schedule(0, 'sent', this.owner, callback)
  }
}

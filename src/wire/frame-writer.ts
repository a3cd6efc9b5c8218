/**
 * Writes frames to a connection so that all of one turn of the event loop leave together.
 *
 * Headers, heads and small payloads are gathered in a slab and handed over in one piece; a larger payload is handed over
 * as it is, never copied (0.3 ms of CPU a MiB). A part of a slab is written once and never again, so it may wait in the socket.
 * @module
 */
import type { Clock } from '../env/clock.ts'
import type { Connection } from '../env/network.ts'
import type { RequestLabel } from '../env/request-label.ts'
import { type FrameHeader, frameHeaderBytes, labelBytes, writeFrameHeader, writeLabel } from './frame.ts'

const slabBytes = 64 * 1024
/** Of the first one after a quiet time: on most connections little follows (a heartbeat, an order, a ping). */
const firstSlabBytes = 4 * 1024
/** Up to here a copy costs less than a write of its own: the payload's memory is free again at once. */
export const copiedPayloadBytes = 4 * 1024
const noBytes = Buffer.alloc(0)

export interface OutgoingFrame extends FrameHeader {
  readonly head: Buffer
  readonly payload?: Uint8Array | undefined
  /** Of a labelled request. */
  readonly label?: RequestLabel | undefined
  /** Called once, when the payload's memory is free again; also when the connection ends first. */
  readonly sent?: (() => void) | undefined
}

export class FrameWriter {
  readonly #connection: Connection
  readonly #clock: Clock
  #slab: Buffer = noBytes
  /** What is in the slab and not yet handed over: from…to. */
  #from = 0
  #to = 0
  #corked = false
  #handedOverBytes = 0

  constructor(connection: Connection, clock: Clock) {
    this.#connection = connection
    this.#clock = clock
  }

  /** Bytes that the operating system has not taken yet. */
  get unsentBytes(): number {
    return this.#connection.unsentBytes + this.#to - this.#from
  }

  /** Bytes that the operating system has taken since the start. */
  get takenBytes(): number {
    return this.#handedOverBytes - this.#connection.unsentBytes
  }

  /** `head` and `payload` must not change until `sent`. Lengths are the caller's to check. */
  write(frame: OutgoingFrame): void {
    this.#cork()
    const payload = frame.payload ?? noBytes
    const copiesPayload = payload.length <= copiedPayloadBytes
    const { label } = frame
    const headBytes = label === undefined ? frame.head.length : labelBytes + frame.head.length
    const slabUse = frameHeaderBytes + headBytes + (copiesPayload ? payload.length : 0)
    if (slabUse > this.#slab.length - this.#to) this.#nextSlab(slabUse)
    const at = this.#to
    if (label !== undefined) writeLabel(this.#slab, at + frameHeaderBytes, label)
    frame.head.copy(this.#slab, at + frameHeaderBytes + headBytes - frame.head.length)
    writeFrameHeader(this.#slab, at, {
      kind: frame.kind,
      method: frame.method,
      requestId: frame.requestId,
      timeoutMs: frame.timeoutMs,
      headBytes,
      payloadBytes: payload.length,
    })
    this.#to = at + slabUse
    if (copiesPayload) {
      this.#slab.set(payload, this.#to - payload.length)
      frame.sent?.()
    } else {
      this.#handOverSlab()
      this.#handedOverBytes += payload.length
      this.#connection.write(payload, frame.sent)
    }
  }

  /** Hands everything over now. */
  flush(): void {
    if (!this.#corked) return
    this.#corked = false
    this.#handOverSlab()
    this.#connection.uncork()
  }

  /** Gives the slab back while the connection is quiet. */
  trim(): void {
    if (this.#from === this.#to) this.#slab = noBytes
    if (this.#slab === noBytes) this.#from = this.#to = 0
  }

  #cork(): void {
    if (this.#corked) return
    this.#corked = true
    this.#connection.cork()
    this.#clock.soon(() => this.flush())
  }

  #handOverSlab(): void {
    if (this.#from === this.#to) return
    this.#handedOverBytes += this.#to - this.#from
    this.#connection.write(this.#slab.subarray(this.#from, this.#to))
    this.#from = this.#to
  }

  #nextSlab(leastBytes: number): void {
    this.#handOverSlab()
    const usualBytes = this.#slab === noBytes ? firstSlabBytes : slabBytes
    this.#slab = Buffer.allocUnsafeSlow(Math.max(usualBytes, leastBytes))
    this.#from = this.#to = 0
  }
}

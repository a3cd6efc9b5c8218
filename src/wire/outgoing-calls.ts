/**
 * The calls that this side of a connection makes.
 *
 * A call is *waiting* (nothing sent), *sent*, or *abandoned* (cancelled or timed out; its answer is still to come). The caller
 * keeps to the receiver's limits by itself: unanswered requests, their bytes, and unsent bytes are bounded, what is
 * more waits here. So the receiver never has to stop reading, and two sides that call each other cannot block each other.
 *
 * Invariant: a call settles only when the socket is done with its payload: its memory may be used again then.
 * @module
 */
import { assert } from '../base/assert.ts'
import { AshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Clock } from '../env/clock.ts'
import { currentLabel, namedLabel, type RequestLabel } from '../env/request-label.ts'
import { cancelled } from '../env/waiting.ts'
import { DeadlineTimer } from './deadline-timer.ts'
import { Fifo, type FifoPlace } from './fifo.ts'
import { type Frame, frameKinds } from './frame.ts'
import type { FrameWriter } from './frame-writer.ts'
import type { Method } from './method.ts'
import type { CallOptions, Reply } from './peer.ts'
import { decodeError } from './wire-error.ts'

type Outcome = { readonly reply: Reply<unknown> } | { readonly error: AshlarError }

interface OutgoingCall {
  readonly method: Method<unknown, unknown>
  readonly head: Buffer
  readonly payload: Uint8Array | undefined
  readonly timeoutMs: number
  readonly deadlineMs: number
  /** Of the request for which it is made, where the peer takes labels. */
  readonly label: RequestLabel | undefined
  readonly resolve: (reply: Reply<unknown>) => void
  readonly reject: (error: AshlarError) => void
  state: 'waiting' | 'sent' | 'abandoned'
  /** While it waits. */
  place: FifoPlace<OutgoingCall> | undefined
  requestId: number
  /** The socket still reads the payload. */
  payloadIsBusy: boolean
  /** Set when the call is decided. */
  outcome: Outcome | undefined
  stopListening: (() => void) | undefined
}

export interface OutgoingCallsOptions {
  readonly writer: FrameWriter
  readonly clock: Clock
  readonly peerAddress: string
  readonly takesLabels: boolean
}

export class OutgoingCalls {
  readonly #writer: FrameWriter
  readonly #clock: Clock
  readonly #peerAddress: string
  readonly #takesLabels: boolean
  readonly #deadlines: DeadlineTimer
  /** In the order they will be sent. */
  readonly #waiting = new Fifo<OutgoingCall>()
  #waitingHeadBytes = 0
  /** Sent and abandoned ones, until the answer. */
  readonly #unanswered = new Map<number, OutgoingCall>()
  #unansweredBytes = 0
  #lastRequestId = 0
  #closed = false
  #isPumping = false

  constructor(options: OutgoingCallsOptions) {
    this.#writer = options.writer
    this.#clock = options.clock
    this.#peerAddress = options.peerAddress
    this.#takesLabels = options.takesLabels
    this.#deadlines = new DeadlineTimer(options.clock, (nowMs) => this.#expire(nowMs))
  }

  /** Calls that wait or are not answered yet. */
  get underWay(): number {
    return this.#waiting.size + this.#unanswered.size
  }

  call(method: Method<unknown, unknown>, request: unknown, options: CallOptions): Promise<Reply<unknown>> {
    const { timeoutMs = limits.requestTimeoutMs, signal, payload } = options
    assert(timeoutMs > 0 && timeoutMs < 2 ** 32, 'a timeout out of range')
    return new Promise((resolve, reject) => {
      if (this.#closed) throw this.#neverSent(method)
      if (signal?.aborted) throw cancelled(`call ${method.name}`, signal)
      const head = method.request.encode(request)
      checkLength(method, 'request', head.length, limits.frameHeadBytes)
      checkLength(method, 'payload', payload?.length ?? 0, limits.framePayloadBytes)
      const call: OutgoingCall = {
        method,
        head,
        payload,
        timeoutMs,
        deadlineMs: this.#clock.monotonicMs() + timeoutMs,
        label: this.#takesLabels ? currentLabel() : undefined,
        resolve,
        reject,
        state: 'waiting',
        place: undefined,
        requestId: 0,
        payloadIsBusy: false,
        outcome: undefined,
        stopListening: undefined,
      }
      if (this.#waiting.size === 0 && this.#maySend(call)) this.#send(call, timeoutMs)
      else this.#wait(call)
      if (signal !== undefined) this.#listen(call, signal)
      this.#deadlines.include(call.deadlineMs)
    })
  }

  /** Takes a `response` or `error`. @throws {AshlarError} `protocol` — it answers nothing */
  answer(frame: Frame): void {
    const call = this.#unanswered.get(frame.requestId)
    if (call === undefined) {
      throw new AshlarError('protocol', 'Cannot read frame: it answers a request that was not made')
    }
    this.#unanswered.delete(frame.requestId)
    this.#unansweredBytes -= sizeOf(call)
    if (call.outcome === undefined) this.#settle(call, outcomeOf(call.method, frame))
    this.pump()
  }

  /** Sends what waits, as far as it may. Called whenever room may have come. */
  pump(): void {
    // A small payload is sent at once, which would lead here again.
    if (this.#isPumping) return
    this.#isPumping = true
    try {
      this.#sendWaiting()
    } finally {
      this.#isPumping = false
    }
  }

  #sendWaiting(): void {
    for (let place = this.#waiting.first; place !== undefined; place = this.#waiting.first) {
      const call = place.item
      if (this.#closed || !this.#maySend(call)) return
      this.#leaveQueue(call)
      this.#send(call, Math.max(1, call.deadlineMs - this.#clock.monotonicMs()))
    }
  }

  /** Rejects all calls. The connection is ended by the owner, after which the socket lets go of every payload. */
  close(cause: unknown): void {
    this.#closed = true
    this.#deadlines.cancel()
    for (const call of this.#waiting) {
      this.#leaveQueue(call)
      this.#settle(call, { error: this.#neverSent(call.method, cause) })
    }
    for (const call of this.#unanswered.values()) {
      if (call.outcome !== undefined) continue
      const message = `Cannot finish ${call.method.name}: the connection to ${this.#peerAddress} ended before the answer`
      this.#settle(call, { error: new AshlarError('connection-lost', message, { cause }) })
    }
    this.#unanswered.clear()
  }

  #maySend(call: OutgoingCall): boolean {
    const bytes = this.#unansweredBytes + sizeOf(call)
    return (
      this.#unanswered.size < limits.requestsPerConnection &&
      (bytes <= limits.requestBytesPerConnection || this.#unanswered.size === 0) &&
      this.#writer.unsentBytes < limits.unsentBytesPerConnection
    )
  }

  #wait(call: OutgoingCall): void {
    const isFull =
      this.#waiting.size >= limits.callsWaitingPerConnection ||
      this.#waitingHeadBytes + call.head.length > limits.requestBytesPerConnection
    if (isFull) {
      throw new AshlarError(
        'busy',
        `Cannot call ${call.method.name}: ${this.#waiting.size} calls wait for ${this.#peerAddress} already`,
      )
    }
    call.place = this.#waiting.push(call)
    this.#waitingHeadBytes += call.head.length
  }

  #leaveQueue(call: OutgoingCall): void {
    if (call.place === undefined) return
    this.#waiting.remove(call.place)
    call.place = undefined
    this.#waitingHeadBytes -= call.head.length
  }

  /** @param timeoutMs what is left of the caller's */
  #send(call: OutgoingCall, timeoutMs: number): void {
    const { method, head, payload, label } = call
    call.state = 'sent'
    call.requestId = this.#nextRequestId()
    this.#unanswered.set(call.requestId, call)
    this.#unansweredBytes += sizeOf(call)
    call.payloadIsBusy = payload !== undefined
    this.#writer.write({
      kind: label === undefined ? frameKinds.request : frameKinds.labelledRequest,
      method: method.number,
      requestId: call.requestId,
      timeoutMs: Math.ceil(timeoutMs),
      head,
      payload,
      label,
      sent: payload && (() => this.#payloadSent(call)),
    })
  }

  #payloadSent(call: OutgoingCall): void {
    call.payloadIsBusy = false
    if (call.outcome !== undefined) deliver(call, call.outcome)
    if (!this.#closed) this.pump()
  }

  /** Ids rise and wrap around; one that is still unanswered is passed over. */
  #nextRequestId(): number {
    do {
      this.#lastRequestId = (this.#lastRequestId + 1) >>> 0
    } while (this.#unanswered.has(this.#lastRequestId))
    return this.#lastRequestId
  }

  #listen(call: OutgoingCall, signal: AbortSignal): void {
    const onAbort = () => {
      // Once it was sent, it may have been applied.
      const wasSent = call.state !== 'waiting'
      this.#abandon(
        call,
        wasSent
          ? new AshlarError('cancelled', `Cannot finish ${call.method.name}: the caller cancelled it`, {
              cause: signal.reason,
            })
          : cancelled(`call ${call.method.name}`, signal),
      )
    }
    signal.addEventListener('abort', onAbort, { once: true })
    call.stopListening = () => signal.removeEventListener('abort', onAbort)
  }

  #abandon(call: OutgoingCall, error: AshlarError): void {
    if (call.outcome !== undefined) return
    if (call.state === 'waiting') {
      this.#leaveQueue(call)
    } else {
      call.state = 'abandoned'
      this.#writer.write({ kind: frameKinds.cancel, method: 0, requestId: call.requestId, timeoutMs: 0, head: noBytes })
    }
    this.#settle(call, { error })
  }

  #settle(call: OutgoingCall, outcome: Outcome): void {
    call.outcome = outcome
    call.stopListening?.()
    call.stopListening = undefined
    if (!call.payloadIsBusy) deliver(call, outcome)
  }

  #expire(nowMs: number): number {
    let nextMs = Number.POSITIVE_INFINITY
    for (const calls of [this.#waiting, this.#unanswered.values()]) {
      for (const call of calls) {
        if (call.outcome !== undefined) continue
        if (call.deadlineMs <= nowMs) this.#abandon(call, this.#timedOut(call))
        else nextMs = Math.min(nextMs, call.deadlineMs)
      }
    }
    return nextMs
  }

  #timedOut({ method, timeoutMs, state, label }: OutgoingCall): AshlarError {
    const named = namedLabel(label)
    const message = `Cannot finish ${method.name}: no answer from ${this.#peerAddress} within ${timeoutMs} ms${named}`
    return state === 'waiting'
      ? new AshlarError('timeout', message, { applied: 'no', retry: 'later' })
      : new AshlarError('timeout', message)
  }

  #neverSent(method: Method<unknown, unknown>, cause?: unknown): AshlarError {
    const message = `Cannot call ${method.name}: the connection to ${this.#peerAddress} is closed`
    return new AshlarError('unavailable', message, { cause })
  }
}

const noBytes = Buffer.alloc(0)

function deliver(call: OutgoingCall, outcome: Outcome): void {
  if ('reply' in outcome) call.resolve(outcome.reply)
  else call.reject(outcome.error)
}

function sizeOf(call: OutgoingCall): number {
  return call.head.length + (call.payload?.length ?? 0)
}

function outcomeOf(method: Method<unknown, unknown>, frame: Frame): Outcome {
  try {
    if (frame.kind === frameKinds.error) return { error: decodeError(frame.head) }
    return { reply: { value: method.response.decode(frame.head), payload: frame.payload } }
  } catch (cause) {
    // The other side did answer: what was asked for may well be done.
    const message = `Cannot read the answer to ${method.name}: it is malformed`
    return { error: new AshlarError('protocol', message, { cause, applied: 'unknown', retry: 'if-idempotent' }) }
  }
}

function checkLength(method: Method<unknown, unknown>, what: string, lengthBytes: number, limitBytes: number): void {
  if (lengthBytes <= limitBytes) return
  throw new AshlarError(
    'too-large',
    `Cannot call ${method.name}: its ${what} has ${lengthBytes} bytes, where ${limitBytes} are the limit`,
  )
}

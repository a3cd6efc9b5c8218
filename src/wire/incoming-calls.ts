/**
 * The calls that the other side of a connection makes here.
 *
 * Each is *queued* (while the caller does not take its answers), then *running*, and answered exactly once, cancelled or not.
 * A caller that keeps to the limits is never stopped; for one that does not, the connection is paused until it is back
 * within them. So neither requests nor answers pile up, whatever the other side does.
 * A payload is the handler's once that runs; of a call that never does, its memory is given back here.
 * @module
 */
import { AshlarError, toAshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Clock } from '../env/clock.ts'
import type { Log, LogFields } from '../env/log.ts'
import type { Connection } from '../env/network.ts'
import { formatLabel, namedLabel, type RequestLabel, underLabel } from '../env/request-label.ts'
import { DeadlineTimer } from './deadline-timer.ts'
import { Fifo } from './fifo.ts'
import { type Frame, frameKinds } from './frame.ts'
import type { FrameWriter } from './frame-writer.ts'
import { recyclePayload } from './payload-memory.ts'
import { type Answer, type CallContext, EncodedResponse, type Peer } from './peer.ts'
import type { Registration, Service } from './service.ts'
import { encodeError } from './wire-error.ts'

/** Also the context of its handler. The signal is made only when the handler asks for it. */
class IncomingCall implements CallContext {
  readonly peer: Peer
  readonly payload: Buffer
  readonly methodNumber: number
  readonly requestId: number
  readonly deadlineMs: number
  readonly heldBytes: number
  readonly label: RequestLabel | undefined
  /** Of a queued call. */
  readonly head: Buffer
  /** Why it should stop. */
  stopReason: AshlarError | undefined
  #controller: AbortController | undefined

  constructor(peer: Peer, frame: Frame, nowMs: number) {
    this.peer = peer
    this.payload = frame.payload
    this.methodNumber = frame.method
    this.requestId = frame.requestId
    this.deadlineMs = nowMs + frame.timeoutMs
    this.heldBytes = frame.head.length + frame.payload.length
    this.head = frame.head
    this.label = frame.label
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.stopReason !== undefined) this.#controller.abort(this.stopReason)
    }
    return this.#controller.signal
  }

  stop(reason: AshlarError): void {
    if (this.stopReason !== undefined) return
    this.stopReason = reason
    this.#controller?.abort(reason)
  }
}

export interface IncomingCallsOptions {
  readonly peer: Peer
  readonly service: Service
  readonly connection: Connection
  readonly writer: FrameWriter
  readonly clock: Clock
  readonly log: Log
}

export class IncomingCalls {
  readonly #peer: Peer
  readonly #service: Service
  readonly #connection: Connection
  readonly #writer: FrameWriter
  readonly #clock: Clock
  readonly #log: Log
  readonly #deadlines: DeadlineTimer
  /** Queued and running ones. */
  readonly #calls = new Map<number, IncomingCall>()
  readonly #queue = new Fifo<IncomingCall>()
  #heldBytes = 0
  #isPaused = false
  #closed = false

  constructor(options: IncomingCallsOptions) {
    this.#peer = options.peer
    this.#service = options.service
    this.#connection = options.connection
    this.#writer = options.writer
    this.#clock = options.clock
    this.#log = options.log
    this.#deadlines = new DeadlineTimer(options.clock, (nowMs) => this.#expire(nowMs))
  }

  get underWay(): number {
    return this.#calls.size
  }

  /** Takes a `request`. @throws {AshlarError} `protocol` — its id is that of an unanswered one */
  request(frame: Frame): void {
    if (this.#calls.has(frame.requestId)) {
      throw new AshlarError('protocol', 'Cannot read frame: a request has the id of an unanswered one')
    }
    const mayStart = this.#queue.size === 0 && this.#mayStart()
    // Its head is read now, or kept until then.
    const kept = mayStart ? frame : { ...frame, head: Buffer.from(frame.head) }
    const call = new IncomingCall(this.#peer, kept, this.#clock.monotonicMs())
    this.#calls.set(call.requestId, call)
    this.#heldBytes += call.heldBytes
    this.#deadlines.include(call.deadlineMs)
    if (mayStart) this.#start(call)
    else this.#queue.push(call)
    this.#pauseOrResume()
  }

  /** Takes a `cancel`. The answer may be under way: then there is nothing to do. */
  cancel(requestId: number): void {
    this.#calls.get(requestId)?.stop(new AshlarError('cancelled', 'Cannot finish the call: the caller cancelled it'))
  }

  /** Starts what is queued, as far as it may. Called whenever room may have come. */
  pump(): void {
    for (let place = this.#queue.first; place !== undefined; place = this.#queue.first) {
      if (this.#closed || !this.#mayStart()) return
      this.#queue.remove(place)
      this.#start(place.item)
    }
  }

  /** Tells all handlers to stop; what they still answer is dropped. */
  close(reason: AshlarError): void {
    this.#closed = true
    this.#deadlines.cancel()
    const calls = [...this.#calls.values()]
    this.#calls.clear()
    for (let place = this.#queue.first; place !== undefined; place = this.#queue.first) {
      this.#queue.remove(place)
      recyclePayload(place.item.payload)
    }
    for (const call of calls) call.stop(reason)
  }

  #mayStart(): boolean {
    const running = this.#calls.size - this.#queue.size
    return running < limits.requestsPerConnection && this.#writer.unsentBytes < limits.unsentBytesPerConnection
  }

  #pauseOrResume(): void {
    const isOver = this.#calls.size > limits.requestsPerConnection || this.#heldBytes > limits.requestBytesPerConnection
    if (isOver === this.#isPaused || this.#closed) return
    this.#isPaused = isOver
    if (isOver) this.#connection.pause()
    else this.#connection.resume()
  }

  /** Runs the handler up to its first `await`, before this returns. */
  #start(call: IncomingCall): void {
    let registration: Registration
    let request: unknown
    try {
      const { stopReason } = call
      if (stopReason !== undefined) throw new AshlarError(stopReason.code, stopReason.message, { applied: 'no' })
      registration = this.#service.find(call.methodNumber, this.#peer.identity.role)
      request = registration.method.request.decode(call.head)
    } catch (error) {
      recyclePayload(call.payload)
      this.#fail(call, error)
      return
    }
    let answer: Promise<Answer<unknown>>
    try {
      answer = underLabel(call.label, registration.handler, request, call)
    } catch (error) {
      this.#fail(call, error)
      return
    }
    answer.then(
      (given) => this.#answer(call, registration, given),
      (error: unknown) => this.#fail(call, error),
    )
  }

  #answer(call: IncomingCall, { method }: Registration, { value, payload, sent }: Answer<unknown>): void {
    if (this.#closed) {
      sent?.()
      return
    }
    let head: Buffer
    try {
      head = value instanceof EncodedResponse ? value.bytes : method.response.encode(value)
      if (head.length > limits.frameHeadBytes || (payload?.length ?? 0) > limits.framePayloadBytes) {
        throw new AshlarError('too-large', `Cannot answer ${method.name}: the answer is larger than a frame`)
      }
    } catch (error) {
      sent?.()
      // The handler did what it was asked for.
      this.#fail(call, new AshlarError('internal', `Cannot answer ${method.name}`, { cause: error }))
      return
    }
    if (this.#log.isDebugging) this.#log.debug('Answered a call', this.#factsOf(call))
    const { requestId } = call
    this.#writer.write({ kind: frameKinds.response, method: 0, requestId, timeoutMs: 0, head, payload, sent })
    this.#finish(call)
  }

  #fail(call: IncomingCall, error: unknown): void {
    if (this.#closed) return
    const failure = toAshlarError(error, 'answer the call')
    if (failure.code === 'internal') {
      this.#log.error('A handler failed', { ...this.#factsOf(call), error })
    }
    if (this.#log.isDebugging) this.#log.debug('Refused a call', { ...this.#factsOf(call), code: failure.code })
    const told = error instanceof AshlarError ? failure : internalError(call.label)
    const { requestId } = call
    this.#writer.write({ kind: frameKinds.error, method: 0, requestId, timeoutMs: 0, head: encodeError(told) })
    this.#finish(call)
  }

  #factsOf({ methodNumber, label }: IncomingCall): LogFields {
    const { address, role } = this.#peer.identity
    const method = this.#service.nameOf(methodNumber) ?? methodNumber
    return { method, peer: address, role, ...(label === undefined ? {} : { request: formatLabel(label) }) }
  }

  #finish(call: IncomingCall): void {
    this.#calls.delete(call.requestId)
    this.#heldBytes -= call.heldBytes
    if (this.#queue.size > 0) this.pump()
    this.#pauseOrResume()
  }

  #expire(nowMs: number): number {
    let nextMs = Number.POSITIVE_INFINITY
    for (const call of this.#calls.values()) {
      if (call.stopReason !== undefined) continue
      if (call.deadlineMs > nowMs) nextMs = Math.min(nextMs, call.deadlineMs)
      else call.stop(new AshlarError('timeout', 'Cannot finish the call: its deadline has passed'))
    }
    return nextMs
  }
}

/** Says nothing of the inside: the log does. */
function internalError(label: RequestLabel | undefined): AshlarError {
  return new AshlarError('internal', `Cannot answer the call: the server has a bug, see its log${namedLabel(label)}`)
}

/**
 * The connection to the master: made again when it breaks, and calls repeated on it until their deadline.
 *
 * A repeated call is the same bytes: a mutation carries its request id, so it is applied once however often it is sent.
 * Invariant: a mutation whose outcome was unknown once never ends with `applied: 'no'`: a refusal is about the sending
 * that it answers, and an earlier one may still be under way. See `doubt.ts` for the way out.
 * Measured with `Peer.call` beneath: the link adds one promise and no timer to a call that succeeds at once.
 * @module
 */
import type { ErrorCode } from '../base/error-table.ts'
import { AshlarError, toAshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Env } from '../env/env.ts'
import { abortable, cancelled, sleep, withTimeout } from '../env/waiting.ts'
import { connectPeer } from '../wire/connect.ts'
import type { Credentials } from '../wire/credentials.ts'
import type { Method } from '../wire/method.ts'
import type { Peer, Reply } from '../wire/peer.ts'
import { withApplied } from './applied.ts'

export interface MasterLinkOptions {
  readonly env: Env
  /** `host:port` of the master. */
  readonly address: string
  /** Where the master is by now, when it is not where it was; asked before each connection but the first. */
  readonly locate?: (() => Promise<string>) | undefined
  readonly credentials: Credentials
  /** How long a call is tried, unless it says otherwise. */
  readonly timeoutMs: number
}

export interface MasterCallOptions {
  readonly signal?: AbortSignal | undefined
  readonly timeoutMs?: number | undefined
  /** It changes something: when an earlier sending had no answer, a refusal says `applied: 'unknown'`. */
  readonly isMutation?: boolean | undefined
}

/** The same call again can help, and the master keeps it from being applied twice. */
const transient: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'unavailable',
  'connection-lost',
  'timeout',
  'busy',
  'transaction-conflict',
  'commit-unknown',
])

const firstPauseMs = 20
const longestPauseMs = 1_000
/** One attempt gets a third of the whole time, so that a master that went silent is tried again on a new connection. */
const attemptFraction = 1 / 3
const shortestAttemptMs = 2_000

export class MasterLink {
  readonly #env: Env
  #address: string
  readonly #locate: (() => Promise<string>) | undefined
  #hasConnected = false
  readonly #credentials: Credentials
  readonly timeoutMs: number
  #peer: Peer | undefined
  #connecting: Promise<Peer> | undefined
  #isClosed = false

  constructor(options: MasterLinkOptions) {
    this.#env = options.env
    this.#address = options.address
    this.#locate = options.locate
    this.#credentials = options.credentials
    this.timeoutMs = options.timeoutMs
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /**
   * Calls the master, again and again while it is away, until the call's time is over.
   * @throws {AshlarError} what the master answered; `unavailable` — no master within the time; `cancelled`; `closed`
   */
  async call<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    options: MasterCallOptions = noOptions,
  ): Promise<Reply<Response>> {
    const { clock } = this.#env
    const timeoutMs = options.timeoutMs ?? this.timeoutMs
    const deadlineMs = clock.monotonicMs() + timeoutMs
    const { signal } = options
    let mayBeApplied = false
    let pauseMs = firstPauseMs
    for (let attempt = 1; ; attempt++) {
      if (this.#isClosed) throw closedError(method.name, mayBeApplied)
      if (signal?.aborted) throw inDoubt(cancelled(`call ${method.name}`, signal), mayBeApplied)
      const leftMs = Math.max(1, deadlineMs - clock.monotonicMs())
      const attemptMs = Math.min(leftMs, Math.max(shortestAttemptMs, timeoutMs * attemptFraction))
      let failure: AshlarError
      let peer = this.#peer
      try {
        if (peer === undefined || peer.isClosed) peer = await this.#connected(attemptMs, signal)
        const callOptions = signal === undefined ? { timeoutMs: attemptMs } : { timeoutMs: attemptMs, signal }
        const reply = await peer.call(method, request, callOptions)
        if (!this.#env.buggify('master call: its answer is lost')) return reply
        failure = new AshlarError('connection-lost', `Cannot call ${method.name}: its answer was lost`)
      } catch (error) {
        failure = toAshlarError(error, `call ${method.name}`)
      }
      if (this.#isClosed) throw closedError(method.name, mayBeApplied || failure.applied === 'unknown')
      if (!transient.has(failure.code)) {
        const isAnswer = failure.code !== 'cancelled' && failure.code !== 'session-ended'
        throw isAnswer && options.isMutation !== true ? failure : inDoubt(failure, mayBeApplied)
      }
      mayBeApplied ||= failure.applied === 'unknown'
      // A peer that let a deadline pass may be half-open: the next attempt goes over a new connection.
      if (failure.code === 'timeout' && peer !== undefined && this.#peer === peer) this.#drop(peer)
      if (clock.monotonicMs() + pauseMs >= deadlineMs)
        throw this.#gaveUp(method.name, { timeoutMs, attempt, mayBeApplied, failure })
      const isFresh = attempt === 1 && failure.code === 'connection-lost'
      if (!isFresh) await this.#pause(pauseMs, signal, mayBeApplied)
      pauseMs = Math.min(longestPauseMs, pauseMs * 2)
    }
  }

  /** Calls under way reject with `closed`. Idempotent. */
  close(): void {
    this.#isClosed = true
    if (this.#peer !== undefined) this.#drop(this.#peer)
  }

  async #pause(pauseMs: number, signal: AbortSignal | undefined, mayBeApplied: boolean): Promise<void> {
    try {
      await sleep(this.#env.clock, pauseMs * (0.5 + this.#env.random.fraction() / 2), signal)
    } catch (error) {
      throw withApplied(toAshlarError(error), mayBeApplied ? 'unknown' : 'no')
    }
  }

  #connected(timeoutMs: number, signal: AbortSignal | undefined): Promise<Peer> {
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined
    })
    const work = withTimeout(this.#env.clock, timeoutMs, `connect to the master at ${this.#address}`, this.#connecting)
    return abortable(work.catch(neverSent), signal, `connect to the master at ${this.#address}`)
  }

  async #connect(): Promise<Peer> {
    if (this.#hasConnected && this.#locate !== undefined) this.#address = await this.#locate()
    const peer = await connectPeer({
      env: this.#env,
      address: this.#address,
      credentials: this.#credentials,
      timeoutMs: Math.min(limits.handshakeTimeoutMs, this.timeoutMs),
    })
    if (this.#isClosed) {
      peer.close()
      throw closedError('connect', false)
    }
    this.#peer = peer
    this.#hasConnected = true
    return peer
  }

  #drop(peer: Peer): void {
    this.#peer = undefined
    peer.close()
  }

  #gaveUp(
    name: string,
    state: { timeoutMs: number; attempt: number; mayBeApplied: boolean; failure: AshlarError },
  ): AshlarError {
    return new AshlarError(
      'unavailable',
      `Cannot reach the master at ${this.#address}: no answer within ${state.timeoutMs} ms ` +
        `(${state.attempt} attempts, the last: ${state.failure.message}). Check that the cluster is running`,
      { cause: state.failure, applied: state.mayBeApplied ? 'unknown' : 'no', details: { method: name } },
    )
  }
}

const noOptions: MasterCallOptions = {}

/** A connection that could not be made carried no request. */
function neverSent(error: unknown): never {
  throw withApplied(toAshlarError(error, 'connect to the master'), 'no')
}

function closedError(name: string, mayBeApplied: boolean): AshlarError {
  return new AshlarError('closed', `Cannot ${name}: the client was closed`, {
    applied: mayBeApplied ? 'unknown' : 'no',
  })
}

/** `error`, made `unknown` when an earlier attempt may have been applied. */
function inDoubt(error: AshlarError, mayBeApplied: boolean): AshlarError {
  return mayBeApplied ? withApplied(error, 'unknown') : error
}

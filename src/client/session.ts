/**
 * The client's session: begun at the first mutation, kept alive, ended at close. Request ids, allocations and locks hang on it.
 *
 * Invariants: a request id is never used for two requests, and no request is repeated under another session. The
 * acknowledged mark never passes a request that still waits for its answer.
 * When the session ends, what hung on it is lost at once; the next mutation begins a new one.
 * @module
 */
import { AshlarError, isAshlarError, toAshlarError } from '../base/errors.ts'
import type { ChunkId } from '../base/ids.ts'
import type { Env } from '../env/env.ts'
import { underLabel } from '../env/request-label.ts'
import { abortable } from '../env/waiting.ts'
import type { Method } from '../wire/method.ts'
import { endSession, keepSession, openSession } from '../wire/methods/session-methods.ts'
import { releaseAllocations } from '../wire/methods/write-methods.ts'
import type { Reply } from '../wire/peer.ts'
import type { RequestId } from '../wire/types/attributes.ts'
import type { Allocation } from '../wire/types/extent.ts'
import { beforeApplied } from './applied.ts'
import type { Background } from './background.ts'
import { fence, isRefusal, settleDoubt } from './doubt.ts'
import type { MasterCallOptions, MasterLink } from './master-link.ts'

/** One session, from its beginning to its end. */
export class OpenedSession {
  readonly id: number
  readonly lifeMs: number
  readonly #ended = new AbortController()
  readonly #unanswered = new Set<number>()
  #lastSequence = 0
  /** When the last answered sign of life was sent. */
  keptAtMs: number
  /** Gives an allocation back in the background, with the ids of it that were written in vain. */
  readonly giveBackBurned: (allocation: Allocation, burned: readonly ChunkId[]) => void

  constructor(id: number, options: Pick<OpenedSession, 'lifeMs' | 'keptAtMs' | 'giveBackBurned'>) {
    this.id = id
    this.lifeMs = options.lifeMs
    this.keptAtMs = options.keptAtMs
    this.giveBackBurned = options.giveBackBurned
  }

  /** Aborts when the session is known or feared to be over: locks are lost then. */
  get endedSignal(): AbortSignal {
    return this.#ended.signal
  }

  nextRequest(): RequestId {
    const sequence = ++this.#lastSequence
    this.#unanswered.add(sequence)
    return { session: this.id, sequence, acknowledged: this.acknowledged }
  }

  settle(request: RequestId): void {
    this.#unanswered.delete(request.sequence)
  }

  /** Every sequence up to this one was answered, or given up for good. Sets keep their order: the first is the lowest. */
  get acknowledged(): number {
    for (const lowest of this.#unanswered) return lowest - 1
    return this.#lastSequence
  }

  end(): void {
    this.#ended.abort(new AshlarError('session-ended', 'Cannot go on: the client session ended'))
  }
}

const endTimeoutMs = 2_000
const insistPauseMs = 500

export class Session {
  readonly #env: Env
  readonly #link: MasterLink
  readonly #background: Background
  readonly #onKept: (mapVersion: number) => void
  #current: OpenedSession | undefined
  #opening: Promise<OpenedSession> | undefined
  readonly #stop = new AbortController()

  /** @param options.onKept called with the cluster map's version after each sign of life */
  constructor(options: {
    readonly env: Env
    readonly link: MasterLink
    readonly background: Background
    readonly onKept: (mapVersion: number) => void
  }) {
    this.#env = options.env
    this.#link = options.link
    this.#background = options.background
    this.#onKept = options.onKept
  }

  /** The session there is, or a new one. */
  async opened(options: MasterCallOptions = {}): Promise<OpenedSession> {
    if (this.#current !== undefined) return this.#current
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined
    })
    return await beforeApplied(abortable(this.#opening, options.signal, 'begin a session'))
  }

  /**
   * Sends a mutation under a request id of its own, repeated with the same id until it is answered.
   * A refusal says `applied: 'no'` only when no earlier sending can be applied any more.
   * @throws {AshlarError} what the master answered; `session-ended` — `applied` says whether it may have happened before
   */
  async mutate<Request extends { readonly request: RequestId }, Response>(
    method: Method<Request, Response>,
    body: Omit<Request, 'request'>,
    options: MasterCallOptions = {},
  ): Promise<Reply<Response>> {
    const session = this.#current ?? (await this.opened(options))
    const request = session.nextRequest()
    try {
      return await this.#send(method, { ...body, request } as Request, options)
    } catch (error) {
      this.noticeEnd(session, error)
      throw error
    } finally {
      session.settle(request)
    }
  }

  /**
   * As {@link mutate}, of what must not stay behind when its answer is lost: a failure that leaves it in doubt is settled
   * in the background, and what turns out to have been applied is undone. Until then the request stays unacknowledged.
   */
  async mutateOrUndo<Request extends { readonly request: RequestId }, Response>(
    method: Method<Request, Response>,
    body: Omit<Request, 'request'>,
    { undo, ...options }: MasterCallOptions & { readonly undo: (applied: Response) => Promise<unknown> },
  ): Promise<Reply<Response>> {
    const session = this.#current ?? (await this.opened(options))
    const message = { ...body, request: session.nextRequest() } as Request
    let isInDoubt = false
    try {
      return await this.#send(method, message, options)
    } catch (error) {
      this.noticeEnd(session, error)
      isInDoubt = isAshlarError(error) && error.applied === 'unknown'
      throw error
    } finally {
      if (!isInDoubt) session.settle(message.request)
      else {
        const settling = this.insist(session, async () => {
          await fence(this.#link, message)
          const { value } = await this.#link.call(method, message)
          await undo(value)
        }).finally(() => session.settle(message.request))
        this.#background.run(`settle what became of ${method.name}`, settling)
      }
    }
  }

  /** Tries until `attempt` succeeds, is refused, or the session is over and with it whatever hangs on it. */
  async insist(session: OpenedSession, attempt: () => Promise<unknown>): Promise<void> {
    while (!session.endedSignal.aborted && !this.#link.isClosed) {
      try {
        await attempt()
        return
      } catch (error) {
        this.noticeEnd(session, error)
        if (isRefusal(error)) return
        this.#env.log.debug('it will be tried again', { code: toAshlarError(error).code })
      }
      await sleepInBackground(this.#env, insistPauseMs, session.endedSignal)
    }
  }

  /** As {@link mutate}, of a mutation that the master does in bounded steps: sent with the same id until it is done. */
  async mutateUntilDone<Request extends { readonly request: RequestId }, Response extends { readonly done: boolean }>(
    method: Method<Request, Response>,
    body: Omit<Request, 'request'>,
    options: MasterCallOptions = {},
  ): Promise<Response> {
    const session = this.#current ?? (await this.opened(options))
    const request = session.nextRequest()
    try {
      for (;;) {
        const { value } = await this.#send(method, { ...body, request } as Request, options)
        if (value.done) return value
      }
    } catch (error) {
      this.noticeEnd(session, error)
      throw error
    } finally {
      session.settle(request)
    }
  }

  /** Sends a mutation until it is answered; a refusal in doubt is settled before anybody acts on it. */
  async #send<Request extends { readonly request: RequestId }, Response>(
    method: Method<Request, Response>,
    message: Request,
    options: MasterCallOptions,
  ): Promise<Reply<Response>> {
    try {
      return await this.#link.call(method, message, { ...options, isMutation: true })
    } catch (error) {
      if (!isRefusal(error) || error.applied === 'no') throw error
      const services = { link: this.#link, log: this.#env.log }
      return await settleDoubt(services, { method, message, refusal: error }, options)
    }
  }

  /** Drops `session` when `error` says that it ended. */
  noticeEnd(session: OpenedSession, error: unknown): void {
    if (!isAshlarError(error, 'session-ended')) return
    session.end()
    if (this.#current === session) this.#current = undefined
  }

  /** Ends the session at the master: allocations are closed, locks released. Never rejects. */
  async close(): Promise<void> {
    this.#stop.abort()
    const session = this.#current
    this.#current = undefined
    if (session === undefined) return
    session.end()
    try {
      await this.#link.call(endSession, { session: session.id }, { timeoutMs: endTimeoutMs })
    } catch (error) {
      // The master ends it by itself when its life is over.
      this.#env.log.debug('the session was not ended', { code: toAshlarError(error).code })
    }
  }

  async #open(): Promise<OpenedSession> {
    const sentAtMs = this.#env.clock.monotonicMs()
    const { value } = await this.#link.call(openSession, {})
    const session: OpenedSession = new OpenedSession(value.session, {
      lifeMs: value.lifeMs,
      keptAtMs: sentAtMs,
      giveBackBurned: (allocation, burned) => {
        if (session.endedSignal.aborted) return
        const request = { session: session.id, allocations: [allocation], burned }
        this.#background.run('give burned chunk ids back', this.#link.call(releaseAllocations, request))
      },
    })
    this.#current = session
    // It outlives the operation that began it.
    this.#background.run(
      'keep the session alive',
      underLabel(undefined, () => this.#keep(session)),
    )
    return session
  }

  async #keep(session: OpenedSession): Promise<void> {
    const { clock } = this.#env
    const over = new AbortController()
    const stop = over.signal
    const signals = [this.#stop.signal, session.endedSignal]
    // Not by `AbortSignal.any`: Node holds on to what waits for such a signal until it aborts.
    for (const signal of signals) signal.addEventListener('abort', () => over.abort(), { once: true })
    if (signals.some((signal) => signal.aborted)) over.abort()
    const isOver = () => stop.aborted || this.#link.isClosed
    let pauseMs = session.lifeMs / 3
    while (!isOver()) {
      await sleepInBackground(this.#env, pauseMs, stop)
      if (isOver()) return
      const sentAtMs = clock.monotonicMs()
      // Once its life is over the master may count it out: whoever holds a lock under it must have stopped by then.
      const leftMs = session.keptAtMs + session.lifeMs - sentAtMs
      if (leftMs <= 0) return this.#abandon(session)
      try {
        const request = { session: session.id, acknowledged: session.acknowledged }
        const timeoutMs = Math.min(session.lifeMs / 3, leftMs)
        const { value } = await this.#link.call(keepSession, request, { timeoutMs, signal: stop })
        session.keptAtMs = sentAtMs
        pauseMs = value.lifeMs / 3
        this.#onKept(value.mapVersion)
      } catch (error) {
        if (isOver()) return
        this.noticeEnd(session, error)
        this.#env.log.debug('the session was not kept alive', { code: toAshlarError(error).code })
        pauseMs = Math.max(0, Math.min(pauseMs, 1_000, session.keptAtMs + session.lifeMs - clock.monotonicMs()))
      }
    }
  }

  #abandon(session: OpenedSession): void {
    session.end()
    if (this.#current === session) this.#current = undefined
  }
}

/** Resolves after the pause or at the abort, and keeps no process alive meanwhile. */
function sleepInBackground({ clock }: Env, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      timer.cancel()
      signal.removeEventListener('abort', finish)
      resolve()
    }
    const timer = clock.after(delayMs, finish, { background: true })
    signal.addEventListener('abort', finish, { once: true })
    if (signal.aborted) finish()
  })
}

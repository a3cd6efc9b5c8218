/**
 * Named locks. A lock hangs on the session: when that ends, or could not be kept alive in time, the lock's signal aborts,
 * before or when the master gives the lock to someone else.
 * A lock that was taken though its answer was lost, and one whose release was not answered, are given back in the
 * background: nothing stays locked until the session ends because of one lost answer.
 * @module
 */
import { AshlarError, isAshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Rising } from '../base/rising.ts'
import { lock, unlock } from '../wire/methods/session-methods.ts'
import type { ClientCore } from './client-core.ts'
import type { Lock } from './filesystem.ts'
import type { LockOptions } from './options.ts'
import type { OpenedSession } from './session.ts'

/** Waiting is done in steps, each a request of its own, so that no request outlives its answer by much. */
const longestStepMs = 10_000

export class Locks {
  readonly #core: ClientCore

  constructor(core: ClientCore) {
    this.#core = core
  }

  async lock(name: string, { waitMs = this.#core.timeoutMs, holder = '', signal }: LockOptions = {}): Promise<Lock> {
    if (name.length === 0 || !name.isWellFormed() || Buffer.byteLength(name) > limits.pathBytes) {
      throw new AshlarError('invalid-name', `Cannot lock: a lock's name is UTF-8 of 1 to ${limits.pathBytes} bytes`)
    }
    const { clock } = this.#core.env
    const deadlineMs = clock.monotonicMs() + waitMs
    for (;;) {
      const session = await this.#core.session.opened({ signal })
      const stepMs = Math.max(0, Math.min(longestStepMs, Math.floor(deadlineMs - clock.monotonicMs())))
      try {
        const timeoutMs = stepMs + this.#core.timeoutMs
        const undo = ({ fencingToken }: { readonly fencingToken: Rising }) => this.#unlock(name, fencingToken)
        const body = { name, waitMs: stepMs, holder }
        const { value } = await this.#core.session.mutateOrUndo(lock, body, { signal, timeoutMs, undo })
        return this.#held(name, value.fencingToken, session)
      } catch (error) {
        if (!isAshlarError(error, 'locked') || clock.monotonicMs() >= deadlineMs || stepMs === 0) throw error
      }
    }
  }

  async withLock<T>(name: string, work: (held: Lock) => Promise<T>, options: LockOptions = {}): Promise<T> {
    const held = await this.lock(name, options)
    let result: T
    try {
      result = await work(held)
    } catch (error) {
      await this.#releaseAfterFailure(held)
      throw error
    }
    if (await held.release()) return result
    throw new AshlarError(
      'session-ended',
      `Cannot confirm the work under lock ${name}: the lock was lost before it ended`,
      {
        applied: 'unknown',
      },
    )
  }

  async #releaseAfterFailure(held: Lock): Promise<void> {
    try {
      await held.release()
    } catch (error) {
      // The failure of the work is what the caller must see; the session's end releases the lock.
      this.#core.env.log.debug('a lock was not released', { error: String(error) })
    }
  }

  async #unlock(name: string, fencingToken: Rising): Promise<boolean> {
    const { value } = await this.#core.session.mutate(unlock, { name, fencingToken })
    return value.released
  }

  #held(name: string, fencingToken: Rising, session: OpenedSession): Lock {
    const { endedSignal: sessionEnded } = session
    const released = new AbortController()
    const lost = new AbortController()
    const onEnd = () => {
      lost.abort(new AshlarError('session-ended', `Cannot go on under lock ${name}: the lock was lost`))
    }
    if (sessionEnded.aborted) onEnd()
    else sessionEnded.addEventListener('abort', onEnd, { once: true, signal: released.signal })
    let releasing: Promise<boolean> | undefined
    const release = async (): Promise<boolean> => {
      released.abort()
      if (lost.signal.aborted) return false
      try {
        return await this.#unlock(name, fencingToken)
      } catch (error) {
        // Whoever waits for the lock must not wait for the end of this client's session.
        const insisting = this.#core.session.insist(session, () => this.#unlock(name, fencingToken))
        this.#core.background.run(`release lock ${name}`, insisting)
        throw error
      }
    }
    return {
      name,
      fencingToken,
      signal: lost.signal,
      release: () => {
        releasing ??= release()
        return releasing
      },
      async [Symbol.asyncDispose]() {
        await this.release()
      },
    }
  }
}

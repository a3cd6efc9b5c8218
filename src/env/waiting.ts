/**
 * Waiting, bounded: sleeps, deadlines, and a limit on what runs at once. Nothing in the project waits
 * without one of these or a signal.
 * @module
 */
import { assert } from '../base/assert.ts'
import { AshlarError } from '../base/errors.ts'
import type { Clock } from './clock.ts'

/**
 * Resolves after `delayMs`; rejects with `cancelled` (applied: no) as soon as one of `signals` aborts. Several are cheaper
 * here than one of `AbortSignal.any`, which Node holds on to until it aborts.
 */
export function sleep(clock: Clock, delayMs: number, ...signals: readonly (AbortSignal | undefined)[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const aborted = signals.find((signal) => signal?.aborted)
    if (aborted !== undefined) return reject(cancelled('wait', aborted))
    const forget = () => {
      for (const signal of signals) signal?.removeEventListener('abort', onAbort)
    }
    const timer = clock.after(delayMs, () => {
      forget()
      resolve()
    })
    const onAbort = (event: Event) => {
      timer.cancel()
      forget()
      reject(cancelled('wait', event.target as AbortSignal))
    }
    for (const signal of signals) signal?.addEventListener('abort', onAbort, { once: true })
  })
}

/**
 * Rejects with `timeout` when `work` has not settled after `timeoutMs`. The work itself goes on: whoever calls this
 * makes sure that a late result does no harm.
 * @param doing completes "Cannot …", for the message
 */
export async function withTimeout<T>(clock: Clock, timeoutMs: number, doing: string, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = clock.after(timeoutMs, () => {
    reject(new AshlarError('timeout', `Cannot ${doing}: no answer within ${timeoutMs} ms`))
  })
  try {
    return await Promise.race([work, promise])
  } finally {
    timer.cancel()
  }
}

/** For work that others wait for too: `work`, or `cancelled` as soon as `signal` aborts. The work goes on; a later rejection of `work` stays handled. */
export function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined, doing: string): Promise<T> {
  if (signal === undefined) return work
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(cancelled(doing, signal))
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
  })
}

/** `work`, which is awaited later, or dropped: until then nobody has to see it fail. */
export function awaitedLater<T>(work: Promise<T>): Promise<T> {
  work.catch(unseen)
  return work
}

/** One for all: what is read ahead asks for it with each piece. */
function unseen(): undefined {
  return undefined
}

export function cancelled(doing: string, signal: AbortSignal): AshlarError {
  return new AshlarError('cancelled', `Cannot ${doing}: the caller cancelled it`, {
    cause: signal.reason,
    applied: 'no',
  })
}

/** @throws {AshlarError} `cancelled` when `signal` has aborted. */
export function throwIfCancelled(signal: AbortSignal | undefined, doing: string): void {
  if (signal?.aborted) throw cancelled(doing, signal)
}

/**
 * Lets at most `slots` units of work (or units of anything: bytes) be out at once; the rest wait in order, at most
 * `maxWaiting` of them.
 */
export class Limiter {
  readonly #name: string
  readonly #maxWaiting: number
  readonly #slots: number
  #free: number
  readonly #waiting: { readonly units: number; readonly start: () => void }[] = []

  constructor(options: { readonly name: string; readonly slots: number; readonly maxWaiting: number }) {
    this.#name = options.name
    this.#slots = options.slots
    this.#free = options.slots
    this.#maxWaiting = options.maxWaiting
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** Waits for `units` slots; give each back by {@link release}. @throws {AshlarError} `busy` — too many wait; `cancelled` */
  acquire(units = 1, signal?: AbortSignal): Promise<void> {
    assert(units <= this.#slots, `${this.#name}: ${units} of ${this.#slots} slots asked for`)
    if (this.tryAcquire(units)) return Promise.resolve()
    if (this.#waiting.length >= this.#maxWaiting) {
      return Promise.reject(
        new AshlarError('busy', `Cannot start: ${this.#waiting.length} wait for ${this.#name} already`),
      )
    }
    if (signal?.aborted) return Promise.reject(cancelled(`wait for ${this.#name}`, signal))
    return new Promise((resolve, reject) => {
      const entry = {
        units,
        start: () => {
          signal?.removeEventListener('abort', onAbort)
          resolve()
        },
      }
      const onAbort = () => {
        this.#waiting.splice(this.#waiting.indexOf(entry), 1)
        this.#startWaiting()
        reject(cancelled(`wait for ${this.#name}`, signal as AbortSignal))
      }
      this.#waiting.push(entry)
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  /** Takes `units` slots if they are free and nobody waits. */
  tryAcquire(units = 1): boolean {
    if (this.#waiting.length > 0 || this.#free < units) return false
    this.#free -= units
    return true
  }

  release(units = 1): void {
    this.#free += units
    assert(this.#free <= this.#slots, `${this.#name}: released more than was acquired`)
    this.#startWaiting()
  }

  /** Runs `work` in one slot. */
  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.acquire(1, signal)
    try {
      return await work()
    } finally {
      this.release()
    }
  }

  #startWaiting(): void {
    for (let next = this.#waiting[0]; next !== undefined && next.units <= this.#free; next = this.#waiting[0]) {
      this.#waiting.shift()
      this.#free -= next.units
      next.start()
    }
  }
}

/**
 * A transaction between `transact` and its answer: waiting, running, or waiting for its batch to be durable.
 * @module
 */
import { cancelled } from '../env/waiting.ts'
import type { Transaction, TransactOptions } from './txn-kv.ts'

export type Outcome = { readonly value: unknown } | { readonly error: unknown }

export class PendingTransaction {
  readonly body: (tx: Transaction) => Promise<unknown>
  readonly freesRoom: boolean
  /** Settles once, with an outcome that no crash can take back. */
  readonly promise: Promise<unknown>
  /** Set when the body has run: what it settles with if its batch becomes durable. */
  outcome: Outcome | undefined
  wrote = false
  readonly #resolve: (value: unknown) => void
  readonly #reject: (error: unknown) => void
  readonly #signal: AbortSignal | undefined
  readonly #onAbort: (() => void) | undefined
  #settled = false

  constructor(body: (tx: Transaction) => Promise<unknown>, { signal, freesRoom = false }: TransactOptions) {
    this.body = body
    this.freesRoom = freesRoom
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    this.promise = promise
    this.#resolve = resolve
    this.#reject = reject
    this.#signal = signal
    // Most have none.
    if (signal === undefined) return
    this.#onAbort = () => this.#cancel(signal)
    signal.addEventListener('abort', this.#onAbort, { once: true })
  }

  get settled(): boolean {
    return this.#settled
  }

  settle(outcome: Outcome): void {
    if (this.#settled) return
    this.#settled = true
    if (this.#onAbort !== undefined) this.#signal?.removeEventListener('abort', this.#onAbort)
    if ('error' in outcome) this.#reject(outcome.error)
    else this.#resolve(outcome.value)
  }

  #cancel(signal: AbortSignal): void {
    // One that has run may be written already: it settles with its batch.
    if (this.outcome === undefined) this.settle({ error: cancelled('run a transaction', signal) })
  }
}

/**
 * What clients asked and were told, in the order in which it happened: the evidence that the oracles judge.
 *
 * Order is kept by counting, not by time: two things of one virtual moment still have an order, since one thread does all.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import type { Answer, Outcome, RefusalCode, Step } from './steps.ts'
import { isReading, refusalCodes } from './steps.ts'

export interface Call {
  readonly operation: number
  readonly client: number
  readonly step: Step
  readonly invokedMs: number
  /** Place in the order of all beginnings and ends. */
  readonly invokedAt: number
  /** Infinity until it is known. */
  readonly settledMs: number
  readonly settledAt: number
  readonly outcome: Outcome
  /** Only of an effect that a call had before the one that counts: the loss of metadata that took it back. */
  readonly undoneBy?: Call
}

/** A failure that no fault explains. */
export interface Surprise {
  readonly operation: number
  readonly atMs: number
  readonly error: unknown
}

/** Failures that faults explain. They say nothing about the files. */
const explained: ReadonlySet<string> = new Set([
  'unavailable',
  'timeout',
  'connection-lost',
  'busy',
  'no-space',
  'read-only',
  'stale-epoch',
  'allocation-closed',
  'receipts-rejected',
  'session-ended',
  'transaction-conflict',
  'commit-unknown',
  'token-expired',
  'chunk-missing',
  'disk-failed',
  'corrupt',
  'cancelled',
])

/** Thrown by a call that turns out to have asked nobody anything: it is noted as void. */
export class NoAnswer extends Error {}

type Listener = (what: 'begun' | 'answered', step: Step) => boolean

export class History {
  readonly calls: Call[] = []
  readonly surprises: Surprise[] = []
  #listeners: readonly Listener[] = []
  readonly #nowMs: () => number
  #order = 0

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** The place that comes next in the order of all beginnings and ends. */
  get moment(): number {
    return this.#order
  }

  /** @param hear called when a change begins, and when it is acknowledged, from now on until it returns true */
  listen(hear: Listener): void {
    this.#listeners = [...this.#listeners, hear]
  }

  #tell(what: 'begun' | 'answered', step: Step): void {
    if (this.#listeners.length > 0) this.#listeners = this.#listeners.filter((hear) => !hear(what, step))
  }

  /**
   * Makes one call and notes it. Never rejects: what it rejected with is in the outcome.
   * @param said from what the call resolves with to what is compared
   */
  async record<T>(
    { operation, client, step }: { readonly operation: number; readonly client: number; readonly step: Step },
    call: () => Promise<T>,
    said: (result: T) => Answer,
  ): Promise<{ readonly outcome: Outcome; readonly result?: T }> {
    const index = this.calls.length
    const begun: Call = {
      operation,
      client,
      step,
      invokedMs: this.#nowMs(),
      invokedAt: this.#order++,
      settledMs: Number.POSITIVE_INFINITY,
      settledAt: Number.POSITIVE_INFINITY,
      outcome: { kind: 'unknown', code: 'pending' },
    }
    this.calls.push(begun)
    this.#tell('begun', step)
    let outcome: Outcome
    let result: T | undefined
    try {
      result = await call()
      outcome = { kind: 'ok', answer: said(result) }
    } catch (error) {
      outcome = this.#judged(operation, error)
    }
    const settled = { ...begun, settledMs: this.#nowMs(), settledAt: this.#order++, outcome }
    this.calls[index] = settled
    if (outcome.kind === 'ok' && !isReading(step)) this.#tell('answered', step)
    return result === undefined ? { outcome } : { outcome, result }
  }

  /**
   * The metadata were lost with their disk: what was acknowledged after `sinceMs` may be undone.
   * @returns to be called when they are there again
   */
  noteLoss(sinceMs: number): () => void {
    const index = this.calls.length
    const begun: Call = {
      ...{ operation: -1, client: -1, step: { kind: 'rollback', sinceMs }, outcome: { kind: 'ok', answer: {} } },
      ...{ invokedMs: this.#nowMs(), invokedAt: this.#order++ },
      ...{ settledMs: Number.POSITIVE_INFINITY, settledAt: Number.POSITIVE_INFINITY },
    }
    this.calls.push(begun)
    return () => {
      this.calls[index] = { ...begun, settledMs: this.#nowMs(), settledAt: this.#order++ }
    }
  }

  #judged(operation: number, error: unknown): Outcome {
    if (error instanceof NoAnswer) return { kind: 'void', code: 'no-answer' }
    if (!(error instanceof AshlarError)) {
      this.surprises.push({ operation, atMs: this.#nowMs(), error })
      return { kind: 'unknown', code: 'internal' }
    }
    const { code, applied } = error
    const isRefusal = (refusalCodes as readonly string[]).includes(code)
    // A client whose machine died is closed under its calls.
    if (!isRefusal && !explained.has(code) && code !== 'closed') {
      this.surprises.push({ operation, atMs: this.#nowMs(), error })
    }
    if (applied === 'unknown') return { kind: 'unknown', code }
    return isRefusal ? { kind: 'refused', code: code as RefusalCode, words: error.message } : { kind: 'void', code }
  }
}

/**
 * The one error class. Callers react to `code`, `retry` and `applied`, never to the message.
 *
 * Messages read "Cannot *verb* *object*: *state*", then what to do. They never hold a secret.
 * @module
 */
import { type Applied, type ErrorCode, errorTable, type Retry } from './error-table.ts'

export interface ErrorOptions {
  readonly cause?: unknown
  /** Where this instance knows better than the table. */
  readonly retry?: Retry
  readonly applied?: Applied
  /** JSON-safe facts for machines: reasons per server, versions, sizes. */
  readonly details?: Readonly<Record<string, unknown>>
}

/** Every failure that a caller can meet. */
export class AshlarError extends Error {
  override readonly name = 'AshlarError'
  readonly code: ErrorCode
  /** Whether doing the same again can help. */
  readonly retry: Retry
  /** `no` is a guarantee that nothing changed. */
  readonly applied: Applied
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retry = options.retry ?? errorTable[code].retry
    this.applied = options.applied ?? errorTable[code].applied
    this.details = options.details ?? {}
  }
}

/** Whether `error` is an {@link AshlarError} with one of `codes` (any code, when none is given). */
export function isAshlarError(error: unknown, ...codes: readonly ErrorCode[]): error is AshlarError {
  return error instanceof AshlarError && (codes.length === 0 || codes.includes(error.code))
}

/**
 * Any thrown value as an {@link AshlarError}. An unknown one is `internal`, with the original as `cause`.
 */
export function toAshlarError(error: unknown, doing = 'complete the operation'): AshlarError {
  if (error instanceof AshlarError) return error
  const text = error instanceof Error ? error.message : String(error)
  return new AshlarError('internal', `Cannot ${doing}: ${text}`, { cause: error })
}

/**
 * What a failure says of the caller's operation, where the client knows better than the call that failed: a lost answer
 * to `openSession` leaves that one request in doubt, and the write that needed the session certainly not applied.
 * @module
 */
import type { Applied } from '../base/error-table.ts'
import { AshlarError } from '../base/errors.ts'

/** The same error with another `applied`; the original is its cause. */
export function withApplied(error: AshlarError, applied: Applied): AshlarError {
  if (applied === error.applied) return error
  const { retry, details } = error
  return new AshlarError(error.code, error.message, { cause: error, retry, applied, details })
}

/** For steps that come before anything can become visible. */
export async function beforeApplied<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw error instanceof AshlarError ? withApplied(error, 'no') : error
  }
}

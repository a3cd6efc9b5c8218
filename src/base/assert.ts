/**
 * Assertions for programmer errors. They stay on in production: a broken invariant must stop the operation
 * before it can damage data.
 * @module
 */

/** Thrown when an invariant is broken. Never caught to be handled: it is a bug. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError'
}

/** @throws {AssertionError} when `condition` is false. */
export function assert(condition: unknown, message = 'an invariant does not hold'): asserts condition {
  if (!condition) throw new AssertionError(message)
}

/** Marks a branch that the type system proves impossible. */
export function unreachable(value: never): never {
  throw new AssertionError(`unexpected value ${String(value)}`)
}

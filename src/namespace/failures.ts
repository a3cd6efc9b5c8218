/** The refusals that more than one operation makes, worded once. @module */
import { AshlarError } from '../base/errors.ts'
import { counterOf, type Rising } from '../base/rising.ts'

export function notFound(path: string): AshlarError {
  return new AshlarError('not-found', `Cannot find "${path}": no file or directory has this path`)
}

export function alreadyExists(path: string): AshlarError {
  return new AshlarError('already-exists', `Cannot make "${path}": something has this path already`)
}

export function isDirectory(path: string): AshlarError {
  return new AshlarError('is-a-directory', `Cannot use "${path}" as a file: it is a directory`)
}

export function notDirectory(path: string): AshlarError {
  return new AshlarError('not-a-directory', `Cannot use "${path}" as a directory: it is a file`)
}

export function notEmpty(path: string): AshlarError {
  return new AshlarError('not-empty', `Cannot remove directory "${path}": it has entries; ask for a recursive removal`)
}

/** A lost race: says which version was expected and which was found. */
export function changed(path: string, expected: Rising, found: Rising | undefined): AshlarError {
  const now = found === undefined ? 'now gone' : `now ${counterOf(found)}`
  return new AshlarError(
    'changed',
    `Cannot change "${path}": changed since version ${counterOf(expected)} (${now}): read it again and retry`,
    { details: { expectedVersion: expected, ...(found === undefined ? {} : { version: found }) } },
  )
}

/** The length is not the one that the writer saw. */
export function lengthChanged(path: string, expected: number, found: number): AshlarError {
  return new AshlarError(
    'changed',
    `Cannot append to "${path}": it has ${found} bytes, not ${expected}: read it again and retry`,
    { details: { expectedLength: expected, length: found } },
  )
}

export function sessionEnded(session: number): AshlarError {
  return new AshlarError('session-ended', `Cannot use session ${session}: it ended; open a new one`)
}

/**
 * The only border where an errno becomes an {@link AshlarError}. Nothing outside `env` looks at errno.
 * Every error keeps the original as `cause` and the errno's name in `details.errno`; one that is an AshlarError
 * already passes unchanged.
 * @module
 */
import type { Applied, ErrorCode } from '../base/error-table.ts'
import { AshlarError, isAshlarError } from '../base/errors.ts'

interface ErrnoRow {
  readonly code: ErrorCode
  /** Completes "Cannot …: ", and says what to do where that is known. */
  readonly state: string
}

const diskRows: Readonly<Record<string, ErrnoRow>> = {
  ENOENT: { code: 'not-found', state: 'it does not exist' },
  EEXIST: { code: 'already-exists', state: 'it exists already' },
  EISDIR: { code: 'is-a-directory', state: 'it is a directory' },
  ENOTDIR: { code: 'not-a-directory', state: 'a part of the path is not a directory' },
  ENOTEMPTY: { code: 'not-empty', state: 'the directory is not empty' },
  ENOSPC: { code: 'no-space', state: 'the disk is full. Free some space' },
  EDQUOT: { code: 'no-space', state: 'the disk quota is used up. Raise it or free some space' },
  EROFS: { code: 'read-only', state: 'the file system is mounted read-only' },
  EACCES: { code: 'read-only', state: 'permission denied. Check who owns the folder' },
  EPERM: { code: 'read-only', state: 'permission denied. Check who owns the folder' },
  EMFILE: { code: 'busy', state: 'this process has too many files open. Raise its limit (ulimit -n)' },
  ENFILE: { code: 'busy', state: 'this machine has too many files open' },
  ELOOP: { code: 'bad-store', state: 'it is a symbolic link. Put a real file or folder there' },
  ENAMETOOLONG: { code: 'invalid-argument', state: 'the path is too long' },
}

const networkRows: Readonly<Record<string, ErrnoRow>> = {
  EADDRINUSE: { code: 'in-use', state: 'another process listens there. Stop it, or choose another port' },
  EADDRNOTAVAIL: { code: 'invalid-argument', state: 'this machine does not have the address' },
  EACCES: { code: 'invalid-argument', state: 'permission denied. Choose a port from 1024 on' },
  ENOTFOUND: { code: 'invalid-argument', state: 'the host name is not known' },
  EMFILE: { code: 'busy', state: 'this process has too many files and connections open. Raise its limit (ulimit -n)' },
  ENFILE: { code: 'busy', state: 'this machine has too many files and connections open' },
}

/** The errno's name, as in `ENOENT`. */
export function errnoOf(error: unknown): string | undefined {
  const { code } = error as { readonly code?: unknown }
  return typeof code === 'string' ? code : undefined
}

/**
 * A failure of the file system. What has no row of its own is `disk-failed`.
 * @param doing a verb, as in `write`; it completes "Cannot … *path*"
 */
export function diskError(
  error: unknown,
  { doing, path, applied }: { readonly doing: string; readonly path: string; readonly applied?: Applied },
): AshlarError {
  if (error instanceof AshlarError) return error
  const errno = errnoOf(error)
  const { code, state } = diskRows[errno ?? ''] ?? { code: 'disk-failed', state: `the disk failed (${textOf(error)})` }
  return new AshlarError(code, `Cannot ${doing} ${path}: ${state}`, {
    cause: error,
    details: { errno, path },
    ...(applied && { applied }),
  })
}

/**
 * What a failed sync of a folder means to whoever has just changed a name in it: the folder was there a moment ago, so that
 * "not found" is a failure of the disk, and would be read as an answer about the name.
 */
export function nameNotSynced(error: unknown, path: string): unknown {
  if (!isAshlarError(error, 'not-found', 'not-a-directory')) return error
  return new AshlarError('disk-failed', `Cannot sync folder ${path}: it vanished, and its newest names with it`, {
    cause: error,
    applied: 'unknown',
    details: error.details,
  })
}

/** A failure to listen. What has no row of its own is `internal`. */
export function listenError(error: unknown, address: string): AshlarError {
  if (error instanceof AshlarError) return error
  const errno = errnoOf(error)
  const { code, state } = networkRows[errno ?? ''] ?? { code: 'internal', state: textOf(error) }
  return new AshlarError(code, `Cannot listen on ${address}: ${state}`, { cause: error, details: { errno, address } })
}

/** A failure to connect: nothing was sent. All of them are `unavailable`, but for a want of file descriptors. */
export function connectError(error: unknown, address: string): AshlarError {
  if (error instanceof AshlarError) return error
  const errno = errnoOf(error)
  const code = errno === 'EMFILE' || errno === 'ENFILE' ? 'busy' : 'unavailable'
  const state = errno === 'ECONNREFUSED' ? 'nothing listens there' : textOf(error)
  return new AshlarError(code, `Cannot connect to ${address}: ${state}`, { cause: error, details: { errno, address } })
}

/** A peer that did not take the connection in time: nothing was sent. */
export function noAnswer(address: string, timeoutMs: number): AshlarError {
  return new AshlarError('timeout', `Cannot connect to ${address}: no answer within ${timeoutMs} ms`, {
    applied: 'no',
    retry: 'later',
  })
}

/** A connection that broke after it was made: what was under way may have been applied. */
export function connectionError(error: unknown, address: string): AshlarError {
  if (error instanceof AshlarError) return error
  return new AshlarError('connection-lost', `Cannot talk to ${address}: the connection broke (${textOf(error)})`, {
    cause: error,
    details: { errno: errnoOf(error), address },
  })
}

function textOf(error: unknown): string {
  return errnoOf(error) ?? (error instanceof Error ? error.message : String(error))
}

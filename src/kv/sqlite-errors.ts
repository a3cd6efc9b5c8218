/**
 * SQLite's result codes, read at this one border.
 * @see https://www.sqlite.org/rescode.html
 * @module
 */
import { AshlarError } from '../base/errors.ts'

/**
 * What a result code means for the engine. `full`: no room, and nothing was written. `io`: the disk failed. `corrupt`: the
 * file is not a sound database. `held`: another connection holds it. `refused`: it cannot be opened or written at all.
 */
export type SqliteFailure = 'full' | 'io' | 'corrupt' | 'held' | 'refused' | 'other'

const failureOfCode: Readonly<Record<number, SqliteFailure>> = {
  5: 'held', // BUSY
  6: 'held', // LOCKED
  8: 'refused', // READONLY
  10: 'io', // IOERR
  11: 'corrupt', // CORRUPT
  13: 'full', // FULL
  14: 'refused', // CANTOPEN
  26: 'corrupt', // NOTADB
}

/** The low byte of an extended result code is the primary one. */
export function sqliteFailureOf(error: unknown): SqliteFailure {
  if (!(error instanceof Error)) return 'other'
  // A checksum column that no longer fits a number: the row is damaged.
  if ('code' in error && error.code === 'ERR_OUT_OF_RANGE') return 'corrupt'
  const code = 'errcode' in error ? Number(error.errcode) : 0
  return failureOfCode[code & 0xff] ?? 'other'
}

/** Any error of a read or an open, as callers of the engine see it. @param doing completes "Cannot …" */
export function translateSqlite(error: unknown, doing: string): AshlarError {
  if (error instanceof AshlarError) return error
  const text = error instanceof Error ? error.message : String(error)
  switch (sqliteFailureOf(error)) {
    case 'corrupt':
      return new AshlarError('metadata-corrupt', `Cannot ${doing}: ${text}; restore it from a copy`, { cause: error })
    case 'io':
      return new AshlarError('disk-failed', `Cannot ${doing}: ${text}`, { cause: error })
    case 'held':
      return new AshlarError('in-use', `Cannot ${doing}: another process holds it`, { cause: error })
    case 'full':
      return new AshlarError('read-only', `Cannot ${doing}: the disk is full`, { cause: error })
    case 'refused':
      return new AshlarError('bad-store', `Cannot ${doing}: ${text}`, { cause: error })
    case 'other':
      return new AshlarError('internal', `Cannot ${doing}: ${text}`, { cause: error, applied: 'no' })
  }
}

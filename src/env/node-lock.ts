/**
 * The lock of a folder: SQLite's exclusive lock on an empty database. The operating system gives it back when the
 * process ends, however that ends, and SQLite refuses a second holder within one process too.
 *
 * - Nothing but SQLite opens the lock file while it is held: POSIX drops a process's locks on a file as soon as it
 *   closes any descriptor of it. So the holder's text stands in a file beside it, `<path>.holder`.
 * - The text is only for the message. It may be that of the former holder for a moment after a crash.
 * - The lock file is never removed: one who waits for a removed file would hold a lock that nobody else sees.
 * @module
 */
import { constants, open, readFile, rm, writeFile } from 'node:fs/promises'
import type { DatabaseSync } from 'node:sqlite'
import { AshlarError } from '../base/errors.ts'
import type { DiskLock } from './disk.ts'
import { diskError, errnoOf } from './errno.ts'

const sqliteBusy = 5
const sqliteLocked = 6

export async function lockNodeFile(path: string, holder: string): Promise<DiskLock> {
  const holderPath = `${path}.holder`
  try {
    await makePrivate(path)
    const database = holdExclusively(path)
    if (database === undefined) throw inUse(path, await readHolder(holderPath))
    try {
      await writeFile(holderPath, holder, { mode: 0o600 })
    } catch (error) {
      // A full disk still lets the holder work; the text is only for the message.
      if (errnoOf(error) !== 'ENOSPC') {
        database.close()
        throw error
      }
    }
    return lockOf(database, holderPath)
  } catch (error) {
    throw diskError(error, { doing: 'lock', path })
  }
}

/** Makes the file with mode 0600. Only where there is none: see the header on closing a descriptor of it. */
async function makePrivate(path: string): Promise<void> {
  try {
    const file = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600)
    await file.close()
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error
  }
}

/** @returns undefined when someone else holds it */
function holdExclusively(path: string): DatabaseSync | undefined {
  let database: DatabaseSync | undefined
  try {
    database = new (nodeSqlite().DatabaseSync)(path, { timeout: 0 })
    // Nothing is written, so that a full disk can be locked too: without a journal in memory, SQLite makes a file for
    // it at once. The transaction stays open for as long as the lock is held.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
    return database
  } catch (error) {
    if (database?.isOpen) database.close()
    const { errcode } = error as { readonly errcode?: number }
    if (errcode === sqliteBusy || errcode === sqliteLocked) return undefined
    throw error
  }
}

/** Not imported: a command of the CLI, which locks nothing, would pay 8 ms of CPU for it. */
function nodeSqlite(): typeof import('node:sqlite') {
  return process.getBuiltinModule('node:sqlite')
}

function lockOf(database: DatabaseSync, holderPath: string): DiskLock {
  let releasing: Promise<void> | undefined
  const release = async () => {
    // First the text, while the lock still makes it ours.
    await rm(holderPath, { force: true })
    database.close()
  }
  return {
    release: () => {
      releasing ??= release()
      return releasing
    },
  }
}

async function readHolder(holderPath: string): Promise<string> {
  try {
    return (await readFile(holderPath, 'utf8')).slice(0, 200)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 'another process'
    throw error
  }
}

function inUse(path: string, holder: string): AshlarError {
  return new AshlarError('in-use', `Cannot lock ${path}: ${holder} holds it. Stop it first, or choose another folder`, {
    details: { path, holder },
  })
}

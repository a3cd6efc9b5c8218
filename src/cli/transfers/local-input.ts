/** Where the bytes of `put` and `append` come from: a local file, or stdin. @module */
import type { Stats } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { AshlarError, isAshlarError } from '../../base/errors.ts'
import type { Host } from '../host.ts'

/** @throws {AshlarError} `not-found`, `forbidden` — and which path it is */
export async function localInfo(path: string): Promise<Stats> {
  try {
    return await stat(path)
  } catch (cause) {
    throw localFailure(path, cause)
  }
}

export async function localExists(path: string): Promise<boolean> {
  try {
    await localInfo(path)
    return true
  } catch (error) {
    if (isAshlarError(error, 'not-found')) return false
    throw error
  }
}

/** @throws {AshlarError} `not-found`, `forbidden`, `is-a-directory` */
export async function openLocalFile(path: string): Promise<Readable> {
  if ((await localInfo(path)).isDirectory()) {
    throw new AshlarError('is-a-directory', `Cannot read ${path}: it is a folder`)
  }
  try {
    return (await open(path)).createReadStream()
  } catch (cause) {
    throw localFailure(path, cause)
  }
}

/** @throws {AshlarError} `not-supported` — in the shell, which reads its commands there */
export function stdinOf({ stdin, stop }: Host): Readable {
  if (stdin !== undefined) {
    // Whoever writes to it may keep silent for ever: Ctrl-C must not wait for them.
    stop.addEventListener('abort', () => stdin.destroy(interrupted()), { once: true })
    return stdin
  }
  throw new AshlarError('not-supported', 'Cannot read stdin in the shell: commands come from there. Name a local file')
}

function interrupted(): AshlarError {
  return new AshlarError('cancelled', 'Cannot store stdin: it was interrupted. Nothing of it is visible', {
    applied: 'no',
  })
}

function localFailure(path: string, cause: unknown): AshlarError {
  const { code, message } = cause as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new AshlarError('not-found', `Cannot read ${path}: there is no such local file`, { cause, applied: 'no' })
  }
  return new AshlarError('forbidden', `Cannot read ${path}: ${message}`, { cause, applied: 'no' })
}

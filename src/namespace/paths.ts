/**
 * Paths as the file doors take them: absolute, `/` between names, kept byte for byte. The store itself holds opaque
 * names; here those are refused that a file system cannot show: empty, `.`, `..`, and any with NUL.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'

export interface Path {
  /** Without a `/` at the end. `/` is the root. */
  readonly text: string
  readonly names: readonly string[]
  /** It was written with a `/` at its end (or is the root): only a directory will do. */
  readonly directoryOnly: boolean
}

/** @throws {AshlarError} `invalid-name` */
export function parsePath(text: string): Path {
  if (!text.startsWith('/')) throw invalid(text, 'it does not begin with "/"')
  if (Buffer.byteLength(text) > limits.pathBytes) throw invalid(text, `it has more than ${limits.pathBytes} bytes`)
  if (!text.isWellFormed()) throw invalid(text, 'it is not valid Unicode')
  if (text === '/') return { text, names: [], directoryOnly: true }
  const directoryOnly = text.endsWith('/')
  const bare = directoryOnly ? text.slice(0, -1) : text
  const names = bare.slice(1).split('/')
  for (const name of names) checkName(name, text)
  return { text: bare, names, directoryOnly }
}

/** The path of something that can be made, moved or removed. @throws {AshlarError} `invalid-name`, `invalid-argument` — the root */
export function parseEntryPath(text: string, verb: string): Path {
  const path = parsePath(text)
  if (path.names.length === 0) throw new AshlarError('invalid-argument', `Cannot ${verb} "/": it is the root directory`)
  return path
}

/** The path of a file to be made. @throws {AshlarError} `invalid-name`, `is-a-directory` */
export function parseFilePath(text: string): Path {
  const path = parsePath(text)
  if (path.directoryOnly)
    throw new AshlarError('is-a-directory', `Cannot write "${text}": a file's path has no "/" at its end`)
  return path
}

function checkName(name: string, path: string): void {
  if (name === '') throw invalid(path, 'a name in it is empty')
  if (name === '.' || name === '..') throw invalid(path, `"${name}" cannot be a name`)
  if (name.includes('\0')) throw invalid(path, 'a name in it holds NUL')
  if (Buffer.byteLength(name) > limits.nameBytes)
    throw invalid(path, `a name in it has more than ${limits.nameBytes} bytes`)
}

function invalid(path: string, why: string): AshlarError {
  const shown = path.length > 80 ? `${path.slice(0, 80)}…` : path
  return new AshlarError('invalid-name', `Cannot use path ${JSON.stringify(shown)}: ${why}`)
}

/**
 * Paths, in the two views of the one tree. As the file doors take them: absolute, `/` between names, kept byte for byte;
 * names that a file system cannot show are refused (empty, `.`, `..`, and any with NUL). As the object doors take them
 * (`s3://BUCKET/KEY`): every name, exactly as the key has it.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { isObjectPath, objectNames } from '../base/object-path.ts'

export interface Path {
  /** Absolute, in either view; only an object's can end with `/`. `/` is the root. */
  readonly text: string
  readonly names: readonly string[]
  /** It was written with a `/` at its end (or is the root): only a directory will do. */
  readonly directoryOnly: boolean
  /** It names an object: only a file will do, whatever else has the name, and directories on the way come and go with it. */
  readonly isObject: boolean
}

/** In either view. @throws {AshlarError} `invalid-name` */
export function parsePath(text: string): Path {
  if (!isObjectPath(text)) return parsePlainPath(text)
  const names = objectNames(text)
  return { text: `/${names.join('/')}`, names, directoryOnly: false, isObject: true }
}

/** In the view of files only. @throws {AshlarError} `invalid-name` */
export function parsePlainPath(text: string): Path {
  if (!text.startsWith('/')) throw invalid(text, 'it does not begin with "/"')
  if (Buffer.byteLength(text) > limits.pathBytes) throw invalid(text, `it has more than ${limits.pathBytes} bytes`)
  if (!text.isWellFormed()) throw invalid(text, 'it is not valid Unicode')
  if (text === '/') return { text, names: [], directoryOnly: true, isObject: false }
  const directoryOnly = text.endsWith('/')
  const bare = directoryOnly ? text.slice(0, -1) : text
  const names = bare.slice(1).split('/')
  for (const name of names) checkName(name, text)
  return { text: bare, names, directoryOnly, isObject: false }
}

/** The path of something that can be made, moved or removed. @throws {AshlarError} `invalid-name`, `invalid-argument` — the root */
export function parseEntryPath(text: string, verb: string): Path {
  const path = parsePath(text)
  if (path.names.length === 0) throw new AshlarError('invalid-argument', `Cannot ${verb} "/": it is the root directory`)
  return path
}

/** The path of a file to be made. @throws {AshlarError} `invalid-name`, `is-a-directory` */
export function parseFilePath(text: string): Path {
  return checkFile(parsePath(text), text)
}

/** As {@link parseFilePath}, in the view of files only. */
export function parsePlainFilePath(text: string): Path {
  return checkFile(parsePlainPath(text), text)
}

function checkFile(path: Path, text: string): Path {
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

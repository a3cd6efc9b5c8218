/**
 * Paths, checked at the door: what passes here can be stored, and is stored byte for byte as it came.
 * Nothing is normalised: two different texts are two different paths. An object's (`s3://BUCKET/KEY`) can hold names that
 * no file door makes; where such a name has to be shown as a file's, it is shown escaped.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { isObjectPath, objectNames } from '../base/object-path.ts'

/**
 * @returns `path` itself
 * @throws {AshlarError} `invalid-name` — relative, too long, not well-formed, or with a name that no file can have
 */
export function checkPath(path: string): string {
  if (typeof path !== 'string') throw refused(String(path), 'it is not text')
  if (isObjectPath(path)) {
    objectNames(path)
    return path
  }
  if (path.charCodeAt(0) !== slash) throw refused(path, 'it is not absolute: begin it with "/"')
  if (!path.isWellFormed()) throw refused(path, 'it holds half of a surrogate pair, which is not UTF-8')
  // A UTF-16 unit is at most three bytes: short paths need no count.
  if (path.length * 3 > limits.pathBytes && Buffer.byteLength(path) > limits.pathBytes) {
    throw refused(path, `it has ${Buffer.byteLength(path)} bytes, where ${limits.pathBytes} is the limit`)
  }
  if (path.length === 1) return path
  if (path.includes('\0')) throw refused(path, 'it holds a NUL character')
  for (let start = 1; start <= path.length; ) {
    const end = path.indexOf('/', start)
    const nameEnd = end === -1 ? path.length : end
    checkNameAt(path, start, nameEnd)
    start = nameEnd + 1
  }
  return path
}

/** One name of a path. @throws {AshlarError} `invalid-name` */
export function checkName(name: string): string {
  if (name.includes('/')) throw refused(name, 'a name holds no "/"')
  checkPath(`/${name}`)
  return name
}

/** How a name reads at a file door: only those that no file can have are escaped, and reached by an object's path alone. */
export function shownName(name: string): string {
  if (name === '') return '%'
  if (name === '.' || name === '..') return name.replaceAll('.', '%2E')
  return name.includes('\0') ? name.replaceAll('\0', '%00') : name
}

/** The directory that holds `path`; of the root, the root. */
export function parentOf(path: string): string {
  const end = path.lastIndexOf('/')
  return end <= 0 ? '/' : path.slice(0, end)
}

export function joinPath(directory: string, name: string): string {
  return directory === '/' ? `/${name}` : `${directory}/${name}`
}

const slash = 0x2f
const dot = 0x2e

function checkNameAt(path: string, start: number, end: number): void {
  const length = end - start
  if (length === 0) throw refused(path, 'it has an empty name: write one "/" between names, and none at the end')
  if (length <= 2 && path.charCodeAt(start) === dot && path.charCodeAt(end - 1) === dot) {
    throw refused(path, `it has the name "${path.slice(start, end)}": paths are absolute, without "." and ".."`)
  }
  if (length * 3 > limits.nameBytes) {
    const name = path.slice(start, end)
    const bytes = Buffer.byteLength(name)
    if (bytes > limits.nameBytes) {
      throw refused(path, `the name "${shown(name)}" has ${bytes} bytes, where ${limits.nameBytes} is the limit`)
    }
  }
}

function shown(text: string): string {
  const short = text.length > 80 ? `${text.slice(0, 80)}…` : text
  return short.toWellFormed().replaceAll('\0', '\\0')
}

function refused(path: string, state: string): AshlarError {
  return new AshlarError('invalid-name', `Cannot use path "${shown(path)}": ${state}`)
}

/** From the path of a URL to a path of the store: decoded once, never normalised. @module */
import { AshlarError } from '../../base/errors.ts'

/**
 * @param encoded what follows `/files`, percent-encoded UTF-8; a `/` at the end is dropped
 * @throws {AshlarError} `invalid-name` — an encoding that is none, or an encoded `/`
 */
export function filePath(encoded: string): string {
  if (/%2f/i.test(encoded)) {
    throw new AshlarError('invalid-name', 'Cannot use the path: a name cannot hold a "/", also not as %2F')
  }
  let decoded: string
  try {
    decoded = decodeURIComponent(encoded)
  } catch (cause) {
    throw new AshlarError('invalid-name', 'Cannot use the path: it is not percent-encoded UTF-8', { cause })
  }
  const path = decoded.length > 1 && decoded.endsWith('/') ? decoded.slice(0, -1) : decoded
  return path === '' ? '/' : path
}

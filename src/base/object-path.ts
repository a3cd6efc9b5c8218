/**
 * Object paths: `s3://BUCKET/KEY`, the other way to name a file. The key is what follows, byte for byte: it is split at `/`
 * and nothing else about it counts, so `a//b`, `../x` and a `/` at its end are names like any other. A file door takes
 * paths that begin with `/` and never makes one of these out of them.
 * @module
 */
import { AshlarError } from './errors.ts'
import { limits } from './limits.ts'

const scheme = 's3://'

export function isObjectPath(text: string): boolean {
  return text.startsWith(scheme)
}

/** Nothing is checked here: whoever takes the path does. */
export function objectPath(bucket: string, key: string): string {
  return `${scheme}${bucket}/${key}`
}

/**
 * The bucket, then the key's parts: at least one, the last of which is the file's name in its directory (empty for `a/`).
 * @param text one for which {@link isObjectPath} holds
 * @throws {AshlarError} `invalid-name` — no bucket, no key, or a key past `limits.nameBytes`
 */
export function objectNames(text: string): string[] {
  const slash = text.indexOf('/', scheme.length)
  const bucket = text.slice(scheme.length, slash === -1 ? text.length : slash)
  const key = slash === -1 ? '' : text.slice(slash + 1)
  if (['', '.', '..'].includes(bucket) || bucket.includes('\0')) throw refused(text, 'its bucket has no name')
  if (Buffer.byteLength(bucket) > limits.nameBytes) throw refused(text, 'its bucket has too long a name')
  if (key === '') throw refused(text, 'it has no key')
  if (!text.isWellFormed()) throw refused(text, 'it is not valid Unicode')
  const sizeBytes = Buffer.byteLength(key)
  if (sizeBytes > limits.nameBytes)
    throw refused(text, `its key has ${sizeBytes} bytes, where ${limits.nameBytes} is the limit`)
  return [bucket, ...key.split('/')]
}

function refused(text: string, state: string): AshlarError {
  const shown = JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)
  return new AshlarError('invalid-name', `Cannot use object path ${shown}: ${state}`)
}

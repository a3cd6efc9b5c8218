/**
 * From bucket and key to a path of the tree, exactly or not at all.
 *
 * A key is the path below the bucket, byte for byte. Until the tree takes any name, keys with an empty name (`a//b`, `/a`, `a/`),
 * with `.` or `..` for a name, or with NUL are refused with a message that says so; a key is never altered to fit. So is a key that is
 * at once a file and a directory (`a` beside `a/b`): there the store's answer says so.
 * @module
 */
import { S3Error } from '../rules/s3-error.ts'

/** What the door keeps for itself; no bucket can have such a name. */
export const systemFolder = '/.s3'

export function bucketPath(bucket: string): string {
  return `/${bucket}`
}

/** @throws {S3Error} `InvalidArgument`: a key that the tree cannot hold */
export function objectPath(bucket: string, key: string): string {
  const why = reasonAgainst(key)
  if (why === undefined) return `/${bucket}/${key}`
  throw new S3Error('InvalidArgument', `This key cannot be stored: ${why}.`, { details: { ArgumentName: 'key' } })
}

/** Whether the tree could hold an object of this key: one that it cannot hold is not there. */
export function isStorableKey(key: string): boolean {
  return reasonAgainst(key) === undefined
}

function reasonAgainst(key: string): string | undefined {
  if (key.includes('\0')) return 'it holds the character NUL'
  for (const name of key.split('/')) {
    if (name === '') return 'a name between its slashes is empty'
    if (name === '.' || name === '..') return `"${name}" stands between its slashes`
  }
  return undefined
}

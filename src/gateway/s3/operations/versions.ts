/** Versions of objects, as far as a bucket without versioning has them: one, `null`. @module */
import type { ObjectCall } from '../door/s3-call.ts'
import { invalidArgument, S3Error } from '../rules/s3-error.ts'

/** @throws {S3Error} `NoSuchVersion`, `InvalidArgument`: another version than the only one */
export function requireNullVersion({ request, key }: Pick<ObjectCall, 'request' | 'key'>): void {
  checkVersion(request.query.get('versionId'), key)
}

export function checkVersion(versionId: string | undefined, key: string): void {
  if (versionId === undefined || versionId === 'null') return
  if (versionId === '') throw invalidArgument('Version id cannot be the empty string', { name: 'versionId', value: '' })
  throw new S3Error('NoSuchVersion', 'The specified version does not exist.', {
    details: { Key: key, VersionId: versionId.slice(0, 1024) },
  })
}

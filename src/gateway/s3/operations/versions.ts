/** Which version of an object a request is about, and what its answer says of it. @module */
import type { FileStats } from '../../../client/index.ts'
import { missingKey } from '../door/access.ts'
import type { BucketCall, ObjectCall } from '../door/s3-call.ts'
import { invalidArgument, S3Error } from '../rules/s3-error.ts'
import { formatHttpDate } from '../rules/timestamps.ts'
import type { Bucket } from '../store/buckets.ts'
import type { ObjectInfo } from '../store/object-record.ts'
import { versionIdOf, versionNumberOf } from '../store/object-versions.ts'
import { findNewest, findObject } from '../store/objects.ts'

/**
 * The version that `versionId` of the query names; undefined: the current one.
 * @throws {S3Error} `NoSuchVersion`, `InvalidArgument`
 */
export function requestedVersion({ request, key }: Pick<ObjectCall, 'request' | 'key'>): number | undefined {
  return versionNumber(request.query.get('versionId'), key)
}

/** @throws {S3Error} `NoSuchVersion`, `InvalidArgument` */
export function versionNumber(versionId: string | undefined, key: string): number | undefined {
  if (versionId === undefined) return undefined
  if (versionId === '') throw invalidArgument('Version id cannot be the empty string', { name: 'versionId', value: '' })
  const objectVersion = versionNumberOf(versionId)
  if (objectVersion === undefined) throw noSuchVersion(key, versionId)
  return objectVersion
}

/** @throws {S3Error} `NoSuchKey`, `NoSuchVersion`, `MethodNotAllowed` — a delete marker */
export async function requireObject(call: ObjectCall): Promise<ObjectInfo> {
  const { services, bucket, key, signal } = call
  const objectVersion = requestedVersion(call)
  const info = await findObject(services.client, { bucket: bucket.name, key, objectVersion, signal })
  if (info === undefined) throw await missingObject(call)
  return info
}

/** Why there is no object to be read: for whoever may list the bucket, whether a delete marker says so. */
export async function missingObject(call: ObjectCall): Promise<S3Error> {
  const { services, bucket, key, signal } = call
  const versionId = call.request.query.get('versionId')
  const plain = versionId === undefined ? missingKey(call, call) : noSuchVersion(key, versionId)
  if (bucket.versioning === undefined || plain.code === 'AccessDenied') return plain
  const objectVersion = requestedVersion(call)
  const marker = await findNewest(services.client, { bucket: bucket.name, key, objectVersion, signal })
  if (marker?.stats.isDeleteMarker !== true) return plain
  const details = { DeleteMarker: 'true', VersionId: versionIdOf(marker.stats) }
  if (versionId === undefined) return new S3Error('NoSuchKey', plain.message, { details: { Key: key, ...details } })
  const lastModified = formatHttpDate(marker.stats.modifiedMs)
  return new S3Error('MethodNotAllowed', 'The specified method is not allowed against this resource.', {
    details: { Method: call.request.method, ResourceType: 'DeleteMarker', LastModified: lastModified, ...details },
  })
}

/** Of an answer about a version: only buckets that keep versions have ids. */
export function versionHeaders(
  { versioning }: Pick<Bucket, 'versioning'>,
  stats: Pick<FileStats, 'objectVersion'>,
): Record<string, string> {
  return versioning === undefined ? {} : { 'x-amz-version-id': versionIdOf(stats) }
}

/** Of the answer to a write: the null version, of which every write makes another one, is not named. */
export function writtenVersionHeaders({ objectVersion }: Pick<FileStats, 'objectVersion'>): Record<string, string> {
  return objectVersion === undefined ? {} : { 'x-amz-version-id': versionIdOf({ objectVersion }) }
}

/** Governance yields to who says so and may. */
export function bypassesGovernance({ request }: Pick<BucketCall, 'request'>): boolean {
  return request.headers.get('x-amz-bypass-governance-retention')?.toLowerCase() === 'true'
}

export function noSuchVersion(key: string, versionId: string): S3Error {
  return new S3Error('NoSuchVersion', 'The specified version does not exist.', {
    details: { Key: key, VersionId: versionId.slice(0, 1024) },
  })
}

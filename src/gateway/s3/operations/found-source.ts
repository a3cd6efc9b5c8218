/** The source of a copy: found, allowed, and opened with the key that came for it. @module */
import { checkAccess, checkOwner, objectAccess } from '../door/access.ts'
import { actionOf } from '../door/operation-actions.ts'
import type { ObjectCall } from '../door/s3-call.ts'
import { type OpenEncryption, openEncryption } from '../encryption/object-encryption.ts'
import { checkCopySource, copySourceConditionsOf } from '../rules/conditions.ts'
import { splitCopySource } from '../rules/copy-source.ts'
import { invalidArgument } from '../rules/s3-error.ts'
import type { ObjectInfo } from '../store/object-record.ts'
import { versionIdOf } from '../store/object-versions.ts'
import { conditionTarget, findObject, noSuchKey } from '../store/objects.ts'
import { settingsOf } from './bucket-settings-operations.ts'
import { noSuchVersion, versionNumber } from './versions.ts'

export interface CopySource {
  readonly bucket: string
  readonly key: string
  readonly versionId: string | undefined
}

export interface FoundSource extends CopySource {
  readonly info: ObjectInfo
  /** That `versionId` names. */
  readonly objectVersion: number | undefined
  /** Its bucket keeps versions. */
  readonly isVersioned: boolean
  /** Opened with the key that came for it. */
  readonly encryption: OpenEncryption | undefined
}

/** Of `x-amz-copy-source`: `/bucket/key?versionId=…`, percent-encoded, with or without the first slash. */
export function parseCopySource(header: string): CopySource {
  const { path, versionId } = splitCopySource(header)
  const slash = path.indexOf('/')
  if (slash <= 0 || slash === path.length - 1) {
    throw invalidArgument('Copy Source must mention the source bucket and key: sourcebucket/sourcekey', {
      name: 'x-amz-copy-source',
      value: header.slice(0, 1024),
    })
  }
  return { bucket: path.slice(0, slash), key: path.slice(slash + 1), versionId }
}

/**
 * The source of a copy, which the caller may read, under the conditions of the request.
 * @throws {S3Error} `NoSuchBucket`, `AccessDenied`, `NoSuchKey`, `NoSuchVersion`, `PreconditionFailed`
 */
export async function findCopySource(call: ObjectCall): Promise<FoundSource> {
  const { services, request, signal } = call
  const source = parseCopySource(request.headers.get('x-amz-copy-source') ?? '')
  const bucket = await services.buckets.open(source.bucket, { signal })
  checkOwner(call, bucket, { header: 'x-amz-source-expected-bucket-owner' })
  const objectVersion = versionNumber(source.versionId, source.key)
  const info = await findObject(services.client, { ...source, objectVersion, signal })
  const action = actionOf('GetObject', { hasVersion: source.versionId !== undefined })
  const object = info === undefined ? undefined : objectAccess(info, settingsOf({ services, bucket }).ownerId)
  checkAccess(call, { action, bucket, key: source.key, object, existingTags: info?.tags })
  if (info === undefined) {
    throw source.versionId === undefined ? noSuchKey(source.key) : noSuchVersion(source.key, source.versionId)
  }
  const encryption = openEncryption(info.record.encryption, {
    ...{ headers: request.headers, of: 'copy-source', ring: services.encryption.ring },
  })
  checkCopySource(copySourceConditionsOf(request.headers.record()), conditionTarget(info))
  return { ...source, info, objectVersion, isVersioned: bucket.versioning !== undefined, encryption }
}

/** Of the answer to a copy: which version was copied. */
export function sourceVersionHeaders({ isVersioned, info }: FoundSource): Record<string, string> {
  return isVersioned ? { 'x-amz-copy-source-version-id': versionIdOf(info.stats) } : {}
}

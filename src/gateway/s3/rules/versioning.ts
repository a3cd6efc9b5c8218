/**
 * Versions of a key: what a PUT or DELETE does to them, and which one a GET gives.
 *
 * A bucket's versioning starts `off` and is `enabled` or `suspended` ever after. Versions are ordered, the newest first; that
 * one is current. At most one of them is the *null version*: the one that was written while versioning was not enabled, and
 * the only one that a write without a version of its own replaces. Pure: the plan names the versions that it is about, and
 * whoever applies it does so under the same transaction that read them.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html
 * @module
 */
import { S3Error } from './s3-error.ts'

export type Versioning = 'off' | 'enabled' | 'suspended'

/** Of the version without an id of its own, as clients name it. */
export const nullVersionId = 'null'

export interface StoredVersion {
  readonly versionId: string
  readonly isDeleteMarker: boolean
}

/** What a write does. */
export interface VersionChange {
  /** A version or marker that becomes the current one: `new` gets an id of its own. */
  readonly adds?: { readonly kind: 'object' | 'delete-marker'; readonly versionId: 'new' | typeof nullVersionId }
  /** A version that goes for good. */
  readonly removes?: StoredVersion
}

/** What a PUT, copy or complete does to the versions of its key. */
export function planPut(versioning: Versioning, versions: readonly StoredVersion[]): VersionChange {
  if (versioning === 'enabled') return { adds: { kind: 'object', versionId: 'new' } }
  return replaceNull(versions, 'object')
}

/**
 * What a DELETE does. Removing what is not there is no error and changes nothing.
 * @param versionId that the request names; undefined: the key as such
 */
export function planDelete(
  versioning: Versioning,
  versions: readonly StoredVersion[],
  versionId?: string,
): VersionChange {
  if (versionId !== undefined) return removal(versions, versionId)
  switch (versioning) {
    case 'off':
      return removal(versions, nullVersionId)
    case 'enabled':
      return { adds: { kind: 'delete-marker', versionId: 'new' } }
    case 'suspended':
      return replaceNull(versions, 'delete-marker')
  }
}

/** What the answer of a DELETE tells: `x-amz-version-id` and `x-amz-delete-marker`. */
export interface DeleteAnswer {
  readonly versionId?: string
  readonly isDeleteMarker: boolean
}

/**
 * @param newVersionId that the change was given, when it asks for one
 * @param versionId that the request named
 */
export function deleteAnswer(
  { adds, removes }: VersionChange,
  { newVersionId, versionId }: { readonly newVersionId?: string | undefined; readonly versionId?: string | undefined },
): DeleteAnswer {
  if (versionId !== undefined) return { versionId, isDeleteMarker: removes?.isDeleteMarker === true }
  if (adds === undefined) return { isDeleteMarker: false }
  const id = adds.versionId === 'new' ? newVersionId : adds.versionId
  return { ...(id !== undefined && { versionId: id }), isDeleteMarker: true }
}

/**
 * The version that a GET or HEAD gives.
 * @throws {S3Error} `NoSuchKey`, `NoSuchVersion`; `MethodNotAllowed` for a delete marker that is asked for by its id. The
 *   details `DeleteMarker` and `VersionId` are there where the answer has those headers
 */
export function versionToRead<Version extends StoredVersion>(
  versions: readonly Version[],
  versionId?: string,
): Version {
  if (versionId === undefined) {
    const [current] = versions
    if (current !== undefined && !current.isDeleteMarker) return current
    throw new S3Error('NoSuchKey', 'The specified key does not exist.', markerDetails(current))
  }
  const version = versions.find((one) => one.versionId === versionId)
  if (version === undefined) {
    throw new S3Error('NoSuchVersion', 'The specified version does not exist.', { details: { VersionId: versionId } })
  }
  if (!version.isDeleteMarker) return version
  throw new S3Error(
    'MethodNotAllowed',
    'The specified method is not allowed against this resource.',
    markerDetails(version),
  )
}

/**
 * The state that PutBucketVersioning asks for. There is no way back to `off`.
 * @throws {S3Error} `MalformedXML`; `InvalidBucketState`: object lock needs versions; `NotImplemented`: MFA
 */
export function nextVersioning(
  status: string | undefined,
  bucket: { readonly versioning: Versioning; readonly hasObjectLock: boolean; readonly mfaDelete?: string | undefined },
): Versioning {
  if (bucket.mfaDelete === 'Enabled') throw new S3Error('NotImplemented', 'MFA delete is not implemented.')
  if (status === 'Enabled') return 'enabled'
  if (status !== 'Suspended') {
    throw new S3Error('MalformedXML', 'The versioning status must be Enabled or Suspended.')
  }
  if (!bucket.hasObjectLock) return 'suspended'
  throw new S3Error(
    'InvalidBucketState',
    'An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.',
  )
}

function replaceNull(versions: readonly StoredVersion[], kind: 'object' | 'delete-marker'): VersionChange {
  return { adds: { kind, versionId: nullVersionId }, ...removal(versions, nullVersionId) }
}

function removal(versions: readonly StoredVersion[], versionId: string): VersionChange {
  const removes = versions.find((version) => version.versionId === versionId)
  return removes === undefined ? {} : { removes }
}

function markerDetails(version: StoredVersion | undefined): { details?: Record<string, string> } {
  return version === undefined ? {} : { details: { DeleteMarker: 'true', VersionId: version.versionId } }
}

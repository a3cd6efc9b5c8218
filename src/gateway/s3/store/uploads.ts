/**
 * Multipart uploads, as files that no bucket shows.
 *
 *     /.s3/uploads/BUCKET/UPLOAD/upload       what is known of it (an attribute); it exists while this does
 *                               /parts/NNNNN  one file a part, its ETag and checksum in an attribute
 *                               /completing/  the same directory, once a complete has begun
 *                               /plan         what the first complete chose: later ones go on with it
 *                               /object-X     the parts so far, joined without moving a byte; the plan names which one
 *
 *     open → completing (the rename of `parts`: one winner, and no part changes any more)
 *          → joined (the parts' extents moved into it, some at a time)
 *          → linked (it is renamed to its key, under the preconditions) → gone
 *
 * Every step can be taken again after a crash: what was joined shows in its length.
 * @module
 */
import { AshlarError, isAshlarError } from '../../../base/errors.ts'
import { uploadAttribute, uploadsFolder } from '../../../base/lifecycle-rule.ts'
import type { AshlarClient, DirectoryEntry, FileStats, NewLock } from '../../../client/index.ts'
import type { StoredEncryption } from '../encryption/object-encryption.ts'
import type { Acl } from '../rules/access/acl.ts'
import type { ChecksumAlgorithm, ChecksumType } from '../rules/checksums/checksum-algorithm.ts'
import { S3Error } from '../rules/s3-error.ts'
import { type HeaderFields, type ObjectInfo, objectInfo } from './object-record.ts'

/** What CreateMultipartUpload was told. */
export interface UploadRecord {
  readonly key: string
  readonly headers: HeaderFields
  readonly metadata: HeaderFields
  readonly tags: HeaderFields
  readonly owner: string | undefined
  /** Of the object to be. */
  readonly acl?: Acl | undefined
  /** Of the object to be. */
  readonly lock?: NewLock | undefined
  readonly checksum?: { readonly algorithm: ChecksumAlgorithm; readonly type: ChecksumType } | undefined
  /** Of every part: they share its data key. */
  readonly encryption?: StoredEncryption | undefined
}

export interface Upload extends UploadRecord {
  readonly bucket: string
  readonly uploadId: string
  readonly createdMs: number
}

export interface StoredPart {
  readonly number: number
  readonly info: ObjectInfo
}

const uploadIdForm = /^[0-9a-f]{32}$/

export { uploadsFolder } from '../../../base/lifecycle-rule.ts'

interface CallOptions {
  readonly signal: AbortSignal
}

export function uploadFolder({ bucket, uploadId }: Pick<Upload, 'bucket' | 'uploadId'>): string {
  return `${uploadsFolder(bucket)}/${uploadId}`
}

export function partPath(upload: Pick<Upload, 'bucket' | 'uploadId'>, number: number): string {
  return `${uploadFolder(upload)}/parts/${partName(number)}`
}

/** In the order of numbers. */
export function partName(number: number): string {
  return String(number).padStart(5, '0')
}

export class Uploads {
  readonly #client: AshlarClient

  constructor(client: AshlarClient) {
    this.#client = client
  }

  async create(
    bucket: string,
    { uploadId, record, signal }: CallOptions & { readonly uploadId: string; readonly record: UploadRecord },
  ): Promise<void> {
    const folder = uploadFolder({ bucket, uploadId })
    await this.#client.mkdir(`${folder}/parts`, { recursive: true, signal })
    const xattrs = { [uploadAttribute]: JSON.stringify(record) }
    await this.#client.writeFile(`${folder}/upload`, '', { ifAbsent: true, xattrs, signal })
  }

  /** @throws {S3Error} `NoSuchUpload`: also where it is one of another key */
  async open(
    bucket: string,
    { uploadId, key, signal }: CallOptions & { readonly uploadId: string; readonly key: string },
  ) {
    const upload = await this.find(bucket, { uploadId, signal })
    if (upload === undefined || upload.key !== key) throw noSuchUpload(uploadId)
    return upload
  }

  async find(
    bucket: string,
    { uploadId, signal }: CallOptions & { readonly uploadId: string },
  ): Promise<Upload | undefined> {
    if (!uploadIdForm.test(uploadId)) return undefined
    try {
      const path = `${uploadFolder({ bucket, uploadId })}/upload`
      const stats = await this.#client.stat(path, { xattrs: true, signal })
      return uploadOf(stats, { bucket, uploadId })
    } catch (error) {
      if (isAshlarError(error, 'not-found', 'not-a-directory')) return undefined
      throw error
    }
  }

  /** Every upload of a bucket, in no useful order. */
  async *list(bucket: string, { signal }: CallOptions): AsyncGenerator<Upload, void, undefined> {
    for await (const { name: uploadId } of entriesOf(this.#client, uploadsFolder(bucket), { signal })) {
      const upload = await this.find(bucket, { uploadId, signal })
      if (upload !== undefined) yield upload
    }
  }

  /** The parts behind number `after`, in order. */
  async *parts(
    upload: Upload,
    { after = 0, signal }: CallOptions & { readonly after?: number },
  ): AsyncGenerator<StoredPart, void, undefined> {
    yield* partsIn(this.#client, `${uploadFolder(upload)}/parts`, { after, signal })
  }

  /** Ends it, and drops its parts. */
  async remove(upload: Pick<Upload, 'bucket' | 'uploadId'>, { signal }: CallOptions): Promise<void> {
    await this.#client.rm(uploadFolder(upload), { recursive: true, force: true, signal })
  }
}

/** The parts in a directory, in order; an absent one has none. */
export async function* partsIn(
  client: AshlarClient,
  folder: string,
  { after, signal }: CallOptions & { readonly after: number },
): AsyncGenerator<StoredPart, void, undefined> {
  const options = { signal, xattrs: true, ...(after > 0 ? { after: partName(after) } : {}) }
  for await (const { name, stats } of entriesOf(client, folder, options)) {
    yield { number: Number(name), info: objectInfo(stats) }
  }
}

async function* entriesOf(
  client: AshlarClient,
  folder: string,
  options: CallOptions & { readonly after?: string; readonly xattrs?: boolean },
): AsyncGenerator<DirectoryEntry, void, undefined> {
  try {
    yield* client.list(folder, options)
  } catch (error) {
    if (!isAshlarError(error, 'not-found')) throw error
  }
}

function uploadOf(
  stats: FileStats,
  { bucket, uploadId }: { readonly bucket: string; readonly uploadId: string },
): Upload {
  const text = stats.xattrs.get(uploadAttribute)?.toString('utf8')
  if (text === undefined) throw new AshlarError('internal', `Cannot read upload ${uploadId}: its record is missing`)
  return { ...(JSON.parse(text) as UploadRecord), bucket, uploadId, createdMs: stats.createdMs }
}

export function noSuchUpload(uploadId: string): S3Error {
  return new S3Error(
    'NoSuchUpload',
    'The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.',
    { details: { UploadId: uploadId.slice(0, 128) } },
  )
}

/**
 * Buckets: the top directories whose names S3 allows. What S3 knows of one (owner, policy, …) stands in extended
 * attributes of the directory. One that another door made belongs to the root account.
 * @module
 */
import { type AshlarClient, type FileStats, isAshlarError } from '../../../client/index.ts'
import { isBucketName } from '../rules/bucket-name.ts'
import { S3Error } from '../rules/s3-error.ts'
import { bucketPath } from './object-path.ts'
import { uploadsFolder } from './uploads.ts'

export interface Bucket {
  readonly name: string
  /** Canonical id; undefined: of the root account. */
  readonly ownerId: string | undefined
  readonly createdMs: number
  /** Whether it keeps versions of what is replaced or removed; undefined: it never did. */
  readonly versioning: FileStats['versioning']
  /** Its versions can be locked. */
  readonly objectLock: FileStats['objectLock']
  /** Further documents by name, as they were put: `policy`, `cors`, … */
  readonly documents: ReadonlyMap<string, string>
}

interface BucketRecord {
  readonly owner: string
  readonly region?: string
}

const recordAttribute = 's3.bucket'
const documentPrefix = 's3.doc.'

interface CallOptions {
  readonly signal: AbortSignal
}

export class Buckets {
  readonly #client: AshlarClient

  constructor(client: AshlarClient) {
    this.#client = client
  }

  /** @throws {S3Error} `NoSuchBucket` */
  async open(name: string, { signal }: CallOptions): Promise<Bucket> {
    const bucket = await this.find(name, { signal })
    if (bucket !== undefined) return bucket
    throw noSuchBucket(name)
  }

  async find(name: string, { signal }: CallOptions): Promise<Bucket | undefined> {
    if (!isBucketName(name)) return undefined
    try {
      const stats = await this.#client.stat(bucketPath(name), { xattrs: true, signal })
      return stats.isDirectory() ? bucketOf(name, stats) : undefined
    } catch (error) {
      if (isAshlarError(error, 'not-found')) return undefined
      throw error
    }
  }

  /** Every bucket, in the order of names. */
  async *list({ after = '', signal }: CallOptions & { readonly after?: string }): AsyncGenerator<Bucket> {
    for await (const entry of this.#client.list('/', { xattrs: true, after, signal })) {
      if (entry.isDirectory() && isBucketName(entry.name)) yield bucketOf(entry.name, entry.stats)
    }
  }

  /** @throws {S3Error} `BucketAlreadyOwnedByYou`, `BucketAlreadyExists` */
  async create(
    name: string,
    {
      ownerId,
      documents,
      hasObjectLock,
      signal,
    }: CallOptions & {
      readonly ownerId: string
      readonly documents: Readonly<Record<string, string>>
      readonly hasObjectLock: boolean
    },
  ): Promise<void> {
    const before = await this.find(name, { signal })
    if (before !== undefined) throw alreadyExists(name, before.ownerId === ownerId)
    // What an older bucket of this name left behind is not the new one's.
    await this.#client.rm(uploadsFolder(name), { recursive: true, force: true, signal })
    try {
      await this.#client.mkdir(bucketPath(name), { signal })
    } catch (error) {
      if (!isAshlarError(error, 'already-exists')) throw error
      const winner = await this.find(name, { signal })
      throw alreadyExists(name, winner?.ownerId === ownerId)
    }
    if (hasObjectLock) {
      await this.#client.versions.configure(bucketPath(name), { versioning: 'enabled', objectLock: {}, signal })
    }
    const record: BucketRecord = { owner: ownerId }
    await this.#client.setXattr(bucketPath(name), recordAttribute, JSON.stringify(record), { signal })
    for (const [document, text] of Object.entries(documents))
      await this.putDocument(name, { name: document, text, signal })
  }

  /** @throws {S3Error} `BucketNotEmpty`, `NoSuchBucket` */
  async remove(name: string, { signal }: CallOptions): Promise<void> {
    for await (const _ of this.#client.listObjects(name, { pageEntries: 1, signal })) throw notEmpty(name)
    try {
      await this.#prune(bucketPath(name), signal)
    } catch (error) {
      if (isAshlarError(error, 'not-empty')) throw notEmpty(name)
      if (isAshlarError(error, 'not-found')) throw noSuchBucket(name)
      throw error
    }
    await this.#client.rm(uploadsFolder(name), { recursive: true, force: true, signal })
  }

  async putDocument(
    bucket: string,
    { name, text, signal }: CallOptions & { readonly name: string; readonly text: string },
  ): Promise<void> {
    await this.#client.setXattr(bucketPath(bucket), `${documentPrefix}${name}`, text, { signal })
  }

  async removeDocument(bucket: string, { name, signal }: CallOptions & { readonly name: string }): Promise<void> {
    await this.#client.removeXattr(bucketPath(bucket), `${documentPrefix}${name}`, { signal })
  }

  /** Removes directories that hold nothing, and at last itself: an object that appears meanwhile stops it. */
  async #prune(path: string, signal: AbortSignal): Promise<void> {
    for await (const entry of this.#client.list(path, { signal })) {
      if (entry.isDirectory()) await this.#prune(entry.path, signal)
    }
    await this.#client.rmdir(path, { signal })
  }
}

function bucketOf(name: string, stats: FileStats): Bucket {
  const stored = stats.xattrs.get(recordAttribute)
  const record = stored === undefined ? undefined : (JSON.parse(stored.toString('utf8')) as BucketRecord)
  const documents = new Map(
    [...stats.xattrs].flatMap(([key, value]) =>
      key.startsWith(documentPrefix) ? [[key.slice(documentPrefix.length), value.toString('utf8')] as const] : [],
    ),
  )
  const { createdMs, versioning, objectLock } = stats
  return { name, ownerId: record?.owner, createdMs, versioning, objectLock, documents }
}

export function noSuchBucket(name: string): S3Error {
  return new S3Error('NoSuchBucket', 'The specified bucket does not exist', { details: { BucketName: name } })
}

function notEmpty(name: string): S3Error {
  return new S3Error('BucketNotEmpty', 'The bucket you tried to delete is not empty', { details: { BucketName: name } })
}

function alreadyExists(name: string, isOwn: boolean): S3Error {
  return isOwn
    ? new S3Error(
        'BucketAlreadyOwnedByYou',
        'Your previous request to create the named bucket succeeded and you already own it.',
        { details: { BucketName: name } },
      )
    : new S3Error(
        'BucketAlreadyExists',
        'The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.',
        { details: { BucketName: name } },
      )
}

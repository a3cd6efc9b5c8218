/** Objects as the door sees them: found by key, with what S3 knows of them. @module */
import { type AshlarClient, type FileHandle, isAshlarError } from '../../../client/index.ts'
import type { ConditionTarget } from '../rules/conditions.ts'
import { S3Error } from '../rules/s3-error.ts'
import { objectPath } from './object-path.ts'
import { type ObjectInfo, objectInfo } from './object-record.ts'

export interface ObjectPlace {
  readonly bucket: string
  readonly key: string
  readonly signal: AbortSignal
}

const openAttempts = 8

export async function findObject(
  client: AshlarClient,
  { bucket, key, signal }: ObjectPlace,
): Promise<ObjectInfo | undefined> {
  try {
    const stats = await client.stat(objectPath(bucket, key), { xattrs: true, signal })
    return stats.isFile() ? objectInfo(stats) : undefined
  } catch (error) {
    if (isAbsence(error)) return undefined
    throw error
  }
}

export interface OpenObject {
  readonly info: ObjectInfo
  readonly handle: FileHandle
}

/** One version, its bytes and its attributes. Whoever gets it closes the handle. */
export async function openObject(client: AshlarClient, place: ObjectPlace): Promise<OpenObject | undefined> {
  const path = objectPath(place.bucket, place.key)
  for (let attempt = 1; attempt <= openAttempts; attempt++) {
    const [info, handle] = await Promise.all([findObject(client, place), openFile(client, path, place.signal)])
    if (info === undefined && handle === undefined) return undefined
    if (info !== undefined && handle?.stats.version === info.stats.version) return { info, handle }
    // Replaced between the two.
    await handle?.close()
  }
  throw new S3Error('SlowDown', 'The object is being replaced too often: please try again.')
}

async function openFile(client: AshlarClient, path: string, signal: AbortSignal): Promise<FileHandle | undefined> {
  try {
    return await client.open(path, { signal })
  } catch (error) {
    if (isAbsence(error)) return undefined
    throw error
  }
}

/** Whether an error says that no object has this key. */
export function isAbsence(error: unknown): boolean {
  return isAshlarError(error, 'not-found', 'not-a-directory', 'is-a-directory')
}

export function noSuchKey(key: string): S3Error {
  return new S3Error('NoSuchKey', 'The specified key does not exist.', { details: { Key: key } })
}

/** What conditions of a request are about. */
export function conditionTarget({ record, stats, sizeBytes }: ObjectInfo): ConditionTarget {
  return { eTag: record.eTag, lastModifiedMs: stats.modifiedMs, sizeBytes, isDeleteMarker: false }
}

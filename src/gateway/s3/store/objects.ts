/** Objects as the door sees them: found by key, with what S3 knows of them. @module */
import { type AshlarClient, type FileHandle, isAshlarError } from '../../../client/index.ts'
import type { ConditionTarget } from '../rules/conditions.ts'
import { S3Error } from '../rules/s3-error.ts'
import { objectPath } from './object-path.ts'
import { lastModifiedMs, type ObjectInfo, objectInfo } from './object-record.ts'

export interface ObjectPlace {
  readonly bucket: string
  readonly key: string
  /** Not the current version, but this one. */
  readonly objectVersion?: number | undefined
  readonly signal: AbortSignal
}

/** @returns undefined also for a delete marker */
export async function findObject(client: AshlarClient, place: ObjectPlace): Promise<ObjectInfo | undefined> {
  const info = await findAny(client, place, { orMarker: false })
  return info?.stats.isDeleteMarker === true ? undefined : info
}

/** As {@link findObject}, delete markers too: where the current version is one, or the one that is named. */
export async function findNewest(client: AshlarClient, place: ObjectPlace): Promise<ObjectInfo | undefined> {
  return await findAny(client, place, { orMarker: true })
}

async function findAny(
  client: AshlarClient,
  { bucket, key, objectVersion, signal }: ObjectPlace,
  { orMarker }: { readonly orMarker: boolean },
): Promise<ObjectInfo | undefined> {
  try {
    const stats = await client.stat(objectPath(bucket, key), { xattrs: true, objectVersion, orMarker, signal })
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

/** One version, its bytes and its attributes, by one call. Whoever gets it closes the handle. */
export async function openObject(client: AshlarClient, place: ObjectPlace): Promise<OpenObject | undefined> {
  const handle = await openFile(client, place)
  return handle && { info: objectInfo(handle.stats), handle }
}

async function openFile(
  client: AshlarClient,
  { bucket, key, objectVersion, signal }: ObjectPlace,
): Promise<FileHandle | undefined> {
  try {
    return await client.open(objectPath(bucket, key), { objectVersion, xattrs: true, signal })
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
  return { eTag: record.eTag, lastModifiedMs: lastModifiedMs(stats), sizeBytes, isDeleteMarker: stats.isDeleteMarker }
}

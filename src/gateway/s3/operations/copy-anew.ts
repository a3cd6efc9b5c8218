/**
 * Copies between what is encrypted and what is not: the bytes are read, and written as if they had been put.
 * @module
 */
import { AshlarError } from '../../../base/errors.ts'
import type { FileStats, NewLock } from '../../../client/index.ts'
import { BodyReader } from '../body/body-reader.ts'
import type { ObjectCall } from '../door/s3-call.ts'
import { newEncryption, type OpenEncryption, rewrapped } from '../encryption/object-encryption.ts'
import { writeConditionsOf } from '../rules/conditions.ts'
import type { ObjectInfo, ObjectRecord } from '../store/object-record.ts'
import { findObject, openObject } from '../store/objects.ts'
import { writePrecondition } from '../store/write-preconditions.ts'
import type { FoundSource } from './found-source.ts'
import { storeObject } from './put-object.ts'
import { plainPieces } from './read-object.ts'
import type { NewOwnership } from './requested-acl.ts'
import { encryptionAsked } from './written-encryption.ts'

export interface Copy {
  readonly source: FoundSource
  readonly path: string
  /** Without its encryption. */
  readonly record: ObjectRecord
  /** That the copy gets. */
  readonly encryption: OpenEncryption | undefined
  readonly tags: ObjectInfo['tags']
  readonly ownership: NewOwnership
  readonly lock: NewLock
}

export interface Copied {
  readonly modifiedMs: number
  readonly eTag: string
  readonly stats: FileStats
}

export function isAboutEncryption({ headers }: ObjectCall['request']): boolean {
  return [...headers.names()].some((name) => name.startsWith('x-amz-server-side-encryption'))
}

/** The source's data key, wrapped as the copy asks; a new one where the source has none. */
export function copiedEncryption(call: ObjectCall, { encryption }: FoundSource): OpenEncryption | undefined {
  const requested = encryptionAsked(call)
  if (requested === undefined || encryption === undefined) return newEncryption(requested, call.services.encryption)
  return rewrapped(encryption, requested, call.services.encryption)
}

/** From plain to encrypted, or back: as if the copy had been put. */
export async function writeAnew(
  call: ObjectCall,
  { source, path, record, encryption, tags, ownership, lock }: Copy,
): Promise<Copied> {
  const { services, request, bucket, key, signal } = call
  const { eTag: _, parts: __, partChecksums: ___, checksum, ...written } = record
  const precondition = await writePrecondition(writeConditionsOf(request.headers.record()), () =>
    findObject(services.client, { bucket: bucket.name, key, signal }),
  )
  const open = await openObject(services.client, { ...source, signal })
  await using handle = open?.handle
  if (open === undefined || handle === undefined || open.info.stats.version !== source.info.stats.version) {
    throw new AshlarError('changed', 'Cannot copy the object: it was replaced meanwhile', { applied: 'no' })
  }
  const range = { start: 0, end: open.info.sizeBytes }
  const body = new BodyReader(plainPieces(open, range, { encryption: source.encryption, signal }), {
    env: services.env,
    payload: {
      ...{ framing: undefined, declaredLength: range.end, sha256: undefined, md5: undefined },
      checksum: checksum && { algorithm: checksum.algorithm, expected: undefined },
    },
    hold: async () => () => undefined,
    maxChunkBytes: range.end,
    maxBytes: range.end,
  })
  const stored = await storeObject(call, {
    path,
    written,
    tags,
    ownership,
    precondition,
    encryption,
    lock,
    body,
  })
  return { modifiedMs: stored.stats.modifiedMs, eTag: stored.record.eTag, stats: stored.stats }
}

/**
 * PutObject. The bytes flow to the chunk servers as they come, and become the object in the one transaction at the end, after
 * every digest that the client sent was compared: a body that is not what it should be leaves nothing.
 * @module
 */

import type { FileStats, NewLock } from '../../../client/index.ts'
import type { BodyReader } from '../body/body-reader.ts'
import type { S3Answer } from '../door/s3-answer.ts'
import type { ObjectCall } from '../door/s3-call.ts'
import { encryptionHeaders, eTagOf, type OpenEncryption } from '../encryption/object-encryption.ts'
import { sealStream } from '../encryption/seal-stream.ts'
import { writeConditionsOf } from '../rules/conditions.ts'
import { objectPath } from '../store/object-path.ts'
import type { HeaderFields } from '../store/object-record.ts'
import { type ObjectRecord, objectXattrs } from '../store/object-record.ts'
import { findObject } from '../store/objects.ts'
import type { WritePrecondition } from '../store/write-preconditions.ts'
import { conditionFailure, writePrecondition } from '../store/write-preconditions.ts'
import { quoted } from './answer-parts.ts'
import { settingsOf } from './bucket-settings-operations.ts'
import { expirationHeaders } from './lifecycle-operations.ts'
import { checksumHeaders, type WrittenHeaders, writtenHeaders, writtenTags } from './object-headers.ts'
import { writtenLock } from './object-lock-operations.ts'
import { type NewOwnership, newOwnership } from './requested-acl.ts'
import { writtenVersionHeaders } from './versions.ts'
import { writtenEncryption } from './written-encryption.ts'

/** As S3's: more goes in parts. */
export const putMaxBytes = 5 * 1024 ** 3

export async function putObject(call: ObjectCall): Promise<S3Answer> {
  const { services, request, bucket, key, caller, signal } = call
  const path = objectPath(bucket.name, key)
  const written = writtenHeaders(request)
  const tags = writtenTags(request)
  const encryption = writtenEncryption(call)
  const ownership = newOwnership(request, {
    accounts: services.accounts,
    bucket: settingsOf(call),
    writerId: caller.account?.id,
  })
  const precondition = await writePrecondition(writeConditionsOf(request.headers.record()), () =>
    findObject(services.client, { bucket: bucket.name, key, signal }),
  )
  const { record, stats } = await storeObject(call, {
    path,
    written,
    tags,
    ownership,
    precondition,
    encryption,
    lock: writtenLock(call),
    body: call.openBody(putMaxBytes),
  })
  return {
    status: 200,
    headers: {
      etag: quoted(record.eTag),
      ...checksumHeaders(record.checksum),
      ...encryptionHeaders(encryption),
      ...writtenVersionHeaders(stats),
      ...expirationHeaders(bucket, key, { stats, sizeBytes: stats.size, tags }),
    },
  }
}

export interface NewObject {
  readonly path: string
  readonly written: WrittenHeaders
  readonly tags: HeaderFields
  readonly ownership: NewOwnership
  readonly precondition: WritePrecondition
  readonly encryption: OpenEncryption | undefined
  readonly lock: NewLock
  readonly body: BodyReader
}

export interface StoredObject {
  readonly record: ObjectRecord
  readonly stats: FileStats
}

/** Stores the body under `path`, with all that S3 knows of it. */
export async function storeObject(
  { services, signal }: Pick<ObjectCall, 'services' | 'signal'>,
  { path, written, tags, ownership, precondition, encryption, lock, body }: NewObject,
): Promise<StoredObject> {
  const record = (): ObjectRecord => {
    const { md5, checksum, length: sizeBytes } = body.digests
    return {
      eTag: eTagOf(md5, encryption),
      ...written,
      owner: ownership.owner,
      ...(checksum === undefined ? {} : { checksum: { ...checksum, type: 'FULL_OBJECT' } }),
      ...(encryption === undefined ? {} : { encryption: { ...encryption.stored, sizeBytes } }),
    }
  }
  try {
    const stats = await services.client.writeFile(path, await storedBytes(services, { body, encryption }), {
      ...precondition,
      ...lock,
      makeParents: true,
      xattrs: (bytes) => objectXattrs(record(), bytes, { tags, acl: ownership.acl }),
      signal,
    })
    return { record: record(), stats }
  } catch (error) {
    throw conditionFailure(error, precondition)
  }
}

/** The bytes as they are stored: whole and verified where they are few, which spares the client a pipeline. */
export async function storedBytes(
  { encryption: { random } }: ObjectCall['services'],
  { body, encryption }: Pick<NewObject, 'body' | 'encryption'>,
): Promise<Uint8Array | AsyncIterable<Uint8Array>> {
  if (encryption === undefined && body.isShort) return await body.whole()
  const pieces = body.passing()
  return encryption === undefined ? pieces : sealStream(pieces, { dataKey: encryption.dataKey, random })
}

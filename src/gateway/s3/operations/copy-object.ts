/**
 * CopyObject: no byte moves, the copy shares the source's chunks. The version of the source that the conditions were
 * held against is the one that is copied. Where both are encrypted only the data key is wrapped anew; bytes are written again where one
 * of the two is not.
 * @module
 */
import { isAshlarError } from '../../../base/errors.ts'
import { type S3Answer, xmlAnswer } from '../door/s3-answer.ts'
import type { ObjectCall } from '../door/s3-call.ts'
import { encryptionHeaders } from '../encryption/object-encryption.ts'
import { writeConditionsOf } from '../rules/conditions.ts'
import { invalidArgument, S3Error } from '../rules/s3-error.ts'
import { formatIsoTime } from '../rules/timestamps.ts'
import { objectPath } from '../store/object-path.ts'
import { type ObjectInfo, type ObjectRecord, objectXattrs } from '../store/object-record.ts'
import { findObject } from '../store/objects.ts'
import { conditionFailure, writePrecondition } from '../store/write-preconditions.ts'
import { leaf, xmlDocument } from '../xml/write-xml.ts'
import { quoted } from './answer-parts.ts'
import { settingsOf } from './bucket-settings-operations.ts'
import { type Copied, type Copy, copiedEncryption, isAboutEncryption, writeAnew } from './copy-anew.ts'
import { findCopySource, sourceVersionHeaders } from './found-source.ts'
import { writtenHeaders, writtenTags } from './object-headers.ts'
import { writtenLock } from './object-lock-operations.ts'
import { newOwnership } from './requested-acl.ts'
import { writtenVersionHeaders } from './versions.ts'

const maxAttempts = 8

export async function copyObject(call: ObjectCall): Promise<S3Answer> {
  const { request, bucket, key } = call
  const path = objectPath(bucket.name, key)
  const withMetadata = directive(request.headers.get('x-amz-metadata-directive'), 'x-amz-metadata-directive')
  const withTags = directive(request.headers.get('x-amz-tagging-directive'), 'x-amz-tagging-directive')
  for (let attempt = 1; ; attempt++) {
    const source = await findCopySource(call)
    if (
      source.bucket === bucket.name &&
      source.key === key &&
      source.versionId === undefined &&
      withMetadata === 'COPY' &&
      !isAboutEncryption(request)
    ) {
      throw new S3Error(
        'InvalidRequest',
        "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
      )
    }
    const ownership = newOwnership(request, {
      accounts: call.services.accounts,
      bucket: settingsOf(call),
      writerId: call.caller.account?.id,
    })
    const encryption = copiedEncryption(call, source)
    const record = { ...copiedRecord(call, source.info, withMetadata), owner: ownership.owner }
    const tags = withTags === 'COPY' ? source.info.tags : writtenTags(request)
    try {
      const copy = { source, path, record, encryption, tags, ownership, lock: writtenLock(call) }
      const isShared = (encryption === undefined) === (source.encryption === undefined)
      const { modifiedMs, eTag, stats } = isShared ? await copyTo(call, copy) : await writeAnew(call, copy)
      return xmlAnswer(
        xmlDocument('CopyObjectResult', leaf('LastModified', formatIsoTime(modifiedMs)), leaf('ETag', quoted(eTag))),
        {
          ...encryptionHeaders(encryption),
          ...writtenVersionHeaders(stats),
          ...sourceVersionHeaders(source),
        },
      )
    } catch (error) {
      // The source was replaced meanwhile: its successor is asked the same questions.
      if (!isAshlarError(error, 'changed', 'not-found') || attempt === maxAttempts) throw error
    }
  }
}

function copiedRecord({ request }: ObjectCall, { record }: ObjectInfo, withMetadata: Directive): ObjectRecord {
  const { uploadId: _, encryption: __, ...copied } = record
  const chosen = withMetadata === 'COPY' ? {} : writtenHeaders(request)
  return { ...copied, ...chosen }
}

async function copyTo(
  { services, request, bucket, key, signal }: ObjectCall,
  { source, path, record: plain, encryption, tags, ownership, lock }: Copy,
): Promise<Copied> {
  const { stats, sizeBytes } = source.info
  const record = encryption === undefined ? plain : { ...plain, encryption: { ...encryption.stored, sizeBytes } }
  const precondition = await writePrecondition(writeConditionsOf(request.headers.record()), () =>
    findObject(services.client, { bucket: bucket.name, key, signal }),
  )
  const xattrs =
    stats.crc32 === undefined
      ? {}
      : objectXattrs(record, { length: stats.size, crc32: stats.crc32 }, { tags, acl: ownership.acl })
  try {
    const copied = await services.client.copyFile(objectPath(source.bucket, source.key), path, {
      ...precondition,
      ...lock,
      sourceObjectVersion: source.objectVersion,
      ifSourceVersion: stats.version,
      makeParents: true,
      xattrs,
      signal,
    })
    return { modifiedMs: copied.modifiedMs, eTag: record.eTag, stats: copied }
  } catch (error) {
    const isOfTarget = precondition.ifAbsent === true || isAshlarError(error, 'already-exists')
    throw isOfTarget ? conditionFailure(error, precondition) : error
  }
}

type Directive = 'COPY' | 'REPLACE'

function directive(text: string | undefined, name: string): Directive {
  if (text === undefined || text === 'COPY') return 'COPY'
  if (text === 'REPLACE') return 'REPLACE'
  throw invalidArgument(`Unknown ${name.includes('metadata') ? 'metadata' : 'tagging'} directive.`, {
    name,
    value: text.slice(0, 64),
  })
}

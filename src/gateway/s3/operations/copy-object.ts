/**
 * CopyObject: no byte moves, the copy shares the source's chunks. The version of the source that the conditions were
 * held against is the one that is copied.
 * @module
 */
import { isAshlarError } from '../../../base/errors.ts'
import { checkAccess, objectAccess } from '../door/access.ts'
import { actionOf } from '../door/operation-actions.ts'
import { type S3Answer, xmlAnswer } from '../door/s3-answer.ts'
import type { ObjectCall } from '../door/s3-call.ts'
import { checkCopySource, copySourceConditionsOf, writeConditionsOf } from '../rules/conditions.ts'
import { splitCopySource } from '../rules/copy-source.ts'
import { invalidArgument, S3Error } from '../rules/s3-error.ts'
import { formatIsoTime } from '../rules/timestamps.ts'
import { objectPath } from '../store/object-path.ts'
import { type ObjectInfo, type ObjectRecord, objectXattrs } from '../store/object-record.ts'
import { conditionTarget, findObject, noSuchKey } from '../store/objects.ts'
import { conditionFailure, writePrecondition } from '../store/write-preconditions.ts'
import { leaf, xmlDocument } from '../xml/write-xml.ts'
import { quoted } from './answer-parts.ts'
import { settingsOf } from './bucket-settings-operations.ts'
import { writtenHeaders, writtenTags } from './object-headers.ts'
import { newOwnership } from './requested-acl.ts'
import { checkVersion } from './versions.ts'

const maxAttempts = 8

export interface CopySource {
  readonly bucket: string
  readonly key: string
  readonly versionId: string | undefined
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
export async function findCopySource(call: ObjectCall): Promise<CopySource & { readonly info: ObjectInfo }> {
  const { services, request, signal } = call
  const source = parseCopySource(request.headers.get('x-amz-copy-source') ?? '')
  const bucket = await services.buckets.open(source.bucket, { signal })
  checkVersion(source.versionId, source.key)
  const info = await findObject(services.client, { ...source, signal })
  const action = actionOf('GetObject', { hasVersion: source.versionId !== undefined })
  const object = info === undefined ? undefined : objectAccess(info, settingsOf({ services, bucket }).ownerId)
  checkAccess(call, { action, bucket, key: source.key, object, existingTags: info?.tags })
  if (info === undefined) throw noSuchKey(source.key)
  checkCopySource(copySourceConditionsOf(request.headers.record()), conditionTarget(info))
  return { ...source, info }
}

export async function copyObject(call: ObjectCall): Promise<S3Answer> {
  const { request, bucket, key } = call
  const path = objectPath(bucket.name, key)
  const withMetadata = directive(request.headers.get('x-amz-metadata-directive'), 'x-amz-metadata-directive')
  const withTags = directive(request.headers.get('x-amz-tagging-directive'), 'x-amz-tagging-directive')
  for (let attempt = 1; ; attempt++) {
    const source = await findCopySource(call)
    if (source.bucket === bucket.name && source.key === key && withMetadata === 'COPY') {
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
    const record = { ...copiedRecord(call, source.info, withMetadata), owner: ownership.owner }
    const tags = withTags === 'COPY' ? source.info.tags : writtenTags(request)
    try {
      const { modifiedMs } = await copyTo(call, { source, path, record, tags, acl: ownership.acl })
      return xmlAnswer(
        xmlDocument(
          'CopyObjectResult',
          leaf('LastModified', formatIsoTime(modifiedMs)),
          leaf('ETag', quoted(record.eTag)),
        ),
      )
    } catch (error) {
      // The source was replaced meanwhile: its successor is asked the same questions.
      if (!isAshlarError(error, 'changed', 'not-found') || attempt === maxAttempts) throw error
    }
  }
}

function copiedRecord({ request }: ObjectCall, { record }: ObjectInfo, withMetadata: Directive): ObjectRecord {
  const { uploadId: _, ...copied } = record
  const chosen = withMetadata === 'COPY' ? {} : writtenHeaders(request)
  return { ...copied, ...chosen }
}

async function copyTo(
  { services, request, bucket, key, signal }: ObjectCall,
  {
    source,
    path,
    record,
    tags,
    acl,
  }: {
    readonly source: CopySource & { readonly info: ObjectInfo }
    readonly path: string
    readonly record: ObjectRecord
    readonly tags: ObjectInfo['tags']
    readonly acl: ObjectInfo['acl']
  },
) {
  const { stats } = source.info
  const precondition = await writePrecondition(writeConditionsOf(request.headers.record()), () =>
    findObject(services.client, { bucket: bucket.name, key, signal }),
  )
  const xattrs =
    stats.crc32 === undefined ? {} : objectXattrs(record, { length: stats.size, crc32: stats.crc32 }, { tags, acl })
  try {
    return await services.client.copyFile(objectPath(source.bucket, source.key), path, {
      ...precondition,
      ifSourceVersion: stats.version,
      makeParents: true,
      xattrs,
      signal,
    })
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

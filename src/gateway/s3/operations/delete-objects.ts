/**
 * DeleteObject and DeleteObjects: to trash, like any delete; beneath a delete marker, where the bucket keeps versions. What is
 * not there is deleted already.
 * @module
 */
import { isAshlarError } from '../../../base/errors.ts'
import { Limiter } from '../../../env/waiting.ts'
import { checkAccess } from '../door/access.ts'
import { actionOf } from '../door/operation-actions.ts'
import { type S3Answer, toS3Error, xmlAnswer } from '../door/s3-answer.ts'
import type { BucketCall, ObjectCall } from '../door/s3-call.ts'
import { checkDelete, type DeleteConditions, deleteConditionsOf } from '../rules/conditions.ts'
import { checkObjectKey } from '../rules/object-key.ts'
import { S3Error } from '../rules/s3-error.ts'
import { objectPath } from '../store/object-path.ts'
import { markerXattrs } from '../store/object-record.ts'
import { nullVersion, versionIdOfNumber } from '../store/object-versions.ts'
import { conditionTarget, findNewest, isAbsence } from '../store/objects.ts'
import { malformedXml, parseXml, type XmlElement } from '../xml/parse-xml.ts'
import { element, leaf, type Xml, xmlDocument, xmlList } from '../xml/write-xml.ts'
import { mayBypass } from './object-lock-operations.ts'
import { versionNumber } from './versions.ts'

const mostKeys = 1000
/** 1,000 keys of 1,024 bytes, each byte written as a reference of XML. */
const bodyBytes = 8 * 1024 * 1024
const deletesAtOnce = 16
const maxAttempts = 8

export async function deleteObject(call: ObjectCall): Promise<S3Answer> {
  const { request, key } = call
  const { versionId, isDeleteMarker } = await removeKey(call, {
    key,
    versionId: request.query.get('versionId'),
    conditions: deleteConditionsOf(request.headers.record()),
  })
  return {
    status: 204,
    headers: {
      ...(versionId === undefined ? {} : { 'x-amz-version-id': versionId }),
      ...(isDeleteMarker ? { 'x-amz-delete-marker': 'true' } : {}),
    },
  }
}

export async function deleteObjects(call: BucketCall): Promise<S3Answer> {
  const { request } = call
  if (request.headers.get('content-md5') === undefined && !hasChecksum(call)) {
    throw new S3Error('InvalidRequest', 'Missing required header for this request: Content-MD5 OR x-amz-checksum-*')
  }
  const root = parseXml(await call.openBody(bodyBytes).whole())
  const objects = root.all('Object')
  if (root.name !== 'Delete' || objects.length === 0 || objects.length > mostKeys) throw malformedXml()
  const isQuiet = root.textOf('Quiet')?.trim().toLowerCase() === 'true'
  const limiter = new Limiter({ name: 'deletes of one request', slots: deletesAtOnce, maxWaiting: mostKeys })
  const results = await Promise.all(
    objects.map((object) => limiter.run(() => deleteListed(call, object, isQuiet), call.signal)),
  )
  return xmlAnswer(xmlDocument('DeleteResult', xmlList(results)))
}

function hasChecksum({ request }: BucketCall): boolean {
  return [...request.headers.names()].some((name) => name.startsWith('x-amz-checksum-') || name === 'x-amz-trailer')
}

async function deleteListed(call: BucketCall, object: XmlElement, isQuiet: boolean): Promise<Xml | undefined> {
  const key = object.textOf('Key')
  if (key === undefined) throw malformedXml()
  const versionId = object.textOf('VersionId') || undefined
  let removed: Removed
  try {
    checkObjectKey(key)
    // A key of a body is authorised like one of a path.
    const action = actionOf('DeleteObject', { hasVersion: versionId !== undefined && versionId !== 'null' })
    checkAccess(call, { action, bucket: call.bucket, key })
    removed = await removeKey(call, { key, versionId, conditions: conditionsOf(object) })
    const isMarked = removed.isDeleteMarker && versionId === undefined
    const event = isMarked ? 'ObjectRemoved:DeleteMarkerCreated' : 'ObjectRemoved:Delete'
    call.trail.changes.push({ event, key, versionId: removed.versionId })
  } catch (error) {
    const { code, message } = toS3Error(error)
    return element(
      'Error',
      leaf('Key', key),
      leaf('VersionId', versionId),
      leaf('Code', code),
      leaf('Message', message),
    )
  }
  if (isQuiet) return undefined
  const marker = removed.isDeleteMarker ? removed.versionId : undefined
  return element(
    'Deleted',
    leaf('Key', key),
    leaf('VersionId', versionId),
    leaf('DeleteMarker', marker === undefined ? undefined : true),
    leaf('DeleteMarkerVersionId', marker),
  )
}

function conditionsOf(object: XmlElement): DeleteConditions {
  const [ifMatch, time, size] = [object.textOf('ETag'), object.textOf('LastModifiedTime'), object.textOf('Size')]
  return {
    ...(ifMatch === undefined ? {} : { ifMatch }),
    ...(time === undefined ? {} : { ifMatchLastModifiedTime: time }),
    ...(size === undefined ? {} : { ifMatchSize: size }),
  }
}

interface Removed {
  /** The version that went, or the delete marker that came; undefined where the bucket keeps none. */
  readonly versionId?: string | undefined
  readonly isDeleteMarker: boolean
}

async function removeKey(
  call: BucketCall,
  {
    key,
    versionId,
    conditions,
  }: { readonly key: string; readonly versionId: string | undefined; readonly conditions: DeleteConditions },
): Promise<Removed> {
  const { services, bucket, caller, signal } = call
  const objectVersion = versionNumber(versionId, key)
  const bypassGovernance = mayBypass(call, key)
  const { client } = services
  const path = objectPath(bucket.name, key)
  const isConditional = Object.keys(conditions).length > 0
  const nothing = versionId === undefined ? { isDeleteMarker: false } : { versionId, isDeleteMarker: false }
  for (let attempt = 1; ; attempt++) {
    let ifVersion: number | undefined
    if (isConditional) {
      const info = await findNewest(client, { bucket: bucket.name, key, objectVersion, signal })
      checkDelete(conditions, info === undefined ? undefined : conditionTarget(info))
      // Where there is nothing, a condition holds of nothing: no delete marker comes either.
      if (info === undefined) return nothing
      // A delete marker can only be covered by another one.
      if (info?.stats.isDeleteMarker === false) ifVersion = info.stats.version
    }
    try {
      const removed = await client.versions.remove(path, {
        ...{ objectVersion, bypassGovernance, ifVersion, signal },
        markerXattrs: markerXattrs(caller.account?.id),
      })
      if (bucket.versioning === undefined && versionId === undefined) return { isDeleteMarker: removed.isDeleteMarker }
      return {
        versionId: versionIdOfNumber(removed.objectVersion ?? nullVersion),
        isDeleteMarker: removed.isDeleteMarker,
      }
    } catch (error) {
      if (isAbsence(error)) return nothing
      // Replaced meanwhile: the conditions are asked of what is there now.
      if (!isAshlarError(error, 'changed') || attempt === maxAttempts) throw error
    }
  }
}

/** DeleteObject and DeleteObjects: to trash, like any delete. What is not there is deleted already. @module */
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
import { conditionTarget, findObject, isAbsence } from '../store/objects.ts'
import { malformedXml, parseXml, type XmlElement } from '../xml/parse-xml.ts'
import { element, leaf, type Xml, xmlDocument, xmlList } from '../xml/write-xml.ts'
import { checkVersion } from './versions.ts'

const mostKeys = 1000
/** 1,000 keys of 1,024 bytes, each byte written as a reference of XML. */
const bodyBytes = 8 * 1024 * 1024
const deletesAtOnce = 16
const maxAttempts = 8

export async function deleteObject(call: ObjectCall): Promise<S3Answer> {
  const { request, key } = call
  await removeKey(call, {
    key,
    versionId: request.query.get('versionId'),
    conditions: deleteConditionsOf(request.headers.record()),
  })
  return { status: 204 }
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
  const versionId = object.textOf('VersionId')
  try {
    checkObjectKey(key)
    // A key of a body is authorised like one of a path.
    const action = actionOf('DeleteObject', { hasVersion: versionId !== undefined && versionId !== 'null' })
    checkAccess(call, { action, bucket: call.bucket, key })
    await removeKey(call, { key, versionId, conditions: conditionsOf(object) })
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
  return isQuiet ? undefined : element('Deleted', leaf('Key', key), leaf('VersionId', versionId))
}

function conditionsOf(object: XmlElement): DeleteConditions {
  const [ifMatch, time, size] = [object.textOf('ETag'), object.textOf('LastModifiedTime'), object.textOf('Size')]
  return {
    ...(ifMatch === undefined ? {} : { ifMatch }),
    ...(time === undefined ? {} : { ifMatchLastModifiedTime: time }),
    ...(size === undefined ? {} : { ifMatchSize: size }),
  }
}

async function removeKey(
  { services, bucket, signal }: BucketCall,
  {
    key,
    versionId,
    conditions,
  }: { readonly key: string; readonly versionId: string | undefined; readonly conditions: DeleteConditions },
): Promise<void> {
  checkVersion(versionId, key)
  const { client } = services
  const path = objectPath(bucket.name, key)
  const isConditional = Object.keys(conditions).length > 0
  for (let attempt = 1; ; attempt++) {
    let ifVersion: number | undefined
    if (isConditional) {
      const info = await findObject(client, { bucket: bucket.name, key, signal })
      checkDelete(conditions, info === undefined ? undefined : conditionTarget(info))
      if (info === undefined) return
      ifVersion = info.stats.version
    }
    try {
      if (ifVersion === undefined) await client.unlink(path, { signal })
      else await client.rm(path, { ifVersion, signal })
      break
    } catch (error) {
      if (isAbsence(error)) return
      // Replaced meanwhile: the conditions are asked of what is there now.
      if (!isAshlarError(error, 'changed') || attempt === maxAttempts) throw error
    }
  }
}

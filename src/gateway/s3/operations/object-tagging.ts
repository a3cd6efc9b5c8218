/** Tags of objects. @module */
import type { S3Answer } from '../door/s3-answer.ts'
import type { ObjectCall } from '../door/s3-call.ts'
import { checkTags } from '../rules/tags.ts'
import { objectPath } from '../store/object-path.ts'
import { tagsAttribute } from '../store/object-record.ts'
import { parseXml } from '../xml/parse-xml.ts'
import { listedTags, tagsAnswer } from './bucket-settings-operations.ts'
import { requestedVersion, requireObject, versionHeaders } from './versions.ts'

const bodyBytes = 64 * 1024

export async function getObjectTagging(call: ObjectCall): Promise<S3Answer> {
  const { tags, stats } = await requireObject(call)
  const sorted = Object.fromEntries(Object.entries(tags).sort(([a], [b]) => (a < b ? -1 : 1)))
  return { ...tagsAnswer(sorted), headers: versionHeaders(call.bucket, stats) }
}

export async function putObjectTagging(call: ObjectCall): Promise<S3Answer> {
  const { services, bucket, key, signal } = call
  const tags = checkTags(listedTags(parseXml(await call.openBody(bodyBytes).whole())), 'object')
  const { stats } = await requireObject(call)
  const text = JSON.stringify(Object.fromEntries(tags))
  const objectVersion = requestedVersion(call)
  await services.client.setXattr(objectPath(bucket.name, key), tagsAttribute, text, { objectVersion, signal })
  return { status: 200, headers: versionHeaders(bucket, stats) }
}

export async function deleteObjectTagging(call: ObjectCall): Promise<S3Answer> {
  const { services, bucket, key, signal } = call
  const { stats } = await requireObject(call)
  const objectVersion = requestedVersion(call)
  await services.client.removeXattr(objectPath(bucket.name, key), tagsAttribute, { objectVersion, signal })
  return { status: 204, headers: versionHeaders(bucket, stats) }
}

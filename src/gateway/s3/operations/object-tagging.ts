/** Tags of objects. @module */
import type { S3Answer } from '../door/s3-answer.ts'
import type { ObjectCall } from '../door/s3-call.ts'
import { checkTags } from '../rules/tags.ts'
import { objectPath } from '../store/object-path.ts'
import { type ObjectInfo, tagsAttribute } from '../store/object-record.ts'
import { findObject, noSuchKey } from '../store/objects.ts'
import { parseXml } from '../xml/parse-xml.ts'
import { listedTags, tagsAnswer } from './bucket-settings-operations.ts'
import { requireNullVersion } from './versions.ts'

const bodyBytes = 64 * 1024

async function existing(call: ObjectCall): Promise<ObjectInfo> {
  requireNullVersion(call)
  const { services, bucket, key, signal } = call
  const info = await findObject(services.client, { bucket: bucket.name, key, signal })
  if (info === undefined) throw noSuchKey(key)
  return info
}

export async function getObjectTagging(call: ObjectCall): Promise<S3Answer> {
  const { tags } = await existing(call)
  return tagsAnswer(Object.fromEntries(Object.entries(tags).sort(([a], [b]) => (a < b ? -1 : 1))))
}

export async function putObjectTagging(call: ObjectCall): Promise<S3Answer> {
  const { services, bucket, key, signal } = call
  const tags = checkTags(listedTags(parseXml(await call.openBody(bodyBytes).whole())), 'object')
  await existing(call)
  const text = JSON.stringify(Object.fromEntries(tags))
  await services.client.setXattr(objectPath(bucket.name, key), tagsAttribute, text, { signal })
  return { status: 200 }
}

export async function deleteObjectTagging(call: ObjectCall): Promise<S3Answer> {
  const { services, bucket, key, signal } = call
  await existing(call)
  await services.client.removeXattr(objectPath(bucket.name, key), tagsAttribute, { signal })
  return { status: 204 }
}

/** Whether a bucket keeps versions. @module */
import { type S3Answer, xmlAnswer } from '../door/s3-answer.ts'
import type { BucketCall } from '../door/s3-call.ts'
import { nextVersioning } from '../rules/versioning.ts'
import { bucketPath } from '../store/object-path.ts'
import { malformedXml, parseXml } from '../xml/parse-xml.ts'
import { leaf, xmlDocument } from '../xml/write-xml.ts'

const bodyBytes = 64 * 1024
const statuses = { enabled: 'Enabled', suspended: 'Suspended' } as const

export async function getBucketVersioning({ bucket }: BucketCall): Promise<S3Answer> {
  const { versioning } = bucket
  return xmlAnswer(
    xmlDocument('VersioningConfiguration', versioning === undefined ? undefined : leaf('Status', statuses[versioning])),
  )
}

export async function putBucketVersioning(call: BucketCall): Promise<S3Answer> {
  const { services, bucket, signal } = call
  const root = parseXml(await call.openBody(bodyBytes).whole())
  if (root.name !== 'VersioningConfiguration') throw malformedXml()
  const next = nextVersioning(root.textOf('Status')?.trim(), {
    versioning: bucket.versioning ?? 'off',
    hasObjectLock: bucket.objectLock !== undefined,
    mfaDelete: root.textOf('MfaDelete')?.trim(),
  })
  // There is no way back to `off`: the rule never gives it.
  if (next !== 'off') await services.client.versions.configure(bucketPath(bucket.name), { versioning: next, signal })
  return { status: 200 }
}

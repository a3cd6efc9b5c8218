/**
 * From what a request did to the events that its bucket's rules ask for: queued before the answer goes out. Costs nothing where a
 * bucket has no rules.
 * @module
 */
import type { Change, EventName } from '../../../base/notification-rule.ts'
import type { S3Answer } from '../door/s3-answer.ts'
import type { BucketCall } from '../door/s3-call.ts'
import type { OperationName } from '../request/operations.ts'
import { notificationRulesOf } from '../store/bucket-settings.ts'
import { findObject } from '../store/objects.ts'
import type { RequestFacts } from './event-record.ts'

const created: Partial<Record<OperationName, EventName>> = {
  PutObject: 'ObjectCreated:Put',
  CopyObject: 'ObjectCreated:Copy',
  CompleteMultipartUpload: 'ObjectCreated:CompleteMultipartUpload',
}

/** @throws {AshlarError} not all could be queued: the request must not be acknowledged, and is safe to repeat */
export async function publishChanges(call: BucketCall, answer: S3Answer): Promise<void> {
  const { services, bucket, signal } = call
  const { notifier, client } = services
  const rules = notifier === undefined ? [] : notificationRulesOf(bucket)
  if (notifier === undefined || rules.length === 0) return
  const request = requestFacts(call)
  for (const change of [...changesOf(call, answer), ...call.trail.changes]) {
    const isThere = change.event.startsWith('ObjectCreated')
    const info = isThere ? await findObject(client, { bucket: bucket.name, key: change.key, signal }) : undefined
    const facts = info === undefined ? {} : { sizeBytes: info.sizeBytes, eTag: info.record.eTag }
    await notifier.publish(rules, { ...change, ...facts }, request)
  }
}

/** Of operations that name one key in their address; others note theirs in the trail. */
function changesOf({ operation, request }: BucketCall, { status, headers = {} }: S3Answer): readonly Change[] {
  const { key, query } = request
  if (key === undefined || status > 299) return []
  const event = operation === 'DeleteObject' ? removal(headers, query.has('versionId')) : created[operation]
  if (event === undefined) return []
  const versionId = headers['x-amz-version-id']
  return [{ event, key, versionId: versionId === undefined ? undefined : String(versionId) }]
}

function removal(headers: NonNullable<S3Answer['headers']>, namesVersion: boolean): EventName {
  const isMarker = String(headers['x-amz-delete-marker']) === 'true' && !namesVersion
  return isMarker ? 'ObjectRemoved:DeleteMarkerCreated' : 'ObjectRemoved:Delete'
}

export function requestFacts({ services, bucket, caller, requestId, sourceIp }: BucketCall): RequestFacts {
  return {
    ...{ bucket: bucket.name, region: services.region, requestId, sourceIp, userId: caller.account?.id },
    ownerId: bucket.ownerId ?? services.accounts.owner(undefined).id,
    atMs: services.env.clock.wallMs(),
  }
}

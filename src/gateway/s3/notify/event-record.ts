/**
 * What a webhook is sent, in the form of S3's own events, and how it is signed. Pure.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
 * @module
 */
import { createHmac } from 'node:crypto'
import type { Change, ExpiryEvent, NotificationRule } from '../../../base/notification-rule.ts'
import { urlEncodeName } from '../rules/object-key.ts'
import { versionIdOfNumber } from '../store/object-versions.ts'

export interface ChangeFacts extends Change {
  /** Of what is there now; absent of a removal. */
  readonly sizeBytes?: number | undefined
  readonly eTag?: string | undefined
}

export interface RequestFacts {
  readonly bucket: string
  readonly ownerId: string
  readonly region: string
  readonly requestId: string
  readonly sourceIp: string
  /** Undefined: anonymous. */
  readonly userId: string | undefined
  /** Since 1970. */
  readonly atMs: number
}

export function eventJson(rule: Pick<NotificationRule, 'id'>, change: ChangeFacts, request: RequestFacts): string {
  const { bucket, ownerId, region, requestId, sourceIp, userId, atMs } = request
  const record = {
    eventVersion: '2.3',
    eventSource: 'ashlar:s3',
    awsRegion: region,
    eventTime: new Date(atMs).toISOString(),
    eventName: change.event,
    userIdentity: { principalId: userId ?? 'anonymous' },
    requestParameters: { sourceIPAddress: sourceIp },
    responseElements: { 'x-amz-request-id': requestId, 'x-amz-id-2': requestId },
    s3: {
      s3SchemaVersion: '1.0',
      configurationId: rule.id,
      bucket: { name: bucket, ownerIdentity: { principalId: ownerId }, arn: `arn:aws:s3:::${bucket}` },
      object: {
        key: urlEncodeName(change.key).replaceAll('%20', '+'),
        size: change.sizeBytes,
        eTag: change.eTag,
        versionId: change.versionId,
        sequencer: Math.floor(atMs).toString(16).toUpperCase().padStart(16, '0'),
      },
    },
  }
  return JSON.stringify({ Records: [record] })
}

/** Who did what no request asked for, as S3 names it. */
const ownName = 's3.amazonaws.com'

/** Of what a lifecycle rule removed. */
export function expiryJson(
  { ruleId, event, bucket, key, objectVersion, atMs }: ExpiryEvent,
  { ownerId, region, eventId }: Pick<RequestFacts, 'ownerId' | 'region'> & { readonly eventId: string },
): string {
  const versionId = objectVersion === undefined ? undefined : versionIdOfNumber(objectVersion)
  const asked = { requestId: eventId, sourceIp: ownName, userId: ownName }
  return eventJson({ id: ruleId }, { event, key, versionId }, { ...asked, bucket, ownerId, region, atMs })
}

/** What a webhook hears first, so that it can be seen to work. */
export function testEventJson({
  bucket,
  requestId,
  atMs,
}: Pick<RequestFacts, 'bucket' | 'requestId' | 'atMs'>): string {
  const time = new Date(atMs).toISOString()
  return JSON.stringify({
    ...{ Service: 'Ashlar S3', Event: 's3:TestEvent', Time: time, Bucket: bucket },
    ...{ RequestId: requestId, HostId: requestId },
  })
}

/**
 * `t=SECONDS,v1=HEX`: HMAC-SHA256 of `SECONDS.BODY` under the webhook's secret. Whoever receives it compares in constant time, and
 * refuses one that is minutes old.
 */
export function eventSignature(
  body: string,
  { secret, atMs }: { readonly secret: string; readonly atMs: number },
): string {
  const seconds = Math.floor(atMs / 1000)
  return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`
}

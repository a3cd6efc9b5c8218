/** What a bucket tells of itself to others: notifications to webhooks, and access logs to a bucket. @module */
import type { NotificationRule } from '../../../base/notification-rule.ts'
import { checkAccess } from '../door/access.ts'
import { type S3Answer, xmlAnswer } from '../door/s3-answer.ts'
import type { BucketCall } from '../door/s3-call.ts'
import type { LogKeyFormat, LogTarget } from '../notify/log-target.ts'
import { notificationXml, parseNotificationRules } from '../notify/notification-rules.ts'
import { requestFacts } from '../notify/publish-changes.ts'
import { S3Error } from '../rules/s3-error.ts'
import { documentNames, loggingOf, notificationRulesOf } from '../store/bucket-settings.ts'
import { malformedXml, parseXml, type XmlElement } from '../xml/parse-xml.ts'
import { element, leaf, type Xml, xmlDocument } from '../xml/write-xml.ts'

const documentBytes = 64 * 1024

export async function getBucketNotification({ bucket }: BucketCall): Promise<S3Answer> {
  return xmlAnswer(notificationXml(notificationRulesOf(bucket)))
}

/** @throws {S3Error} `InvalidArgument`: it names a webhook that no administrator has declared */
export async function putBucketNotification(call: BucketCall): Promise<S3Answer> {
  const { services, bucket, signal, request } = call
  const { notifier, env } = services
  if (notifier === undefined) throw new S3Error('NotImplemented', 'This gateway sends no notifications.')
  const root = parseXml(await call.openBody(documentBytes).whole())
  const rules = parseNotificationRules(root, () => env.random.bytes(12).toString('hex'))
  const webhooks = new Set(rules.map(({ webhook }) => webhook))
  for (const webhook of webhooks) {
    if ((await notifier.targets.find(webhook, { signal })) === undefined) {
      throw new S3Error('InvalidArgument', 'Unable to validate the following destination configurations', {
        details: { ArgumentName: webhook.slice(0, 64), ArgumentValue: 'There is no such webhook: ashlar webhook add' },
      })
    }
  }
  const known = new Set(notificationRulesOf(bucket).map(({ webhook }) => webhook))
  await services.buckets.putDocument(bucket.name, {
    name: documentNames.notification,
    text: JSON.stringify(rules satisfies readonly NotificationRule[]),
    signal,
  })
  if (request.headers.get('x-amz-skip-destination-validation')?.toLowerCase() === 'true') return { status: 200 }
  for (const webhook of webhooks) {
    if (!known.has(webhook)) await notifier.publishTest(webhook, requestFacts(call))
  }
  return { status: 200 }
}

export async function getBucketLogging({ bucket }: BucketCall): Promise<S3Answer> {
  const target = loggingOf(bucket)
  const enabled =
    target &&
    element(
      'LoggingEnabled',
      leaf('TargetBucket', target.targetBucket),
      leaf('TargetPrefix', target.targetPrefix),
      target.keyFormat && element('TargetObjectKeyFormat', keyFormatXml(target.keyFormat)),
    )
  return xmlAnswer(xmlDocument('BucketLoggingStatus', enabled))
}

/** Whoever turns logging on must be one who may write into the target. */
export async function putBucketLogging(call: BucketCall): Promise<S3Answer> {
  const { services, bucket, signal } = call
  const root = parseXml(await call.openBody(documentBytes).whole())
  if (root.name !== 'BucketLoggingStatus') throw malformedXml()
  const enabled = root.child('LoggingEnabled')
  const name = documentNames.logging
  if (enabled === undefined) {
    await services.buckets.removeDocument(bucket.name, { name, signal })
    return { status: 200 }
  }
  if ((enabled.child('TargetGrants')?.all('Grant').length ?? 0) > 0) {
    throw new S3Error('NotImplemented', 'Grants for the objects of a log are not implemented: use a policy.')
  }
  const keyFormat = keyFormatOf(enabled.child('TargetObjectKeyFormat'))
  const target: LogTarget = {
    ...(keyFormat === undefined ? {} : { keyFormat }),
    targetBucket: enabled.textOf('TargetBucket')?.trim() ?? '',
    targetPrefix: enabled.textOf('TargetPrefix') ?? '',
  }
  if (target.targetBucket === '' || Buffer.byteLength(target.targetPrefix) > 800) throw malformedXml()
  const found = await services.buckets.find(target.targetBucket, { signal })
  if (found === undefined) {
    throw new S3Error('InvalidTargetBucketForLogging', 'The target bucket for logging does not exist', {
      details: { TargetBucket: target.targetBucket.slice(0, 64) },
    })
  }
  checkAccess(call, { action: 's3:PutObject', bucket: found, key: target.targetPrefix || 'log' })
  await services.buckets.putDocument(bucket.name, { name, text: JSON.stringify(target), signal })
  return { status: 200 }
}

/** @throws {S3Error} `MalformedXML` */
function keyFormatOf(format: XmlElement | undefined): LogKeyFormat | undefined {
  if (format === undefined) return undefined
  const partitioned = format.child('PartitionedPrefix')
  if ((format.child('SimplePrefix') === undefined) === (partitioned === undefined)) throw malformedXml()
  if (partitioned === undefined) return 'simple'
  const source = partitioned.textOf('PartitionDateSource')?.trim() ?? 'DeliveryTime'
  if (source !== 'EventTime' && source !== 'DeliveryTime') throw malformedXml()
  return source
}

function keyFormatXml(format: LogKeyFormat): Xml {
  if (format === 'simple') return element('SimplePrefix')
  return element('PartitionedPrefix', leaf('PartitionDateSource', format))
}

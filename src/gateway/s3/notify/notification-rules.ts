/**
 * Which changes of a bucket are told to which webhook: rules as PutBucketNotificationConfiguration has them, read and shown. Pure.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html
 * @module
 */
import { eventNames, type NotificationRule } from '../../../base/notification-rule.ts'
import { malformedXml, S3Error } from '../rules/s3-error.ts'
import type { XmlElement } from '../xml/parse-xml.ts'
import { element, leaf, type Xml, xmlDocument, xmlList } from '../xml/write-xml.ts'

const mostRules = 100
const arnPrefix = 'arn:ashlar:webhook:::'
const knownEvents = new Set<string>([
  's3:ObjectCreated:*',
  's3:ObjectRemoved:*',
  's3:LifecycleExpiration:*',
  ...eventNames.map((name) => `s3:${name}`),
])

export function webhookArn(name: string): string {
  return `${arnPrefix}${name}`
}

/**
 * @param newId names a rule that has no id
 * @throws {S3Error} `MalformedXML`, `InvalidArgument`: an event, filter or destination that is none here
 */
export function parseNotificationRules(root: XmlElement, newId: () => string): readonly NotificationRule[] {
  if (root.name !== 'NotificationConfiguration') throw malformedXml()
  const other = root.children.find(({ name }) => name !== 'QueueConfiguration')
  if (other !== undefined) {
    throw invalid(`Here a destination is a webhook, named as the Queue of a QueueConfiguration: ${arnPrefix}NAME`)
  }
  const rules = root.all('QueueConfiguration').map((rule) => parseRule(rule, newId))
  if (rules.length > mostRules) throw invalid(`A bucket has at most ${mostRules} notifications`)
  const ids = new Set(rules.map(({ id }) => id))
  if (ids.size !== rules.length) throw invalid('Two notifications have the same Id')
  return rules
}

function parseRule(rule: XmlElement, newId: () => string): NotificationRule {
  const arn = rule.textOf('Queue')?.trim() ?? ''
  if (!arn.startsWith(arnPrefix)) throw invalid(`The ARN is not well formed: it is ${arnPrefix}NAME`)
  const events = rule.all('Event').map(({ text }) => text.trim())
  if (events.length === 0) throw malformedXml()
  if (events.some((event) => !knownEvents.has(event))) {
    throw invalid('The event is not supported for notifications')
  }
  const filters = rule.child('Filter')?.child('S3Key')?.all('FilterRule') ?? []
  const values = new Map<string, string>()
  for (const filter of filters) {
    const name = filter.textOf('Name')?.trim().toLowerCase() ?? ''
    if (name !== 'prefix' && name !== 'suffix') throw invalid('filter rule name must be either prefix or suffix')
    if (values.has(name)) throw invalid(`Cannot specify more than one ${name} rule in a filter.`)
    values.set(name, filter.textOf('Value') ?? '')
  }
  const id = rule.textOf('Id')?.trim()
  return {
    id: id === undefined || id === '' ? newId() : id.slice(0, 255),
    webhook: arn.slice(arnPrefix.length),
    events,
    prefix: values.get('prefix') ?? '',
    suffix: values.get('suffix') ?? '',
  }
}

export function notificationXml(rules: readonly NotificationRule[]): string {
  return xmlDocument(
    'NotificationConfiguration',
    ...rules.map(({ id, webhook, events, prefix, suffix }) =>
      element(
        'QueueConfiguration',
        leaf('Id', id),
        leaf('Queue', webhookArn(webhook)),
        xmlList(events.map((event) => leaf('Event', event))),
        filterXml([
          ['prefix', prefix],
          ['suffix', suffix],
        ]),
      ),
    ),
  )
}

function filterXml(rules: readonly (readonly [string, string])[]): Xml | undefined {
  const given = rules.filter(([, value]) => value !== '')
  if (given.length === 0) return undefined
  const list = given.map(([name, value]) => element('FilterRule', leaf('Name', name), leaf('Value', value)))
  return element('Filter', element('S3Key', ...list))
}

function invalid(message: string): S3Error {
  return new S3Error('InvalidArgument', message)
}

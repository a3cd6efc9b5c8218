/** Lifecycle rules of a bucket: put, told and removed. The cluster's leader carries them out. @module */
import {
  formatLifecycle,
  type LifecycleFilter,
  type LifecycleRule,
  parseLifecycle,
} from '../../../base/lifecycle-rule.ts'
import { type S3Answer, xmlAnswer } from '../door/s3-answer.ts'
import type { BucketCall } from '../door/s3-call.ts'
import type { S3Request } from '../request/s3-request.ts'
import { expirationHeader } from '../rules/lifecycle/expiration-header.ts'
import {
  checkLifecycleRules,
  type RawLifecycleFilter,
  type RawLifecycleRule,
} from '../rules/lifecycle/lifecycle-rule.ts'
import { S3Error } from '../rules/s3-error.ts'
import { formatIsoTime } from '../rules/timestamps.ts'
import { parsedDocument } from '../store/bucket-settings.ts'
import type { Bucket } from '../store/buckets.ts'
import { lastModifiedMs, type ObjectInfo } from '../store/object-record.ts'
import { malformedXml, parseXml, type XmlElement } from '../xml/parse-xml.ts'
import { element, leaf, type Xml, xmlDocument, xmlList } from '../xml/write-xml.ts'

const documentName = 'lifecycle'
const bodyBytes = 1024 * 1024
const idBytes = 16
/** There are no transitions: S3's own default is as true as any. */
const leastTransition = { 'x-amz-transition-default-minimum-object-size': 'all_storage_classes_128K' } as const

export async function getBucketLifecycle({ bucket }: BucketCall): Promise<S3Answer> {
  const rules = lifecycleRulesOf(bucket)
  if (rules === undefined) {
    throw new S3Error('NoSuchLifecycleConfiguration', 'The lifecycle configuration does not exist', {
      details: { BucketName: bucket.name },
    })
  }
  return xmlAnswer(xmlDocument('LifecycleConfiguration', xmlList(rules.map(ruleXml))), leastTransition)
}

export async function putBucketLifecycle(call: BucketCall): Promise<S3Answer> {
  const { services, request, bucket, signal } = call
  checkLeastTransition(request)
  const root = parseXml(await call.openBody(bodyBytes).whole())
  if (root.name !== 'LifecycleConfiguration') throw malformedXml()
  const newRuleId = () => services.env.random.bytes(idBytes).toString('hex')
  const rules = checkLifecycleRules(root.all('Rule').map(rawRule), newRuleId)
  await services.buckets.putDocument(bucket.name, { name: documentName, text: formatLifecycle(rules), signal })
  return { status: 200, headers: leastTransition }
}

function checkLeastTransition({ headers }: S3Request): void {
  const [[name, own]] = Object.entries(leastTransition) as [[string, string]]
  const asked = headers.get(name) ?? own
  if (asked === own) return
  if (asked !== 'varies_by_storage_class') throw new S3Error('InvalidRequest', `${name} has no such value.`)
  throw new S3Error('NotImplemented', 'There is one storage class: lifecycle transitions are not implemented.')
}

export async function deleteBucketLifecycle({ services, bucket, signal }: BucketCall): Promise<S3Answer> {
  await services.buckets.removeDocument(bucket.name, { name: documentName, signal })
  return { status: 204 }
}

export function lifecycleRulesOf(bucket: Pick<Bucket, 'documents'>): readonly LifecycleRule[] | undefined {
  return parsedDocument(bucket, documentName, parseLifecycle)
}

/** Of an answer about a current version: when a rule ends it. */
export function expirationHeaders(
  bucket: Pick<Bucket, 'documents'>,
  key: string,
  { stats, sizeBytes, tags }: Pick<ObjectInfo, 'stats' | 'sizeBytes' | 'tags'>,
): Record<string, string> {
  const rules = lifecycleRulesOf(bucket)
  if (rules === undefined) return {}
  const about = { key, sizeBytes, lastModifiedMs: lastModifiedMs(stats), tags: new Map(Object.entries(tags)) }
  const text = expirationHeader(rules, about)
  return text === undefined ? {} : { 'x-amz-expiration': text }
}

function rawRule(rule: XmlElement): RawLifecycleRule {
  const filter = rule.child('Filter')
  const expiration = rule.child('Expiration')
  const noncurrent = rule.child('NoncurrentVersionExpiration')
  const abort = rule.child('AbortIncompleteMultipartUpload')
  const transitions = [...rule.all('Transition'), ...rule.all('NoncurrentVersionTransition')]
  return {
    status: textOf(rule, 'Status') ?? '',
    ...texts(rule, { id: 'ID', prefix: 'Prefix' }),
    ...(filter === undefined ? {} : { filter: rawFilterWithAnd(filter) }),
    ...(expiration === undefined
      ? {}
      : {
          expiration: texts(expiration, {
            days: 'Days',
            date: 'Date',
            expiredObjectDeleteMarker: 'ExpiredObjectDeleteMarker',
          }),
        }),
    ...(noncurrent === undefined
      ? {}
      : {
          noncurrentVersionExpiration: texts(noncurrent, {
            noncurrentDays: 'NoncurrentDays',
            newerNoncurrentVersions: 'NewerNoncurrentVersions',
          }),
        }),
    ...(abort === undefined
      ? {}
      : { abortIncompleteMultipartUpload: texts(abort, { daysAfterInitiation: 'DaysAfterInitiation' }) }),
    transitions: transitions.map((one) => texts(one, { days: 'Days', date: 'Date' })),
  }
}

function rawFilterWithAnd(filter: XmlElement): NonNullable<RawLifecycleRule['filter']> {
  const and = filter.child('And')
  return { ...rawFilter(filter), ...(and === undefined ? {} : { and: rawFilter(and) }) }
}

function rawFilter(filter: XmlElement): RawLifecycleFilter {
  const tags = filter.all('Tag').map((tag) => ({ key: tag.textOf('Key') ?? '', value: tag.textOf('Value') ?? '' }))
  return {
    ...texts(filter, {
      prefix: 'Prefix',
      objectSizeGreaterThan: 'ObjectSizeGreaterThan',
      objectSizeLessThan: 'ObjectSizeLessThan',
    }),
    ...(tags.length === 0 ? {} : { tags }),
  }
}

/** Those that are there, by their own names. */
function texts<Names extends Record<string, string>>(
  parent: XmlElement,
  names: Names,
): { [Name in keyof Names]?: string } {
  const found: { [Name in keyof Names]?: string } = {}
  for (const [name, elementName] of Object.entries(names) as [keyof Names, string][]) {
    const text = parent.textOf(elementName)
    // Of texts that are shown again, blanks count.
    if (text !== undefined) found[name] = elementName === 'Prefix' || elementName === 'ID' ? text : text.trim()
  }
  return found
}

function textOf(parent: XmlElement, name: string): string | undefined {
  return parent.textOf(name)?.trim()
}

function ruleXml({
  id,
  isEnabled,
  hasOldForm,
  filter,
  expiration,
  noncurrent,
  abortUploadsAfterDays,
}: LifecycleRule): Xml {
  return element(
    'Rule',
    leaf('ID', id),
    hasOldForm === true ? leaf('Prefix', filter.prefix) : filterXml(filter),
    leaf('Status', isEnabled ? 'Enabled' : 'Disabled'),
    expiration && element('Expiration', expirationXml(expiration)),
    noncurrent &&
      element(
        'NoncurrentVersionExpiration',
        leaf('NoncurrentDays', noncurrent.days),
        noncurrent.newerVersionsKept === 0 ? undefined : leaf('NewerNoncurrentVersions', noncurrent.newerVersionsKept),
      ),
    abortUploadsAfterDays === undefined
      ? undefined
      : element('AbortIncompleteMultipartUpload', leaf('DaysAfterInitiation', abortUploadsAfterDays)),
  )
}

function expirationXml(expiration: NonNullable<LifecycleRule['expiration']>): Xml {
  if (expiration.kind === 'days') return leaf('Days', expiration.days) as Xml
  if (expiration.kind === 'date') return leaf('Date', formatIsoTime(expiration.dateMs)) as Xml
  return leaf('ExpiredObjectDeleteMarker', true) as Xml
}

function filterXml({ prefix, tags, sizeGreaterThanBytes, sizeLessThanBytes }: LifecycleFilter): Xml {
  const parts = [
    ...(prefix === '' ? [] : [leaf('Prefix', prefix)]),
    ...[...tags].map(([key, value]) => element('Tag', leaf('Key', key), leaf('Value', value))),
    ...(sizeGreaterThanBytes === undefined ? [] : [leaf('ObjectSizeGreaterThan', sizeGreaterThanBytes)]),
    ...(sizeLessThanBytes === undefined ? [] : [leaf('ObjectSizeLessThan', sizeLessThanBytes)]),
  ]
  if (parts.length === 0) return element('Filter', leaf('Prefix', ''))
  return parts.length === 1 ? element('Filter', parts[0]) : element('Filter', element('And', ...parts))
}

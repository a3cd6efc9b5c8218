/**
 * What can be declared of a bucket, section by section: its shape, the parameter of S3 that sets it, and what tells that it is
 * so already. Rules have the field names of AWS's own JSON.
 * @module
 */
import { isDeepStrictEqual } from 'node:util'
import { parseXml, type XmlElement } from '../../../gateway/s3/xml/parse-xml.ts'
import { xmlDocument } from '../../../gateway/s3/xml/write-xml.ts'
import { asObject, boolean, checkShape, listOf, number, object, oneOf, type Shape, shapeXml, text } from './shape.ts'

export interface Section {
  /** Of the URL: `?cors`. */
  readonly parameter: string
  /** @throws {AshlarError} `invalid-argument`, naming the path */
  check(value: unknown, path: string): void
  /** What is sent to make it so. */
  bodyOf(value: unknown): string
  /** Whether `body`, as the door tells it now, says the same. */
  isSame(value: unknown, body: Buffer): boolean
  /** `null` takes it away by DELETE. Absent: there is nothing to take away. */
  readonly canRemove: boolean
}

const tag = object({ Key: ['Key', text], Value: ['Value', text] })
const sizes = {
  ObjectSizeGreaterThan: ['ObjectSizeGreaterThan', number],
  ObjectSizeLessThan: ['ObjectSizeLessThan', number],
} as const

const corsRule = object({
  ID: ['ID', text],
  AllowedHeaders: ['AllowedHeader', listOf(text)],
  AllowedMethods: ['AllowedMethod', listOf(text)],
  AllowedOrigins: ['AllowedOrigin', listOf(text)],
  ExposeHeaders: ['ExposeHeader', listOf(text)],
  MaxAgeSeconds: ['MaxAgeSeconds', number],
})

const lifecycleRule = object({
  ID: ['ID', text],
  Filter: [
    'Filter',
    object({
      Prefix: ['Prefix', text],
      Tag: ['Tag', tag],
      ...sizes,
      And: ['And', object({ Prefix: ['Prefix', text], Tags: ['Tag', listOf(tag)], ...sizes })],
    }),
  ],
  Status: ['Status', oneOf('Enabled', 'Disabled')],
  Expiration: [
    'Expiration',
    object({
      Days: ['Days', number],
      Date: ['Date', text],
      ExpiredObjectDeleteMarker: ['ExpiredObjectDeleteMarker', boolean],
    }),
  ],
  NoncurrentVersionExpiration: [
    'NoncurrentVersionExpiration',
    object({
      NoncurrentDays: ['NoncurrentDays', number],
      NewerNoncurrentVersions: ['NewerNoncurrentVersions', number],
    }),
  ],
  AbortIncompleteMultipartUpload: [
    'AbortIncompleteMultipartUpload',
    object({ DaysAfterInitiation: ['DaysAfterInitiation', number] }),
  ],
})

const notification = object({
  Id: ['Id', text],
  QueueArn: ['Queue', text],
  Events: ['Event', listOf(text)],
  Filter: [
    'Filter',
    object({
      Key: [
        'S3Key',
        object({
          FilterRules: [
            'FilterRule',
            listOf(object({ Name: ['Name', oneOf('prefix', 'suffix')], Value: ['Value', text] })),
          ],
        }),
      ],
    }),
  ],
})

const accessBlock = object({
  BlockPublicAcls: ['BlockPublicAcls', boolean],
  IgnorePublicAcls: ['IgnorePublicAcls', boolean],
  BlockPublicPolicy: ['BlockPublicPolicy', boolean],
  RestrictPublicBuckets: ['RestrictPublicBuckets', boolean],
})

/** In the order in which they are made so: what opens a bucket comes after what closes it, versions before what counts on them. */
export const bucketSections = {
  ownership: xmlSection({
    parameter: 'ownershipControls',
    root: 'OwnershipControls',
    shape: oneOf('BucketOwnerEnforced', 'BucketOwnerPreferred', 'ObjectWriter'),
    full: object({ Rule: ['Rule', object({ ObjectOwnership: ['ObjectOwnership', text] })] }),
    expand: (value) => ({ Rule: { ObjectOwnership: value } }),
  }),
  publicAccessBlock: xmlSection({
    parameter: 'publicAccessBlock',
    root: 'PublicAccessBlockConfiguration',
    shape: accessBlock,
    // A switch that is not named is off, and is told so.
    expand: (value) => ({ ...allOff, ...(value as object) }),
  }),
  policy: policySection(),
  versioning: xmlSection({
    parameter: 'versioning',
    root: 'VersioningConfiguration',
    shape: oneOf('Enabled', 'Suspended'),
    full: object({ Status: ['Status', text] }),
    expand: (value) => ({ Status: value }),
    canRemove: false,
  }),
  encryption: xmlSection({
    parameter: 'encryption',
    root: 'ServerSideEncryptionConfiguration',
    shape: oneOf('AES256'),
    full: object({
      Rule: [
        'Rule',
        object({
          Default: ['ApplyServerSideEncryptionByDefault', object({ SSEAlgorithm: ['SSEAlgorithm', text] })],
        }),
      ],
    }),
    expand: (value) => ({ Rule: { Default: { SSEAlgorithm: value } } }),
    ignored: ['BucketKeyEnabled'],
  }),
  tags: xmlSection({
    parameter: 'tagging',
    root: 'Tagging',
    check: (value, path) => {
      for (const [name, one] of Object.entries(asObject(value, path))) checkShape(one, text, `${path}.${name}`)
    },
    full: object({ TagSet: ['TagSet', object({ Tags: ['Tag', listOf(tag)] })] }),
    expand: (value) => ({ TagSet: { Tags: Object.entries(value as object).map(([Key, Value]) => ({ Key, Value })) } }),
  }),
  cors: listSection({ parameter: 'cors', root: 'CORSConfiguration', item: 'CORSRule', shape: corsRule }),
  lifecycle: listSection({
    parameter: 'lifecycle',
    root: 'LifecycleConfiguration',
    item: 'Rule',
    shape: lifecycleRule,
  }),
  notifications: listSection({
    parameter: 'notification',
    root: 'NotificationConfiguration',
    item: 'QueueConfiguration',
    shape: notification,
    canRemove: false,
  }),
  logging: xmlSection({
    parameter: 'logging',
    root: 'BucketLoggingStatus',
    shape: object({ TargetBucket: ['TargetBucket', text], TargetPrefix: ['TargetPrefix', text] }),
    full: object({
      LoggingEnabled: [
        'LoggingEnabled',
        object({ TargetBucket: ['TargetBucket', text], TargetPrefix: ['TargetPrefix', text] }),
      ],
    }),
    expand: (value) =>
      'TargetBucket' in (value as object) ? { LoggingEnabled: { TargetPrefix: '', ...(value as object) } } : {},
    canRemove: false,
  }),
} as const satisfies Record<string, Section>

export type SectionName = keyof typeof bucketSections
export const sectionNames = Object.keys(bucketSections) as SectionName[]

const allOff = {
  BlockPublicAcls: false,
  IgnorePublicAcls: false,
  BlockPublicPolicy: false,
  RestrictPublicBuckets: false,
}

interface XmlSection {
  readonly parameter: string
  readonly root: string
  /** As it is declared. */
  readonly shape?: Shape
  readonly check?: Section['check']
  /** As S3 has it, where that is another. */
  readonly full?: Shape
  readonly expand?: (value: unknown) => unknown
  readonly canRemove?: boolean
  /** Elements of the answer that say nothing of what was declared. */
  readonly ignored?: readonly string[]
}

function xmlSection(section: XmlSection): Section {
  const { parameter, root, shape, full = shape as Shape, expand = (value) => value, ignored = [] } = section
  const check = section.check ?? ((value: unknown, path: string) => checkShape(value, shape as Shape, path))
  const bodyOf = (value: unknown) => {
    const { fields } = full as Extract<Shape, { kind: 'object' }>
    const given = expand(value) as Readonly<Record<string, unknown>>
    const children = Object.entries(fields)
      .filter(([name]) => given[name] !== undefined)
      .map(([name, [xmlName, fieldShape]]) => shapeXml(xmlName, given[name], fieldShape))
    return xmlDocument(root, ...children)
  }
  return {
    parameter,
    check,
    bodyOf,
    isSame: (value, body) =>
      isDeepStrictEqual(treeOf(parseXml(Buffer.from(bodyOf(value))), ignored), treeOf(parseXml(body), ignored)),
    canRemove: section.canRemove ?? true,
  }
}

function listSection({
  item,
  shape,
  ...section
}: XmlSection & { readonly item: string; readonly shape: Shape }): Section {
  return xmlSection({
    ...section,
    shape: listOf(shape),
    full: object({ items: [item, listOf(shape)] }),
    expand: (items) => ({ items }),
  })
}

function policySection(): Section {
  return {
    parameter: 'policy',
    check: (value, path) => {
      asObject(value, path)
    },
    bodyOf: (value) => JSON.stringify(value),
    isSame: (value, body) => isDeepStrictEqual(value, JSON.parse(body.toString('utf8'))),
    canRemove: true,
  }
}

/** Without what documents of one meaning may differ in: the order of siblings, and space around text. */
function treeOf(element: XmlElement, ignored: readonly string[]): unknown {
  const children = element.children.filter(({ name }) => !ignored.includes(name)).map((child) => treeOf(child, ignored))
  const sorted = children.map((child) => JSON.stringify(child)).sort()
  return [element.name, children.length === 0 ? element.text.trim() : '', sorted]
}

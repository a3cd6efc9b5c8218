/**
 * ListObjects, its second version, and ListObjectVersions of a bucket without versions (each object is its own version, `null`).
 *
 * A page is what the tree has behind the marker, so paging goes on rightly whatever was written meanwhile.
 * @module
 */
import type { ListedObject } from '../../../client/index.ts'
import { type S3Answer, xmlAnswer } from '../door/s3-answer.ts'
import type { BucketCall } from '../door/s3-call.ts'
import { invalidArgument } from '../rules/s3-error.ts'
import { formatIsoTime } from '../rules/timestamps.ts'
import { lastModifiedMs, objectInfo } from '../store/object-record.ts'
import { element, leaf, type Xml, xmlDocument, xmlList } from '../xml/write-xml.ts'
import { accountXml, countParameter, nameEncoding, quoted } from './answer-parts.ts'

const pageKeys = 1000
/** Asked of the master at once: it makes the next ones while these become XML, and answers others in between. */
const keysAtOnce = 250

interface Page {
  readonly items: readonly ListedObject[]
  readonly isTruncated: boolean
  /** The last item's key or prefix, where there is more. */
  readonly next: string | undefined
}

interface PageRequest {
  readonly prefix: string
  readonly delimiter: string
  readonly after: string
  readonly maxKeys: number
}

export async function listObjects(call: BucketCall): Promise<S3Answer> {
  const { query } = call.request
  const encode = nameEncoding(call.request)
  const marker = query.get('marker') ?? ''
  const asked = { ...pageRequestOf(call), after: marker }
  const page = await readPage(call, asked)
  const { items, isTruncated, next } = page
  return xmlAnswer(
    xmlDocument(
      'ListBucketResult',
      leaf('Name', call.bucket.name),
      // As it was sent: clients decode everything else.
      leaf('Prefix', asked.prefix),
      leaf('Marker', encode(marker)),
      leaf('MaxKeys', asked.maxKeys),
      asked.delimiter === '' ? undefined : leaf('Delimiter', encode(asked.delimiter)),
      leaf('IsTruncated', isTruncated),
      leaf('EncodingType', query.get('encoding-type')),
      // Only told where a client could not take the last key for it.
      asked.delimiter === '' || next === undefined ? undefined : leaf('NextMarker', encode(next)),
      contentsXml(call, items, { encode, withOwner: true }),
      prefixesXml(items, encode),
    ),
  )
}

export async function listObjectsV2(call: BucketCall): Promise<S3Answer> {
  const { query } = call.request
  const encode = nameEncoding(call.request)
  const token = query.get('continuation-token')
  const startAfter = query.get('start-after')
  const asked = { ...pageRequestOf(call), after: token === undefined ? (startAfter ?? '') : markerOf(token) }
  const { items, isTruncated, next } = await readPage(call, asked)
  return xmlAnswer(
    xmlDocument(
      'ListBucketResult',
      leaf('Name', call.bucket.name),
      leaf('Prefix', encode(asked.prefix)),
      leaf('MaxKeys', asked.maxKeys),
      leaf('KeyCount', items.length),
      asked.delimiter === '' ? undefined : leaf('Delimiter', encode(asked.delimiter)),
      leaf('IsTruncated', isTruncated),
      leaf('EncodingType', query.get('encoding-type')),
      leaf('ContinuationToken', token),
      leaf('NextContinuationToken', next === undefined ? undefined : tokenOf(next)),
      leaf('StartAfter', startAfter === undefined ? undefined : encode(startAfter)),
      contentsXml(call, items, { encode, withOwner: query.get('fetch-owner') === 'true' }),
      prefixesXml(items, encode),
    ),
  )
}

function pageRequestOf({ request }: BucketCall): Omit<PageRequest, 'after'> {
  const { query } = request
  return {
    prefix: query.get('prefix') ?? '',
    delimiter: query.get('delimiter') ?? '',
    maxKeys: countParameter(request, 'max-keys', pageKeys),
  }
}

async function readPage(call: BucketCall, { prefix, delimiter, after, maxKeys }: PageRequest): Promise<Page> {
  const items: ListedObject[] = []
  if (maxKeys === 0) return { items, isTruncated: false, next: undefined }
  const listed = call.services.client.listObjects(call.bucket.name, {
    ...{ prefix, delimiter, after, signal: call.signal, xattrs: true },
    pageEntries: Math.min(keysAtOnce, maxKeys + 1),
    // The last tells whether there is more.
    maxEntries: maxKeys + 1,
  })
  let last: string | undefined
  for await (const item of listed) {
    if (items.length === maxKeys) return { items, isTruncated: true, next: last }
    items.push(item)
    last = 'key' in item ? item.key : item.prefix
  }
  return { items, isTruncated: false, next: undefined }
}

function contentsXml(
  { services }: BucketCall,
  items: readonly ListedObject[],
  options: {
    readonly encode: (name: string) => string
    readonly withOwner: boolean
  },
): Xml {
  const { encode, withOwner } = options
  return xmlList(
    items.map((item) => {
      if (!('key' in item)) return undefined
      const { stats, record, sizeBytes } = objectInfo(item.stats)
      const owner = services.accounts.owner(record.owner)
      return element(
        'Contents',
        leaf('Key', encode(item.key)),
        leaf('LastModified', formatIsoTime(lastModifiedMs(stats))),
        leaf('ETag', quoted(record.eTag)),
        leaf('ChecksumAlgorithm', record.checksum?.algorithm),
        leaf('ChecksumType', record.checksum?.type),
        leaf('Size', sizeBytes),
        withOwner ? accountXml('Owner', owner) : undefined,
        leaf('StorageClass', record.headers['x-amz-storage-class'] ?? 'STANDARD'),
      )
    }),
  )
}

function prefixesXml(items: readonly ListedObject[], encode: (name: string) => string): Xml {
  return xmlList(
    items.map((item) => ('key' in item ? undefined : element('CommonPrefixes', leaf('Prefix', encode(item.prefix))))),
  )
}

/** Opaque to clients. */
function tokenOf(marker: string): string {
  return Buffer.from(marker).toString('base64url')
}

function markerOf(token: string): string {
  const marker = Buffer.from(token, 'base64url').toString('utf8')
  if (tokenOf(marker) === token) return marker
  throw invalidArgument('The continuation token provided is incorrect', {
    name: 'continuation-token',
    value: token.slice(0, 1024),
  })
}

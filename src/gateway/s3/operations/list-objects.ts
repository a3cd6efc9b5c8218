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

/** As XML: of a thousand keys only that is kept, since a collection of garbage copies what is. */
interface Page {
  readonly keyCount: number
  readonly contents: Xml
  readonly prefixes: Xml
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

type ListedKey = Extract<ListedObject, { readonly key: string }>

interface Writing {
  readonly encode: (name: string) => string
  readonly withOwner: boolean
}

export async function listObjects(call: BucketCall): Promise<S3Answer> {
  const { query } = call.request
  const encode = nameEncoding(call.request)
  const marker = query.get('marker') ?? ''
  const asked = { ...pageRequestOf(call), after: marker }
  const { contents, prefixes, isTruncated, next } = await readPage(call, asked, { encode, withOwner: true })
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
      contents,
      prefixes,
    ),
  )
}

export async function listObjectsV2(call: BucketCall): Promise<S3Answer> {
  const { query } = call.request
  const encode = nameEncoding(call.request)
  const token = query.get('continuation-token')
  const startAfter = query.get('start-after')
  const asked = { ...pageRequestOf(call), after: token === undefined ? (startAfter ?? '') : markerOf(token) }
  const withOwner = query.get('fetch-owner') === 'true'
  const { keyCount, contents, prefixes, isTruncated, next } = await readPage(call, asked, { encode, withOwner })
  return xmlAnswer(
    xmlDocument(
      'ListBucketResult',
      leaf('Name', call.bucket.name),
      leaf('Prefix', encode(asked.prefix)),
      leaf('MaxKeys', asked.maxKeys),
      leaf('KeyCount', keyCount),
      asked.delimiter === '' ? undefined : leaf('Delimiter', encode(asked.delimiter)),
      leaf('IsTruncated', isTruncated),
      leaf('EncodingType', query.get('encoding-type')),
      leaf('ContinuationToken', token),
      leaf('NextContinuationToken', next === undefined ? undefined : tokenOf(next)),
      leaf('StartAfter', startAfter === undefined ? undefined : encode(startAfter)),
      contents,
      prefixes,
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

async function readPage(
  call: BucketCall,
  { prefix, delimiter, after, maxKeys }: PageRequest,
  writing: Writing,
): Promise<Page> {
  const contents: Xml[] = []
  const prefixes: Xml[] = []
  const page = (next?: string): Page => ({
    keyCount: contents.length + prefixes.length,
    contents: xmlList(contents),
    prefixes: xmlList(prefixes),
    isTruncated: next !== undefined,
    next,
  })
  if (maxKeys === 0) return page()
  const listed = call.services.client.listObjects(call.bucket.name, {
    ...{ prefix, delimiter, after, signal: call.signal, xattrs: true },
    pageEntries: Math.min(keysAtOnce, maxKeys + 1),
    // The last tells whether there is more.
    maxEntries: maxKeys + 1,
  })
  let last: string | undefined
  for await (const item of listed) {
    if (contents.length + prefixes.length === maxKeys) return page(last)
    if ('key' in item) contents.push(contentXml(call, item, writing))
    else prefixes.push(element('CommonPrefixes', leaf('Prefix', writing.encode(item.prefix))))
    last = 'key' in item ? item.key : item.prefix
  }
  return page()
}

function contentXml({ services }: BucketCall, { key, stats }: ListedKey, { encode, withOwner }: Writing): Xml {
  const { record, sizeBytes } = objectInfo(stats)
  return element(
    'Contents',
    leaf('Key', encode(key)),
    leaf('LastModified', formatIsoTime(lastModifiedMs(stats))),
    leaf('ETag', quoted(record.eTag)),
    leaf('ChecksumAlgorithm', record.checksum?.algorithm),
    leaf('ChecksumType', record.checksum?.type),
    leaf('Size', sizeBytes),
    withOwner ? accountXml('Owner', services.accounts.owner(record.owner)) : undefined,
    leaf('StorageClass', record.headers['x-amz-storage-class'] ?? 'STANDARD'),
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

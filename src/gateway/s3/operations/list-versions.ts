/** ListObjectVersions: the versions and delete markers of a bucket, page by page. @module */
import type { ListedVersion } from '../../../client/index.ts'
import { type S3Answer, xmlAnswer } from '../door/s3-answer.ts'
import type { BucketCall } from '../door/s3-call.ts'
import { invalidArgument } from '../rules/s3-error.ts'
import { formatIsoTime } from '../rules/timestamps.ts'
import { lastModifiedMs, objectInfo } from '../store/object-record.ts'
import { versionIdOf } from '../store/object-versions.ts'
import { element, leaf, type Xml, xmlDocument, xmlList } from '../xml/write-xml.ts'
import { accountXml, countParameter, nameEncoding, quoted } from './answer-parts.ts'
import { versionNumber } from './versions.ts'

const pageKeys = 1000

interface Page {
  readonly items: readonly ListedVersion[]
  /** The last item, where there is more. */
  readonly next: ListedVersion | undefined
}

export async function listObjectVersions(call: BucketCall): Promise<S3Answer> {
  const { query } = call.request
  const encode = nameEncoding(call.request)
  const [prefix, delimiter] = [query.get('prefix') ?? '', query.get('delimiter') ?? '']
  const keyMarker = query.get('key-marker') ?? ''
  const versionMarker = query.get('version-id-marker')
  const maxKeys = countParameter(call.request, 'max-keys', pageKeys)
  const { items, next } = await readPage(call, { prefix, delimiter, keyMarker, versionMarker, maxKeys })
  return xmlAnswer(
    xmlDocument(
      'ListVersionsResult',
      leaf('Name', call.bucket.name),
      leaf('Prefix', encode(prefix)),
      leaf('KeyMarker', encode(keyMarker)),
      leaf('VersionIdMarker', versionMarker ?? ''),
      leaf('MaxKeys', maxKeys),
      delimiter === '' ? undefined : leaf('Delimiter', encode(delimiter)),
      leaf('IsTruncated', next !== undefined),
      leaf('EncodingType', query.get('encoding-type')),
      leaf('NextKeyMarker', next === undefined ? undefined : encode('key' in next ? next.key : next.prefix)),
      leaf('NextVersionIdMarker', next !== undefined && 'key' in next ? versionIdOf(next.stats) : undefined),
      xmlList(items.map((item) => ('key' in item ? versionXml(call, item, encode) : undefined))),
      xmlList(
        items.map((item) =>
          'key' in item ? undefined : element('CommonPrefixes', leaf('Prefix', encode(item.prefix))),
        ),
      ),
    ),
  )
}

async function readPage(
  { services, bucket, signal }: BucketCall,
  asked: {
    readonly prefix: string
    readonly delimiter: string
    readonly keyMarker: string
    readonly versionMarker: string | undefined
    readonly maxKeys: number
  },
): Promise<Page> {
  const { prefix, delimiter, keyMarker, versionMarker, maxKeys } = asked
  if (versionMarker !== undefined && keyMarker === '') {
    throw invalidArgument('A version-id marker cannot be specified without a key marker.', {
      name: 'version-id-marker',
      value: versionMarker,
    })
  }
  const items: ListedVersion[] = []
  if (maxKeys === 0) return { items, next: undefined }
  const listed = services.client.versions.list(bucket.name, {
    ...{ prefix, delimiter, after: keyMarker, signal, xattrs: true },
    ...(versionMarker === undefined || versionMarker === ''
      ? {}
      : { afterVersion: versionNumber(versionMarker, keyMarker) }),
    pageEntries: Math.min(pageKeys, maxKeys + 1),
    // The last tells whether there is more: of a full page it is a request of its own, for one entry.
    maxEntries: maxKeys + 1,
  })
  for await (const item of listed) {
    if (items.length === maxKeys) return { items, next: items.at(-1) }
    items.push(item)
  }
  return { items, next: undefined }
}

function versionXml(
  { services }: BucketCall,
  { key, stats, isLatest }: Extract<ListedVersion, { readonly key: string }>,
  encode: (name: string) => string,
): Xml {
  const { record, sizeBytes } = objectInfo(stats)
  const common = [
    leaf('Key', encode(key)),
    leaf('VersionId', versionIdOf(stats)),
    leaf('IsLatest', isLatest),
    leaf('LastModified', formatIsoTime(lastModifiedMs(stats))),
    accountXml('Owner', services.accounts.owner(record.owner)),
  ]
  if (stats.isDeleteMarker) return element('DeleteMarker', ...common)
  return element(
    'Version',
    ...common,
    leaf('ETag', quoted(record.eTag)),
    leaf('ChecksumAlgorithm', record.checksum?.algorithm),
    leaf('ChecksumType', record.checksum?.type),
    leaf('Size', sizeBytes),
    leaf('StorageClass', record.headers['x-amz-storage-class'] ?? 'STANDARD'),
  )
}

/** Multipart uploads: begun, told of, listed and given up. @module */
import { type S3Answer, xmlAnswer } from '../door/s3-answer.ts'
import type { BucketCall, ObjectCall } from '../door/s3-call.ts'
import { encryptionHeaders, type OpenEncryption, openEncryption } from '../encryption/object-encryption.ts'
import {
  checksumElement,
  multipartChecksumType,
  parseChecksumAlgorithm,
} from '../rules/checksums/checksum-algorithm.ts'
import { compareKeys } from '../rules/object-key.ts'
import { S3Error } from '../rules/s3-error.ts'
import { formatIsoTime } from '../rules/timestamps.ts'
import { objectPath } from '../store/object-path.ts'
import type { Upload, UploadRecord } from '../store/uploads.ts'
import { element, leaf, type Xml, xmlDocument, xmlList } from '../xml/write-xml.ts'
import { accountXml, countParameter, nameEncoding, quoted } from './answer-parts.ts'
import { settingsOf } from './bucket-settings-operations.ts'
import { writtenHeaders, writtenTags } from './object-headers.ts'
import { writtenLock } from './object-lock-operations.ts'
import { newOwnership } from './requested-acl.ts'
import { writtenEncryption } from './written-encryption.ts'

const uploadIdBytes = 16
const pageParts = 1000
const pageUploads = 1000
/** Listing uploads reads them all: a bucket with more is refused, not cut short. */
const mostUploads = 10_000

export async function createMultipartUpload(call: ObjectCall): Promise<S3Answer> {
  const { services, request, bucket, key, caller, signal } = call
  objectPath(bucket.name, key)
  const checksum = checksumOf(call)
  const encryption = writtenEncryption(call)
  const record: UploadRecord = {
    key,
    ...writtenHeaders(request),
    tags: writtenTags(request),
    ...newOwnership(request, { accounts: services.accounts, bucket: settingsOf(call), writerId: caller.account?.id }),
    ...(checksum === undefined ? {} : { checksum }),
    lock: writtenLock(call),
    ...(encryption === undefined ? {} : { encryption: encryption.stored }),
  }
  const uploadId = services.env.random.bytes(uploadIdBytes).toString('hex')
  await services.uploads.create(bucket.name, { uploadId, record, signal })
  return xmlAnswer(
    xmlDocument(
      'InitiateMultipartUploadResult',
      leaf('Bucket', bucket.name),
      leaf('Key', key),
      leaf('UploadId', uploadId),
    ),
    {
      ...encryptionHeaders(encryption),
      ...(checksum === undefined
        ? {}
        : { 'x-amz-checksum-algorithm': checksum.algorithm, 'x-amz-checksum-type': checksum.type }),
    },
  )
}

function checksumOf({ request }: ObjectCall): UploadRecord['checksum'] {
  const name = request.headers.get('x-amz-checksum-algorithm')
  const type = request.headers.get('x-amz-checksum-type')
  if (name === undefined) {
    if (type === undefined) return undefined
    throw new S3Error(
      'InvalidRequest',
      'The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.',
    )
  }
  const algorithm = parseChecksumAlgorithm(name)
  return { algorithm, type: multipartChecksumType(algorithm, type) }
}

/** The upload that `uploadId` of the query names. */
export async function openUpload({ services, request, bucket, key, signal }: ObjectCall): Promise<Upload> {
  const uploadId = request.query.get('uploadId') ?? ''
  return await services.uploads.open(bucket.name, { uploadId, key, signal })
}

/** @throws {S3Error} `InvalidRequest` — not the key that the upload was begun with */
export function uploadEncryption(
  { services, request }: Pick<ObjectCall, 'services' | 'request'>,
  { encryption }: Upload,
): OpenEncryption | undefined {
  return openEncryption(encryption, { headers: request.headers, ring: services.encryption.ring })
}

export async function abortMultipartUpload(call: ObjectCall): Promise<S3Answer> {
  await call.services.uploads.remove(await openUpload(call), { signal: call.signal })
  return { status: 204 }
}

export async function listParts(call: ObjectCall): Promise<S3Answer> {
  const { services, request, bucket, key, signal } = call
  const upload = await openUpload(call)
  const maxParts = countParameter(request, 'max-parts', pageParts)
  const after = countParameter(request, 'part-number-marker', Number.MAX_SAFE_INTEGER)
  const marker = request.query.get('part-number-marker') === undefined ? 0 : after
  const shown: Xml[] = []
  let isTruncated = false
  let last = 0
  if (maxParts > 0) {
    for await (const { number, info } of services.uploads.parts(upload, { after: marker, signal })) {
      isTruncated = shown.length === maxParts
      if (isTruncated) break
      last = number
      const { checksum } = info.record
      shown.push(
        element(
          'Part',
          leaf('PartNumber', number),
          leaf('LastModified', formatIsoTime(info.stats.modifiedMs)),
          leaf('ETag', quoted(info.record.eTag)),
          leaf('Size', info.sizeBytes),
          checksum === undefined ? undefined : leaf(checksumElement(checksum.algorithm), checksum.value),
        ),
      )
    }
  }
  const owner = services.accounts.owner(upload.owner)
  return xmlAnswer(
    xmlDocument(
      'ListPartsResult',
      leaf('Bucket', bucket.name),
      leaf('Key', key),
      leaf('UploadId', upload.uploadId),
      accountXml('Initiator', owner),
      accountXml('Owner', owner),
      leaf('StorageClass', 'STANDARD'),
      leaf('PartNumberMarker', marker),
      leaf('NextPartNumberMarker', last),
      leaf('MaxParts', maxParts),
      leaf('IsTruncated', isTruncated),
      leaf('ChecksumAlgorithm', upload.checksum?.algorithm),
      leaf('ChecksumType', upload.checksum?.type),
      xmlList(shown),
    ),
  )
}

export async function listMultipartUploads(call: BucketCall): Promise<S3Answer> {
  const { services, request, bucket } = call
  const { query } = request
  const encode = nameEncoding(request)
  const [prefix, delimiter] = [query.get('prefix') ?? '', query.get('delimiter') ?? '']
  const [keyMarker, idMarker] = [query.get('key-marker') ?? '', query.get('upload-id-marker') ?? '']
  const maxUploads = countParameter(request, 'max-uploads', pageUploads)
  const behind = (await sortedUploads(call, prefix)).filter(({ key, uploadId }) => {
    const order = compareKeys(key, keyMarker)
    return keyMarker === '' || order > 0 || (order === 0 && idMarker !== '' && uploadId > idMarker)
  })
  const items: (Upload | string)[] = []
  for (const upload of behind) {
    const at = delimiter === '' ? -1 : upload.key.indexOf(delimiter, prefix.length)
    const group = at < 0 ? undefined : upload.key.slice(0, at + delimiter.length)
    if (group === undefined) items.push(upload)
    else if (items.at(-1) !== group && group !== keyMarker) items.push(group)
  }
  const page = items.slice(0, maxUploads)
  const isTruncated = maxUploads > 0 && items.length > maxUploads
  const last = page.at(-1)
  return xmlAnswer(
    xmlDocument(
      'ListMultipartUploadsResult',
      leaf('Bucket', bucket.name),
      leaf('KeyMarker', encode(keyMarker)),
      leaf('UploadIdMarker', idMarker),
      leaf('NextKeyMarker', isTruncated ? encode(typeof last === 'string' ? last : (last?.key ?? '')) : undefined),
      leaf('NextUploadIdMarker', isTruncated && typeof last === 'object' ? last.uploadId : undefined),
      leaf('Prefix', encode(prefix)),
      delimiter === '' ? undefined : leaf('Delimiter', encode(delimiter)),
      leaf('EncodingType', query.get('encoding-type')),
      leaf('MaxUploads', maxUploads),
      leaf('IsTruncated', isTruncated),
      xmlList(page.map((item) => (typeof item === 'string' ? undefined : uploadXml(services, item, encode)))),
      xmlList(
        page.map((item) =>
          typeof item === 'string' ? element('CommonPrefixes', leaf('Prefix', encode(item))) : undefined,
        ),
      ),
    ),
  )
}

async function sortedUploads({ services, bucket, signal }: BucketCall, prefix: string): Promise<Upload[]> {
  const uploads: Upload[] = []
  for await (const upload of services.uploads.list(bucket.name, { signal })) {
    if (!upload.key.startsWith(prefix)) continue
    if (uploads.length === mostUploads)
      throw new S3Error(
        'SlowDown',
        `The bucket has more than ${mostUploads} uploads of this prefix: give a longer one.`,
      )
    uploads.push(upload)
  }
  return uploads.sort((a, b) => compareKeys(a.key, b.key) || (a.uploadId < b.uploadId ? -1 : 1))
}

function uploadXml({ accounts }: BucketCall['services'], upload: Upload, encode: (name: string) => string): Xml {
  const owner = accounts.owner(upload.owner)
  return element(
    'Upload',
    leaf('Key', encode(upload.key)),
    leaf('UploadId', upload.uploadId),
    accountXml('Initiator', owner),
    accountXml('Owner', owner),
    leaf('StorageClass', 'STANDARD'),
    leaf('Initiated', formatIsoTime(upload.createdMs)),
    leaf('ChecksumAlgorithm', upload.checksum?.algorithm),
    leaf('ChecksumType', upload.checksum?.type),
  )
}

/** Parts of an upload: from the body of a request, or from another object. @module */
import { isAshlarError } from '../../../base/errors.ts'
import { BodyReader } from '../body/body-reader.ts'
import { type S3Answer, xmlAnswer } from '../door/s3-answer.ts'
import type { ObjectCall } from '../door/s3-call.ts'
import { encryptionHeaders, eTagOf, type OpenEncryption } from '../encryption/object-encryption.ts'
import type { ChecksumAlgorithm } from '../rules/checksums/checksum-algorithm.ts'
import { invalidArgument, S3Error } from '../rules/s3-error.ts'
import { formatIsoTime } from '../rules/timestamps.ts'
import { objectPath } from '../store/object-path.ts'
import { formatRecord, type ObjectRecord, recordAttribute } from '../store/object-record.ts'
import { openObject } from '../store/objects.ts'
import { noSuchUpload, partPath, type Upload } from '../store/uploads.ts'
import { leaf, xmlDocument } from '../xml/write-xml.ts'
import { quoted } from './answer-parts.ts'
import { type FoundSource, findCopySource, sourceVersionHeaders } from './found-source.ts'
import { checksumHeaders } from './object-headers.ts'
import { putMaxBytes, storedBytes } from './put-object.ts'
import { plainPieces } from './read-object.ts'
import { openUpload, uploadEncryption } from './upload-operations.ts'

const plainMd5 = /^[0-9a-f]{32}$/

export async function uploadPart(call: ObjectCall): Promise<S3Answer> {
  const number = partNumberOf(call)
  const upload = await openUpload(call)
  const encryption = uploadEncryption(call, upload)
  const body = call.openBody(putMaxBytes)
  const { eTag, checksum } = await storePart(call, { upload, number, encryption, body })
  return {
    status: 200,
    headers: { etag: quoted(eTag), ...checksumHeaders(checksum), ...encryptionHeaders(encryption) },
  }
}

export async function uploadPartCopy(call: ObjectCall): Promise<S3Answer> {
  const { request, services, signal } = call
  const number = partNumberOf(call)
  const upload = await openUpload(call)
  const encryption = uploadEncryption(call, upload)
  const source = await findCopySource(call)
  const range = rangeOf(request.headers.get('x-amz-copy-source-range'), source.info.sizeBytes)
  const whole = await sharePart(call, { upload, number, source, range })
  if (whole !== undefined) return partCopyAnswer(call, { record: whole, encryption, source })
  // Bytes have to be read for their MD5; a store that knew it would share chunks here too.
  const open = await openObject(services.client, { ...source, signal })
  if (open === undefined || open.info.stats.version !== source.info.stats.version) {
    throw new S3Error('PreconditionFailed', 'The copy source was replaced while it was copied.')
  }
  await using handle = open.handle
  const { start, end } = range ?? { start: 0, end: source.info.sizeBytes }
  const pieces =
    start < end
      ? plainPieces({ ...open, handle }, { start, end }, { encryption: source.encryption, signal })
      : noPieces()
  const body = new BodyReader(pieces, {
    env: services.env,
    payload: {
      ...{ framing: undefined, declaredLength: end - start, sha256: undefined, md5: undefined },
      checksum:
        upload.checksum === undefined ? undefined : { algorithm: upload.checksum.algorithm, expected: undefined },
    },
    hold: async () => () => undefined,
    maxChunkBytes: putMaxBytes,
    maxBytes: putMaxBytes,
  })
  const record = await storePart(call, { upload, number, encryption, body })
  return partCopyAnswer(call, { record, encryption, source })
}

async function* noPieces(): AsyncGenerator<Uint8Array> {
  yield* []
}

function partCopyAnswer(
  { services }: ObjectCall,
  {
    record,
    encryption,
    source,
  }: {
    readonly record: ObjectRecord
    readonly encryption: OpenEncryption | undefined
    readonly source: FoundSource
  },
): S3Answer {
  const modified = formatIsoTime(services.env.clock.wallMs())
  return xmlAnswer(xmlDocument('CopyPartResult', leaf('LastModified', modified), leaf('ETag', quoted(record.eTag))), {
    ...encryptionHeaders(encryption),
    ...sourceVersionHeaders(source),
  })
}

/** A whole object whose MD5 is known becomes a part without moving a byte. */
async function sharePart(
  { services, signal }: ObjectCall,
  {
    upload,
    number,
    source,
    range,
  }: {
    readonly upload: Upload
    readonly number: number
    readonly source: FoundSource
    readonly range: { readonly start: number; readonly end: number } | undefined
  },
): Promise<ObjectRecord | undefined> {
  const { record, stats } = source.info
  const isWhole = range === undefined || (range.start === 0 && range.end === stats.size)
  // An encrypted part is one stream under its upload's key: bytes of another key, or of none, are written anew.
  const isPlain = record.encryption === undefined && upload.encryption === undefined
  const isKnown = plainMd5.test(record.eTag) && upload.checksum === undefined && stats.crc32 !== undefined
  if (!isWhole || !isPlain || !isKnown || stats.crc32 === undefined) return undefined
  const part: ObjectRecord = { eTag: record.eTag, headers: {}, metadata: {} }
  const xattrs = { [recordAttribute]: formatRecord(part, { length: stats.size, crc32: stats.crc32 }) }
  try {
    await services.client.copyFile(objectPath(source.bucket, source.key), partPath(upload, number), {
      ...{ ifSourceVersion: stats.version, sourceObjectVersion: source.objectVersion, xattrs, signal },
    })
  } catch (error) {
    if (isAshlarError(error, 'not-found')) throw noSuchUpload(upload.uploadId)
    throw error
  }
  return part
}

async function storePart(
  { services, signal }: ObjectCall,
  {
    upload,
    number,
    encryption,
    body,
  }: {
    readonly upload: Upload
    readonly number: number
    readonly encryption: OpenEncryption | undefined
    readonly body: BodyReader
  },
): Promise<ObjectRecord> {
  const record = (): ObjectRecord => {
    const { md5, checksum, length: sizeBytes } = body.digests
    checkAlgorithm(upload, checksum?.algorithm)
    return {
      eTag: eTagOf(md5, encryption),
      ...{ headers: {}, metadata: {} },
      ...(checksum === undefined ? {} : { checksum: { ...checksum, type: 'FULL_OBJECT' } }),
      ...(encryption === undefined ? {} : { encryption: { ...encryption.stored, sizeBytes } }),
    }
  }
  try {
    // No `makeParents`: once a complete or an abort has begun, there is no directory for parts any more.
    await services.client.writeFile(partPath(upload, number), await storedBytes(services, { body, encryption }), {
      xattrs: (bytes) => ({ [recordAttribute]: formatRecord(record(), bytes) }),
      signal,
    })
  } catch (error) {
    if (isAshlarError(error, 'not-found')) throw noSuchUpload(upload.uploadId)
    throw error
  }
  return record()
}

/** A part under another algorithm than its upload was begun with would leave the whole without a checksum. */
function checkAlgorithm({ checksum }: Upload, algorithm: ChecksumAlgorithm | undefined): void {
  if (checksum === undefined || algorithm === undefined || algorithm === checksum.algorithm) return
  throw new S3Error(
    'InvalidRequest',
    `Checksum Type mismatch occurred, expected checksum Type: ${checksum.algorithm.toLowerCase()}, actual checksum Type: ${algorithm.toLowerCase()}`,
  )
}

function partNumberOf({ request }: ObjectCall): number {
  const text = request.query.get('partNumber') ?? ''
  const number = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (number >= 1 && number <= 10_000) return number
  throw invalidArgument('Part number must be an integer between 1 and 10000, inclusive', {
    name: 'partNumber',
    value: text.slice(0, 64),
  })
}

function rangeOf(text: string | undefined, size: number): { readonly start: number; readonly end: number } | undefined {
  if (text === undefined) return undefined
  const match = /^bytes=(\d{1,15})-(\d{1,15})$/.exec(text)
  const [start, last] = [Number(match?.[1]), Number(match?.[2])]
  if (match === null || last < start) {
    throw invalidArgument(
      'The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy',
      { name: 'x-amz-copy-source-range', value: text.slice(0, 64) },
    )
  }
  if (last >= size) {
    throw new S3Error('InvalidRange', `Range specified is not valid for source object of size: ${size}`)
  }
  return { start, end: last + 1 }
}

/**
 * CompleteMultipartUpload: checks what the client lists against what is there, and links the parts as one object.
 * Asked again after it succeeded, it answers the same.
 * @module
 */
import { isAshlarError } from '../../../base/errors.ts'
import { type S3Answer, xmlAnswer } from '../door/s3-answer.ts'
import type { ObjectCall } from '../door/s3-call.ts'
import { encryptionHeaders, type OpenEncryption } from '../encryption/object-encryption.ts'
import {
  algorithmOfHeader,
  type ChecksumAlgorithm,
  checksumAlgorithms,
  checksumElement,
  checksumHeader,
  isChecksumValue,
} from '../rules/checksums/checksum-algorithm.ts'
import { combineChecksums, multipartETag } from '../rules/checksums/combine-checksums.ts'
import { isChecksumHeader } from '../rules/checksums/requested-checksum.ts'
import { writeConditionsOf } from '../rules/conditions.ts'
import { S3Error } from '../rules/s3-error.ts'
import { completeUpload } from '../store/complete-upload.ts'
import { objectPath } from '../store/object-path.ts'
import type { ObjectInfo, ObjectRecord, StoredChecksum } from '../store/object-record.ts'
import { findObject } from '../store/objects.ts'
import { noSuchUpload, type StoredPart, type Upload } from '../store/uploads.ts'
import { conditionFailure, writePrecondition } from '../store/write-preconditions.ts'
import { malformedXml, parseXml, type XmlElement } from '../xml/parse-xml.ts'
import { leaf, xmlDocument } from '../xml/write-xml.ts'
import { quoted } from './answer-parts.ts'
import { uploadEncryption } from './upload-operations.ts'
import { writtenVersionHeaders } from './versions.ts'

const customerAlgorithmHeader = 'x-amz-server-side-encryption-customer-algorithm'

/** 10,000 parts with number, tag and checksum. */
const bodyBytes = 8 * 1024 * 1024
const mostParts = 10_000
/** Of a record: checksums of parts are kept while they fit. */
const partChecksumsBytes = 8 * 1024
/** Parts of so many different sizes that their list does not fit are forgotten: the object reads as one part. */
const mostRuns = 300
/** Of an encrypted object they are needed to find its streams. */
const mostEncryptedRuns = 700

interface ListedPart {
  readonly number: number
  readonly eTag: string
  readonly checksum: { readonly algorithm: ChecksumAlgorithm; readonly value: string } | undefined
}

export async function completeMultipartUpload(call: ObjectCall): Promise<S3Answer> {
  const { services, request, bucket, key, signal } = call
  const uploadId = request.query.get('uploadId') ?? ''
  const listed = listedParts(parseXml(await call.openBody(bodyBytes).whole()))
  const upload = await services.uploads.find(bucket.name, { uploadId, signal })
  const done = await completedBefore(call, uploadId)
  if (done !== undefined) {
    if (upload !== undefined) await services.uploads.remove(upload, { signal })
    return answer(call, done)
  }
  if (upload?.key !== key) throw noSuchUpload(uploadId)
  const precondition = await writePrecondition(writeConditionsOf(request.headers.record()), () =>
    findObject(services.client, { bucket: bucket.name, key, signal }),
  )
  const encryption = completedEncryption(call, upload)
  const expected = expectedChecksum(call, upload)
  try {
    const { record, stats } = await completeUpload(services.client, upload, {
      choose: (parts) => ofSize(call, chooseParts(call, { listed, parts, upload })),
      recordOf: (chosen) => recordOf(upload, { chosen, expected }),
      attempt: services.env.random.bytes(8).toString('hex'),
      target: objectPath(bucket.name, key),
      precondition,
      signal,
    })
    await services.uploads.remove(upload, { signal })
    return answer(call, { record, stats }, encryption)
  } catch (error) {
    // Another complete of the same upload may have come first.
    const winner = isAshlarError(error, 'not-found', 'changed') ? await completedBefore(call, uploadId) : undefined
    if (winner !== undefined) return answer(call, winner, encryption)
    if (isAshlarError(error, 'not-found')) throw noSuchUpload(uploadId)
    throw conditionFailure(error, precondition)
  }
}

async function completedBefore(
  { services, bucket, key, signal }: ObjectCall,
  uploadId: string,
): Promise<Pick<ObjectInfo, 'record' | 'stats'> | undefined> {
  const info = await findObject(services.client, { bucket: bucket.name, key, signal })
  return info?.record.uploadId === uploadId ? info : undefined
}

/** The customer's key is asked for where there are checksums of what it hides: as S3 does. */
function completedEncryption(call: ObjectCall, upload: Upload): OpenEncryption | undefined {
  const isAsked = upload.checksum !== undefined || call.request.headers.has(customerAlgorithmHeader)
  return isAsked || upload.encryption?.mode !== 'customer' ? uploadEncryption(call, upload) : undefined
}

function answer(
  { request, bucket, key }: ObjectCall,
  { record: { eTag, checksum }, stats }: Pick<ObjectInfo, 'record' | 'stats'>,
  encryption?: OpenEncryption | undefined,
): S3Answer {
  return xmlAnswer(
    xmlDocument(
      'CompleteMultipartUploadResult',
      leaf('Location', `http://${request.headers.get('host') ?? ''}/${bucket.name}/${key}`),
      leaf('Bucket', bucket.name),
      leaf('Key', key),
      leaf('ETag', quoted(eTag)),
      checksum === undefined ? undefined : leaf(checksumElement(checksum.algorithm), checksum.value),
      leaf('ChecksumType', checksum?.type),
    ),
    { ...encryptionHeaders(encryption), ...writtenVersionHeaders(stats) },
  )
}

function listedParts(root: XmlElement): ListedPart[] {
  const parts = root.all('Part')
  if (root.name !== 'CompleteMultipartUpload' || parts.length === 0 || parts.length > mostParts) throw malformedXml()
  let before = 0
  const listed = new Map<number, ListedPart>()
  for (const part of parts) {
    const number = Number(part.textOf('PartNumber')?.trim() || Number.NaN)
    const eTag = part.textOf('ETag')?.trim()
    if (!Number.isInteger(number) || number < 1 || number > mostParts || eTag === undefined) throw malformedXml()
    if (number < before) {
      throw new S3Error(
        'InvalidPartOrder',
        'The list of parts was not in ascending order. The parts list must be specified in order by part number.',
      )
    }
    before = number
    // Of a part that is listed twice, the last word counts.
    listed.set(number, { number, eTag: eTag.replace(/^"(.*)"$/, '$1'), checksum: listedChecksum(part) })
  }
  return [...listed.values()]
}

function listedChecksum(part: XmlElement): ListedPart['checksum'] {
  for (const algorithm of checksumAlgorithms) {
    const value = part.textOf(checksumElement(algorithm))?.trim()
    if (value !== undefined) return { algorithm, value }
  }
  return undefined
}

function chooseParts(
  { services }: ObjectCall,
  {
    listed,
    parts,
    upload,
  }: {
    readonly listed: readonly ListedPart[]
    readonly parts: ReadonlyMap<number, StoredPart>
    readonly upload: Upload
  },
): StoredPart[] {
  return listed.map(({ number, eTag, checksum }, index) => {
    const part = parts.get(number)
    if (part?.info.record.eTag !== eTag) throw invalidPart(upload, number, eTag)
    const stored = part.info.record.checksum
    if (checksum !== undefined && stored?.algorithm === checksum.algorithm && stored.value !== checksum.value) {
      throw new S3Error('BadDigest', `The ${checksum.algorithm} of part ${number} is not the one that was computed.`)
    }
    if (index < listed.length - 1 && part.info.sizeBytes < services.partMinBytes) {
      throw new S3Error('EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size', {
        details: {
          ETag: eTag,
          MinSizeAllowed: String(services.partMinBytes),
          PartNumber: String(number),
          ProposedSize: String(part.info.sizeBytes),
        },
      })
    }
    return part
  })
}

/** @throws {S3Error} `InvalidRequest`: the client counted other bytes than are there */
function ofSize({ request }: ObjectCall, chosen: StoredPart[]): StoredPart[] {
  const stated = request.headers.get('x-amz-mp-object-size')
  const sizeBytes = sizeOf(chosen)
  if (stated === undefined || stated === String(sizeBytes)) return chosen
  throw new S3Error(
    'InvalidRequest',
    `The provided x-amz-mp-object-size ${stated.slice(0, 20)} does not match what was computed: ${sizeBytes}`,
  )
}

function invalidPart({ uploadId }: Upload, number: number, eTag: string): S3Error {
  return new S3Error(
    'InvalidPart',
    "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
    { details: { UploadId: uploadId, PartNumber: String(number), ETag: eTag.slice(0, 128) } },
  )
}

/**
 * The checksum of the whole that the client sends with a complete.
 * @throws {S3Error} `InvalidRequest`: one of another algorithm than the upload was begun with; nobody could compare it
 */
function expectedChecksum({ request }: ObjectCall, { checksum }: Upload): string | undefined {
  for (const name of request.headers.names()) {
    if (!isChecksumHeader(name)) continue
    const algorithm = algorithmOfHeader(name)
    if (algorithm === undefined || algorithm !== checksum?.algorithm) {
      throw new S3Error(
        'InvalidRequest',
        `Checksum Type mismatch occurred, expected checksum Type: ${checksum?.algorithm.toLowerCase() ?? 'null'}, actual: ${name.slice(0, 40)}`,
      )
    }
    const value = request.headers.get(checksumHeader(algorithm)) as string
    if (!isChecksumValue(algorithm, value.replace(/-\d+$/, '')))
      throw new S3Error('BadDigest', `The ${algorithm} is not one.`)
    return value
  }
  return undefined
}

function recordOf(
  upload: Upload,
  { chosen, expected }: { readonly chosen: readonly StoredPart[]; readonly expected: string | undefined },
): ObjectRecord {
  const checksum = wholeChecksum(upload, chosen)
  if (expected !== undefined && checksum !== undefined && !isOf(expected, checksum.value)) {
    throw new S3Error('BadDigest', `The ${checksum.algorithm} you specified did not match the calculated checksum.`)
  }
  const runs = runsOf(chosen.map(({ info }) => info.sizeBytes))
  const encryption = upload.encryption && { ...upload.encryption, sizeBytes: sizeOf(chosen) }
  if (encryption !== undefined && runs.length > mostEncryptedRuns) {
    throw new S3Error(
      'InvalidRequest',
      `An encrypted object can have at most ${mostEncryptedRuns} runs of parts of one size: send parts of equal sizes.`,
    )
  }
  const partChecksums = chosen.flatMap(({ info }) => info.record.checksum?.value ?? [])
  const isKept = checksum !== undefined && runs.length <= mostRuns && partChecksums.join().length <= partChecksumsBytes
  return {
    eTag: multipartETag(chosen.map(({ info }) => info.record.eTag)),
    headers: upload.headers,
    metadata: upload.metadata,
    owner: upload.owner,
    uploadId: upload.uploadId,
    ...(runs.length <= mostRuns || encryption !== undefined ? { parts: runs } : {}),
    ...(encryption === undefined ? {} : { encryption }),
    ...(checksum === undefined ? {} : { checksum }),
    ...(isKept && partChecksums.length === chosen.length ? { partChecksums } : {}),
  }
}

/** `value-COUNT` is of a list of parts; some clients leave the count out. */
function isOf(expected: string, value: string): boolean {
  return expected === value || (!expected.includes('-') && expected === value.replace(/-\d+$/, ''))
}

function wholeChecksum({ checksum }: Upload, chosen: readonly StoredPart[]): StoredChecksum | undefined {
  if (checksum === undefined) return undefined
  const parts = chosen.flatMap(({ info }) => {
    const { checksum: own } = info.record
    return own?.algorithm === checksum.algorithm ? [{ value: own.value, sizeBytes: info.sizeBytes }] : []
  })
  if (parts.length !== chosen.length) return undefined
  return { ...checksum, value: combineChecksums(parts, checksum) }
}

function sizeOf(chosen: readonly StoredPart[]): number {
  return chosen.reduce((sum, { info }) => sum + info.sizeBytes, 0)
}

function runsOf(sizes: readonly number[]): [number, number][] {
  const runs: [number, number][] = []
  for (const size of sizes) {
    const last = runs.at(-1)
    if (last?.[0] === size) last[1] += 1
    else runs.push([size, 1])
  }
  return runs
}

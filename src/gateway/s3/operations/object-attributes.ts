/** GetObjectAttributes: what is asked for by name, without the bytes. @module */
import { type S3Answer, xmlAnswer } from '../door/s3-answer.ts'
import type { ObjectCall } from '../door/s3-call.ts'
import { checksumElement } from '../rules/checksums/checksum-algorithm.ts'
import { invalidArgument } from '../rules/s3-error.ts'
import { formatHttpDate } from '../rules/timestamps.ts'
import { lastModifiedMs, type ObjectRecord } from '../store/object-record.ts'
import { element, leaf, type Xml, xmlDocument } from '../xml/write-xml.ts'
import { partCount, readEncryption } from './read-object.ts'
import { requireObject, versionHeaders } from './versions.ts'

const known = ['ETag', 'Checksum', 'ObjectParts', 'StorageClass', 'ObjectSize']
const pageParts = 1000

export async function getObjectAttributes(call: ObjectCall): Promise<S3Answer> {
  const { request, bucket } = call
  const asked = (request.headers.get('x-amz-object-attributes') ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
  const unknown = asked.find((name) => !known.includes(name))
  if (asked.length === 0 || unknown !== undefined) {
    throw invalidArgument('Invalid attribute name specified.', {
      name: 'x-amz-object-attributes',
      value: (unknown ?? '').slice(0, 64),
    })
  }
  const info = await requireObject(call)
  const { record, stats, sizeBytes } = info
  readEncryption(call, record)
  const wants = (name: string, xml: Xml | undefined) => (asked.includes(name) ? xml : undefined)
  return xmlAnswer(
    xmlDocument(
      'GetObjectAttributesResponse',
      wants('ETag', leaf('ETag', record.eTag)),
      wants('Checksum', checksumXml(record)),
      wants('ObjectParts', record.parts === undefined ? undefined : partsXml(call, record)),
      wants('StorageClass', leaf('StorageClass', 'STANDARD')),
      wants('ObjectSize', leaf('ObjectSize', sizeBytes)),
    ),
    { ...versionHeaders(bucket, stats), 'last-modified': formatHttpDate(lastModifiedMs(stats)) },
  )
}

function checksumXml({ checksum }: ObjectRecord): Xml | undefined {
  if (checksum === undefined) return undefined
  return element(
    'Checksum',
    leaf(checksumElement(checksum.algorithm), checksum.value),
    leaf('ChecksumType', checksum.type),
  )
}

function partsXml({ request }: ObjectCall, record: ObjectRecord): Xml {
  const count = partCount(record)
  const maxParts = Math.min(numberHeader(request.headers.get('x-amz-max-parts')) ?? pageParts, pageParts)
  const marker = numberHeader(request.headers.get('x-amz-part-number-marker')) ?? 0
  const { checksum, partChecksums } = record
  const shown: Xml[] = []
  let number = 0
  for (const [size, times] of record.parts ?? []) {
    for (let index = 0; index < times; index++) {
      number++
      if (number <= marker || shown.length >= maxParts) continue
      const value = partChecksums?.[number - 1]
      const ofPart =
        checksum === undefined || value === undefined ? undefined : leaf(checksumElement(checksum.algorithm), value)
      shown.push(element('Part', leaf('PartNumber', number), leaf('Size', size), ofPart))
    }
  }
  const last = Math.min(marker + shown.length, count)
  return element(
    'ObjectParts',
    leaf('TotalPartsCount', count),
    leaf('PartsCount', count),
    leaf('PartNumberMarker', marker),
    leaf('NextPartNumberMarker', last),
    leaf('MaxParts', maxParts),
    leaf('IsTruncated', last < count),
    ...shown,
  )
}

function numberHeader(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw invalidArgument('Argument must be an integer', { name: 'x-amz-max-parts', value: text.slice(0, 32) })
}

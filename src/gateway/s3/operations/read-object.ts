/**
 * GetObject and HeadObject: the whole, a range, or one of the parts it was uploaded in; under conditions.
 *
 * One version is served from the first byte to the last. If a byte cannot be proven right, the connection is cut before it is sent.
 * @module
 */

import { isAshlarError } from '../../../base/errors.ts'
import { parseRange } from '../../../base/http-range.ts'
import { limits } from '../../../base/limits.ts'
import type { ObjectBody, S3Answer } from '../door/s3-answer.ts'
import type { ObjectCall } from '../door/s3-call.ts'
import { encryptionHeaders, type OpenEncryption, openEncryption } from '../encryption/object-encryption.ts'
import { refuseRequestedOnRead } from '../encryption/requested-encryption.ts'
import { openRange } from '../encryption/sealed-object.ts'
import { checkRead, readConditionsOf } from '../rules/conditions.ts'
import { invalidArgument, S3Error } from '../rules/s3-error.ts'
import { formatHttpDate } from '../rules/timestamps.ts'
import { lastModifiedMs, type ObjectInfo, type ObjectRecord } from '../store/object-record.ts'
import { conditionTarget, type OpenObject, openObject } from '../store/objects.ts'
import { quoted } from './answer-parts.ts'
import { expirationHeaders } from './lifecycle-operations.ts'
import { answeredHeaders, checksumHeaders } from './object-headers.ts'
import { versionAndLockHeaders } from './object-lock-operations.ts'
import { missingObject, requestedVersion, requireObject } from './versions.ts'

interface Span {
  readonly start: number
  /** Exclusive. */
  readonly end: number
  /** The whole object, as if nothing had been asked for. */
  readonly isWhole: boolean
  readonly part?: number
}

export async function getObject(call: ObjectCall): Promise<S3Answer> {
  const { services, bucket, key, signal } = call
  requireSigned(call)
  const open = await openObject(services.client, {
    bucket: bucket.name,
    key,
    objectVersion: requestedVersion(call),
    signal,
  })
  if (open === undefined) throw await missingObject(call)
  let isHandedOver = false
  try {
    const answer = describe(call, open.info, (span, encryption) => {
      isHandedOver = true
      return bodyOf(open, span, { encryption, signal })
    })
    return answer
  } finally {
    if (!isHandedOver) await open.handle.close()
  }
}

export async function headObject(call: ObjectCall): Promise<S3Answer> {
  requireSigned(call)
  return describe(call, await requireObject(call), ({ start, end }) => ({
    sizeBytes: end - start,
    pieces: undefined,
    close: async () => undefined,
  }))
}

/** What one may put into the answer's headers must be signed. */
function requireSigned({ request, caller }: ObjectCall): void {
  if (caller.account !== undefined) return
  if (request.query.pairs.some(([name]) => name.startsWith('response-'))) {
    throw new S3Error('InvalidRequest', 'Request specific response headers cannot be used for anonymous GET requests.')
  }
}

function describe(
  { services, request, bucket, key }: ObjectCall,
  info: ObjectInfo,
  bodyOfSpan: (span: Span, encryption: OpenEncryption | undefined) => ObjectBody,
): S3Answer {
  const { record, stats, sizeBytes } = info
  // That there is no such part is told before a key is asked for, as S3 does.
  if (request.query.has('partNumber')) spanOf(request, info)
  const encryption = readEncryption({ services, request }, record)
  const conditions = readConditionsOf(request.headers.record())
  if (checkRead(conditions, conditionTarget(info)) === 'not-modified') {
    return {
      status: 304,
      headers: { etag: quoted(record.eTag), 'last-modified': formatHttpDate(lastModifiedMs(stats)) },
    }
  }
  const span = spanOf(request, info)
  const { start, end, isWhole, part } = span
  return {
    status: isWhole ? 200 : 206,
    headers: {
      ...answeredHeaders(request, info),
      ...(isWhole ? {} : { 'content-range': `bytes ${start}-${end - 1}/${sizeBytes}` }),
      ...(part === undefined || record.parts === undefined ? {} : { 'x-amz-mp-parts-count': partCount(record) }),
      ...checksumsOf(request, info, span),
      ...encryptionHeaders(encryption),
      ...versionAndLockHeaders({ bucket }, info),
      ...(request.query.has('versionId') ? {} : expirationHeaders(bucket, key, info)),
    },
    body: bodyOfSpan(span, encryption),
  }
}

function checksumsOf(
  request: ObjectCall['request'],
  { record }: ObjectInfo,
  { isWhole, part }: Span,
): Record<string, string> {
  const { checksum } = record
  if (checksum === undefined || request.headers.get('x-amz-checksum-mode')?.toUpperCase() !== 'ENABLED') return {}
  if (part !== undefined && record.parts !== undefined) {
    const value = record.partChecksums?.[part - 1]
    return value === undefined ? {} : checksumHeaders({ algorithm: checksum.algorithm, value, type: checksum.type })
  }
  return isWhole ? checksumHeaders(checksum) : {}
}

function spanOf(request: ObjectCall['request'], { record, sizeBytes }: ObjectInfo): Span {
  const partNumber = request.query.get('partNumber')
  const range = request.headers.get('range')
  if (partNumber !== undefined) {
    if (range !== undefined)
      throw new S3Error('InvalidRequest', 'Cannot specify both Range header and partNumber query parameter.')
    return partSpan(partNumber, record, sizeBytes)
  }
  try {
    const wanted = parseRange(range, sizeBytes)
    return wanted === undefined ? { start: 0, end: sizeBytes, isWhole: true } : { ...wanted, isWhole: false }
  } catch (error) {
    if (!isAshlarError(error, 'range-not-satisfiable')) throw error
    throw new S3Error('InvalidRange', 'The requested range is not satisfiable', {
      cause: error,
      details: { RangeRequested: (range ?? '').slice(0, 128), ActualObjectSize: String(sizeBytes) },
    })
  }
}

function partSpan(text: string, record: ObjectRecord, size: number): Span {
  const number = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (!(number >= 1 && number <= 10_000)) {
    throw invalidArgument('Part number must be an integer between 1 and 10000, inclusive', {
      name: 'partNumber',
      value: text,
    })
  }
  const parts = record.parts ?? [[size, 1] as const]
  let start = 0
  let left = number
  for (const [sizeBytes, count] of parts) {
    if (left <= count) {
      start += (left - 1) * sizeBytes
      // The only part is the whole.
      return { start, end: start + sizeBytes, isWhole: sizeBytes === size && size === 0, part: number }
    }
    left -= count
    start += sizeBytes * count
  }
  throw new S3Error('InvalidPart', 'The requested partnumber is not satisfiable', { details: { PartNumber: text } })
}

export function partCount({ parts = [] }: ObjectRecord): number {
  return parts.reduce((sum, [, count]) => sum + count, 0)
}

function bodyOf(
  open: OpenObject,
  { start, end }: Span,
  { encryption, signal }: { readonly encryption: OpenEncryption | undefined; readonly signal: AbortSignal },
): ObjectBody {
  const close = () => open.handle.close()
  const sizeBytes = end - start
  if (sizeBytes <= 0) return { sizeBytes: 0, pieces: undefined, close }
  // A sequence of pieces, with a signal for its reader, was a sixth of the gateway's work for a GET of 4 KiB.
  const isShort = encryption === undefined && sizeBytes <= limits.smallTransferBytes
  const pieces = isShort
    ? () => open.handle.readFile({ start, end: end - 1, signal })
    : plainPieces(open, { start, end }, { encryption, signal })
  return { sizeBytes, pieces, close }
}

/** The bytes from `start` up to `end` as clients of S3 know them. */
export function plainPieces(
  { handle, info }: OpenObject,
  { start, end }: { readonly start: number; readonly end: number },
  { encryption, signal }: { readonly encryption: OpenEncryption | undefined; readonly signal: AbortSignal },
): AsyncIterable<Uint8Array> {
  const read = (range: { readonly start: number; readonly end: number }) =>
    handle.pieces({ start: range.start, end: range.end - 1, signal })
  if (encryption === undefined) return read({ start, end })
  const { sizeBytes, record } = info
  return openRange(read, { dataKey: encryption.dataKey, parts: record.parts ?? [[sizeBytes, 1]] }, { start, end })
}

/** @throws {S3Error} `InvalidArgument`, `InvalidRequest` — not the key that it was written under */
export function readEncryption(
  { services, request }: Pick<ObjectCall, 'services' | 'request'>,
  { encryption }: ObjectRecord,
): OpenEncryption | undefined {
  refuseRequestedOnRead(request.headers)
  return openEncryption(encryption, { headers: request.headers, ring: services.encryption.ring })
}

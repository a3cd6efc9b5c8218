/**
 * Which checksum a request sends for its body: in one `x-amz-checksum-*` header, or in the trailer that `x-amz-trailer`
 * announces. More than one, or one of no known algorithm, is refused: a checksum that nobody compares protects nothing.
 * @module
 */
import { type Headers, headerOf } from '../headers.ts'
import { S3Error } from '../s3-error.ts'
import {
  algorithmOfHeader,
  type ChecksumAlgorithm,
  checksumHeader,
  isChecksumValue,
  parseChecksumAlgorithm,
} from './checksum-algorithm.ts'

export interface RequestedChecksum {
  readonly algorithm: ChecksumAlgorithm
  /** Base64; absent: it comes in the trailer, or the client wants one without sending it. */
  readonly value?: string
  readonly isTrailer: boolean
}

/** Headers of the family that carry no checksum. */
const notChecksums = new Set(['x-amz-checksum-mode', 'x-amz-checksum-algorithm', 'x-amz-checksum-type'])
const prefix = 'x-amz-checksum-'

/** @param name in lower case */
export function isChecksumHeader(name: string): boolean {
  return name.startsWith(prefix) && !notChecksums.has(name)
}

/**
 * @param headers names in lower case
 * @returns undefined: the request brings no checksum
 * @throws {S3Error} `InvalidRequest`: several, or an unknown one; `BadDigest`: the value cannot be such a checksum
 */
export function requestedChecksum(headers: Headers): RequestedChecksum | undefined {
  const named = Object.keys(headers).filter(isChecksumHeader)
  const trailers = trailerNames(headers)
  if (named.length + trailers.length > 1) {
    throw new S3Error(
      'InvalidRequest',
      'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.',
    )
  }
  const [header] = [...named, ...trailers]
  const wanted = headerOf(headers, 'x-amz-sdk-checksum-algorithm')
  if (header === undefined) {
    return wanted === undefined ? undefined : { algorithm: parseChecksumAlgorithm(wanted), isTrailer: false }
  }
  const algorithm = algorithmOfHeader(header)
  if (algorithm === undefined) {
    throw new S3Error('InvalidRequest', 'The algorithm type you specified in x-amz-checksum- header is invalid.')
  }
  if (wanted !== undefined && parseChecksumAlgorithm(wanted) !== algorithm) {
    throw new S3Error('InvalidRequest', 'Value for x-amz-sdk-checksum-algorithm header is invalid.')
  }
  if (trailers.length > 0) return { algorithm, isTrailer: true }
  const value = headerOf(headers, header) ?? ''
  checkValue(algorithm, value)
  return { algorithm, value, isTrailer: false }
}

/**
 * Compares what a client sent with what its bytes gave.
 * @throws {S3Error} `BadDigest`
 */
export function checkChecksum(algorithm: ChecksumAlgorithm, sent: string, computed: string): void {
  checkValue(algorithm, sent)
  if (sent !== computed) throw badDigest(algorithm)
}

function checkValue(algorithm: ChecksumAlgorithm, value: string): void {
  if (!isChecksumValue(algorithm, value)) throw badDigest(algorithm)
}

function badDigest(algorithm: ChecksumAlgorithm): S3Error {
  return new S3Error('BadDigest', `The ${algorithm} you specified did not match the calculated checksum.`, {
    details: { Header: checksumHeader(algorithm) },
  })
}

function trailerNames(headers: Headers): string[] {
  const names = (headerOf(headers, 'x-amz-trailer') ?? '').toLowerCase().split(',')
  return names.map((name) => name.trim()).filter((name) => name.startsWith(prefix))
}

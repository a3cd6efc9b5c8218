/**
 * The checksum algorithms of S3: their names on the wire, and which type of checksum a multipart object may have.
 *
 * A checksum travels as base64 of its big-endian bytes: in a header, a trailer or an XML element. `FULL_OBJECT` is the
 * checksum of all bytes; `COMPOSITE` is the checksum of the parts' checksums, with `-N` for N parts.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
 * @module
 */
import { S3Error } from '../s3-error.ts'

export type CrcAlgorithm = 'CRC32' | 'CRC32C' | 'CRC64NVME'
export type ChecksumAlgorithm = CrcAlgorithm | 'SHA1' | 'SHA256'
export type ChecksumType = 'FULL_OBJECT' | 'COMPOSITE'

interface AlgorithmRow {
  readonly sizeBytes: number
  readonly header: `x-amz-checksum-${string}`
  readonly element: `Checksum${string}`
  /** What a multipart object may have; the first is the default. */
  readonly multipartTypes: readonly [ChecksumType, ...ChecksumType[]]
}

const table: Readonly<Record<ChecksumAlgorithm, AlgorithmRow>> = {
  CRC32: row('CRC32', 4, ['COMPOSITE', 'FULL_OBJECT']),
  CRC32C: row('CRC32C', 4, ['COMPOSITE', 'FULL_OBJECT']),
  CRC64NVME: row('CRC64NVME', 8, ['FULL_OBJECT']),
  SHA1: row('SHA1', 20, ['COMPOSITE']),
  SHA256: row('SHA256', 32, ['COMPOSITE']),
}

function row(
  name: ChecksumAlgorithm,
  sizeBytes: number,
  multipartTypes: readonly [ChecksumType, ...ChecksumType[]],
): AlgorithmRow {
  return { sizeBytes, header: `x-amz-checksum-${name.toLowerCase()}`, element: `Checksum${name}`, multipartTypes }
}

export const checksumAlgorithms = Object.keys(table) as readonly ChecksumAlgorithm[]

/** The header (and trailer) that carries the checksum, in lower case. */
export function checksumHeader(algorithm: ChecksumAlgorithm): string {
  return table[algorithm].header
}

/** The XML element that carries the checksum. */
export function checksumElement(algorithm: ChecksumAlgorithm): string {
  return table[algorithm].element
}

export function isCrcAlgorithm(algorithm: ChecksumAlgorithm): algorithm is CrcAlgorithm {
  return algorithm.startsWith('CRC')
}

/** The algorithm of a header or trailer name (any case), if it carries a checksum that is known. */
export function algorithmOfHeader(name: string): ChecksumAlgorithm | undefined {
  const header = name.toLowerCase()
  return checksumAlgorithms.find((algorithm) => table[algorithm].header === header)
}

/**
 * The value of `x-amz-checksum-algorithm` or `x-amz-sdk-checksum-algorithm`, in any case.
 * @throws {S3Error} `InvalidRequest`
 */
export function parseChecksumAlgorithm(text: string): ChecksumAlgorithm {
  const algorithm = checksumAlgorithms.find((name) => name === text.toUpperCase())
  if (algorithm !== undefined) return algorithm
  throw new S3Error(
    'InvalidRequest',
    `Checksum algorithm provided is unsupported. Please try again with any of the valid types: [${checksumAlgorithms.join(', ')}]`,
  )
}

/**
 * The type of checksum that a multipart object gets.
 * @param requested `x-amz-checksum-type` of CreateMultipartUpload
 * @throws {S3Error} `InvalidRequest`: the algorithm has no such type (only crcs combine, CRC64NVME always does)
 */
export function multipartChecksumType(algorithm: ChecksumAlgorithm, requested?: string): ChecksumType {
  const types = table[algorithm].multipartTypes
  if (requested === undefined) return types[0]
  const type = types.find((name) => name === requested.toUpperCase())
  if (type !== undefined) return type
  throw new S3Error(
    'InvalidRequest',
    `The ${requested} checksum type cannot be used with the ${algorithm.toLowerCase()} checksum algorithm.`,
  )
}

/** Whether `text` is a checksum of the algorithm's length, in canonical base64 (without any `-N`). */
export function isChecksumValue(algorithm: ChecksumAlgorithm, text: string): boolean {
  const { sizeBytes } = table[algorithm]
  if (text.length !== Math.ceil(sizeBytes / 3) * 4) return false
  const bytes = Buffer.from(text, 'base64')
  return bytes.byteLength === sizeBytes && bytes.toString('base64') === text
}

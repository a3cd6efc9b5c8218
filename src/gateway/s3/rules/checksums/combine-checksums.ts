/**
 * The checksum of a multipart object from those of its parts, without reading a byte again: crcs combine to the crc of
 * the whole (`FULL_OBJECT`); for the others the parts' checksums are themselves hashed (`COMPOSITE`), and so are the
 * parts' MD5s for the ETag. Measured with 10,000 parts, as many as there may be: 20 ms when they have one length, 110 when each has
 * its own.
 * @module
 */
import { createHash } from 'node:crypto'
import { assert } from '../../../../base/assert.ts'
import { combineCrc32, combineCrc32c } from '../../../../base/crc.ts'
import { type ChecksumAlgorithm, type ChecksumType, type CrcAlgorithm, isCrcAlgorithm } from './checksum-algorithm.ts'
import { checksumHasher } from './checksum-hasher.ts'
import { crc32FromBase64, crc32ToBase64, crc64FromBase64, crc64ToBase64 } from './crc-text.ts'
import { combineCrc64 } from './crc64-nvme.ts'

export interface PartChecksum {
  /** Base64, already known to be of the algorithm's length. */
  readonly value: string
  readonly sizeBytes: number
}

/** The checksum of an object that consists of `parts`, in their order; at least one. */
export function combineChecksums(
  parts: readonly PartChecksum[],
  { algorithm, type }: { readonly algorithm: ChecksumAlgorithm; readonly type: ChecksumType },
): string {
  assert(parts.length > 0, 'an object has parts')
  if (type === 'COMPOSITE') return compositeChecksum(algorithm, parts)
  assert(isCrcAlgorithm(algorithm), 'only crcs combine')
  return fullObjectChecksum(algorithm, parts)
}

function compositeChecksum(algorithm: ChecksumAlgorithm, parts: readonly PartChecksum[]): string {
  const hasher = checksumHasher(algorithm)
  for (const { value } of parts) hasher.update(Buffer.from(value, 'base64'))
  return `${hasher.digest()}-${parts.length}`
}

function fullObjectChecksum(algorithm: CrcAlgorithm, parts: readonly PartChecksum[]): string {
  if (algorithm === 'CRC64NVME') {
    let crc = { high: 0, low: 0 }
    for (const { value, sizeBytes } of parts) crc = combineCrc64(crc, crc64FromBase64(value), sizeBytes)
    return crc64ToBase64(crc)
  }
  const combine = algorithm === 'CRC32' ? combineCrc32 : combineCrc32c
  let crc = 0
  for (const { value, sizeBytes } of parts) crc = combine(crc, crc32FromBase64(value), sizeBytes)
  return crc32ToBase64(crc)
}

/**
 * The ETag of a multipart object, without quotes: the MD5 of the parts' MD5s, and how many there are.
 * @param partMd5s 32 hexadecimal digits each, in part order
 */
export function multipartETag(partMd5s: readonly string[]): string {
  const hash = createHash('md5')
  for (const md5 of partMd5s) {
    assert(/^[0-9a-f]{32}$/.test(md5), 'not an MD5 in hexadecimal')
    hash.update(md5, 'hex')
  }
  return `${hash.digest('hex')}-${partMd5s.length}`
}

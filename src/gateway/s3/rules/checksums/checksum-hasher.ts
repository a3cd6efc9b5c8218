/**
 * One incremental hasher for each checksum algorithm. Bytes go in as they pass; the checksum comes out in base64.
 *
 * Never copies and never keeps the bytes that it is given. Measured a core: CRC32 20 GiB/s, CRC32C 5 GiB/s, SHA1 and
 * SHA256 1.4 GiB/s, CRC64NVME 0.8 GiB/s.
 * @module
 */
import { createHash, type Hash } from 'node:crypto'
import { unreachable } from '../../../../base/assert.ts'
import { crc32, crc32c } from '../../../../base/crc.ts'
import type { ChecksumAlgorithm } from './checksum-algorithm.ts'
import { crc32ToBase64, crc64ToBase64 } from './crc-text.ts'
import { Crc64NvmeHasher } from './crc64-nvme.ts'

export interface ChecksumHasher {
  /** Takes `bytes` in; they are free again on return. */
  update(bytes: Uint8Array): void
  /** The checksum in base64. Called once, after the last byte. */
  digest(): string
}

export function checksumHasher(algorithm: ChecksumAlgorithm): ChecksumHasher {
  switch (algorithm) {
    case 'CRC32':
      return new Crc32Hasher(crc32)
    case 'CRC32C':
      return new Crc32Hasher(crc32c)
    case 'CRC64NVME':
      return new Crc64Hasher()
    case 'SHA1':
    case 'SHA256':
      return new DigestHasher(createHash(algorithm.toLowerCase()))
    default:
      return unreachable(algorithm)
  }
}

/** The checksum of bytes that are all at hand. */
export function checksumOf(algorithm: ChecksumAlgorithm, bytes: Uint8Array): string {
  const hasher = checksumHasher(algorithm)
  hasher.update(bytes)
  return hasher.digest()
}

class Crc32Hasher implements ChecksumHasher {
  readonly #crcOf: typeof crc32
  #crc = 0

  constructor(crcOf: typeof crc32) {
    this.#crcOf = crcOf
  }

  update(bytes: Uint8Array): void {
    this.#crc = this.#crcOf(bytes, this.#crc)
  }

  digest(): string {
    return crc32ToBase64(this.#crc)
  }
}

class Crc64Hasher implements ChecksumHasher {
  readonly #hasher = new Crc64NvmeHasher()

  update(bytes: Uint8Array): void {
    this.#hasher.update(bytes)
  }

  digest(): string {
    return crc64ToBase64(this.#hasher.crc())
  }
}

class DigestHasher implements ChecksumHasher {
  readonly #hash: Hash

  constructor(hash: Hash) {
    this.#hash = hash
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes)
  }

  digest(): string {
    return this.#hash.digest('base64')
  }
}

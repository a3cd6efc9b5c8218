/** Crcs as S3 writes them: base64 of the big-endian bytes. @module */
import { assert } from '../../../../base/assert.ts'
import type { Crc64 } from './crc64-nvme.ts'

export function crc32ToBase64(crc: number): string {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32BE(crc >>> 0)
  return bytes.toString('base64')
}

export function crc64ToBase64({ high, low }: Crc64): string {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeUInt32BE(high, 0)
  bytes.writeUInt32BE(low, 4)
  return bytes.toString('base64')
}

export function crc32FromBase64(text: string): number {
  return bytesOf(text, 4).readUInt32BE(0)
}

export function crc64FromBase64(text: string): Crc64 {
  const bytes = bytesOf(text, 8)
  return { high: bytes.readUInt32BE(0), low: bytes.readUInt32BE(4) }
}

function bytesOf(text: string, length: number): Buffer {
  const bytes = Buffer.from(text, 'base64')
  assert(bytes.byteLength === length, 'not a crc in base64')
  return bytes
}

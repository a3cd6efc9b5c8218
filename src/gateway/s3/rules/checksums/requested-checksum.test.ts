import assert from 'node:assert/strict'
import { test } from 'node:test'
import { S3Error, type S3ErrorCode } from '../s3-error.ts'
import { checkChecksum, requestedChecksum } from './requested-checksum.ts'

const refuses = (code: S3ErrorCode) => (error: unknown) => error instanceof S3Error && error.code === code

test('requestedChecksum() finds the one checksum of a request', () => {
  assert.equal(requestedChecksum({ 'x-amz-checksum-mode': 'ENABLED', 'x-amz-checksum-type': 'COMPOSITE' }), undefined)
  assert.deepEqual(requestedChecksum({ 'x-amz-checksum-crc32': 'y/Q5Jg==', 'x-amz-sdk-checksum-algorithm': 'crc32' }), {
    algorithm: 'CRC32',
    value: 'y/Q5Jg==',
    isTrailer: false,
  })
  assert.deepEqual(requestedChecksum({ 'x-amz-trailer': 'X-Amz-Checksum-Crc64nvme' }), {
    algorithm: 'CRC64NVME',
    isTrailer: true,
  })
  assert.deepEqual(requestedChecksum({ 'x-amz-sdk-checksum-algorithm': 'SHA1' }), {
    algorithm: 'SHA1',
    isTrailer: false,
  })
})

test('requestedChecksum() refuses two, unknown and contradicting ones', () => {
  const crc32 = { 'x-amz-checksum-crc32': 'y/Q5Jg==' }
  const wrong = [
    { ...crc32, 'x-amz-checksum-sha1': 'x' },
    { ...crc32, 'x-amz-trailer': 'x-amz-checksum-crc32c' },
    { 'x-amz-trailer': 'x-amz-checksum-crc32, x-amz-checksum-sha1' },
    { 'x-amz-checksum-crc16': 'AAA=' },
    { 'x-amz-trailer': 'x-amz-checksum-crc16' },
    { ...crc32, 'x-amz-sdk-checksum-algorithm': 'SHA1' },
  ]
  for (const headers of wrong) assert.throws(() => requestedChecksum(headers), refuses('InvalidRequest'))
})

test('requestedChecksum() refuses a value that cannot be a checksum', () => {
  for (const value of ['bad', '', 'y/Q5Jg', 'y/Q5Jg==x']) {
    assert.throws(() => requestedChecksum({ 'x-amz-checksum-crc32': value }), refuses('BadDigest'), value)
  }
})

test('checkChecksum() compares', () => {
  checkChecksum('CRC32', 'y/Q5Jg==', 'y/Q5Jg==')
  assert.throws(() => checkChecksum('CRC32', 'AAAAAA==', 'y/Q5Jg=='), refuses('BadDigest'))
})

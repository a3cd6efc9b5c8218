import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { S3Error } from '../s3-error.ts'
import {
  algorithmOfHeader,
  checksumAlgorithms,
  checksumElement,
  checksumHeader,
  isChecksumValue,
  multipartChecksumType,
  parseChecksumAlgorithm,
} from './checksum-algorithm.ts'
import { checksumOf } from './checksum-hasher.ts'

const isInvalidRequest = (error: unknown) => error instanceof S3Error && error.code === 'InvalidRequest'

test('checksumHeader() and checksumElement() are the names of the S3 API', () => {
  assert.equal(checksumHeader('CRC64NVME'), 'x-amz-checksum-crc64nvme')
  assert.equal(checksumElement('CRC64NVME'), 'ChecksumCRC64NVME')
  for (const algorithm of checksumAlgorithms) {
    assert.equal(algorithmOfHeader(checksumHeader(algorithm).toUpperCase()), algorithm)
  }
  assert.equal(algorithmOfHeader('x-amz-checksum-mode'), undefined)
})

test('parseChecksumAlgorithm() takes any case and nothing unknown', () => {
  assert.equal(parseChecksumAlgorithm('crc32c'), 'CRC32C')
  assert.throws(() => parseChecksumAlgorithm('CRC16'), isInvalidRequest)
  assert.throws(() => parseChecksumAlgorithm('toString'), isInvalidRequest)
})

test('multipartChecksumType() allows a full object only where checksums combine', () => {
  const allowed = (type: string) =>
    checksumAlgorithms.filter((algorithm) => {
      try {
        return multipartChecksumType(algorithm, type) === type
      } catch (error) {
        assert.ok(isInvalidRequest(error))
        return false
      }
    })
  assert.deepEqual(allowed('FULL_OBJECT'), ['CRC32', 'CRC32C', 'CRC64NVME'])
  assert.deepEqual(allowed('COMPOSITE'), ['CRC32', 'CRC32C', 'SHA1', 'SHA256'])
  assert.equal(multipartChecksumType('CRC32'), 'COMPOSITE')
  assert.equal(multipartChecksumType('CRC64NVME'), 'FULL_OBJECT')
  assert.throws(() => multipartChecksumType('CRC32', 'PARTIAL'), isInvalidRequest)
})

test('isChecksumValue() takes every checksum, and no other text', () => {
  fc.assert(
    fc.property(fc.constantFrom(...checksumAlgorithms), fc.uint8Array(), (algorithm, bytes) => {
      const value = checksumOf(algorithm, bytes)
      assert.ok(isChecksumValue(algorithm, value))
      assert.ok(!isChecksumValue(algorithm, `${value}=`))
      assert.ok(!isChecksumValue(algorithm, value.slice(0, -1)))
    }),
  )
  assert.ok(!isChecksumValue('SHA256', 'bad'))
  // The last digit holds bits that base64 ignores: only one spelling counts.
  assert.ok(isChecksumValue('CRC32', 'AAAAAA=='))
  assert.ok(!isChecksumValue('CRC32', 'AAAAAB=='))
  assert.ok(!isChecksumValue('CRC32', 'AA*AAA=='))
})

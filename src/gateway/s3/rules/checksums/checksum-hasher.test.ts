import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { checksumAlgorithms } from './checksum-algorithm.ts'
import { checksumHasher, checksumOf } from './checksum-hasher.ts'

test('checksumOf() gives what S3 gives for "123456789"', () => {
  const nine = Buffer.from('123456789')
  assert.deepEqual(
    checksumAlgorithms.map((algorithm) => [algorithm, checksumOf(algorithm, nine)]),
    [
      ['CRC32', 'y/Q5Jg=='],
      ['CRC32C', '4waSgw=='],
      ['CRC64NVME', 'rosUhgp5mIg='],
      ['SHA1', '98O8HYCOBHMq32eZZczDTKeuNEE='],
      ['SHA256', 'FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU='],
    ],
  )
})

test('checksumOf() gives what clients send for 5 MiB of one letter', () => {
  const part = Buffer.alloc(5 * 1024 * 1024, 'A')
  assert.equal(checksumOf('CRC32', part), 'JRTCyQ==')
  assert.equal(checksumOf('CRC32C', part), 'MDaLrw==')
  assert.equal(checksumOf('CRC64NVME', part), 'L/E4WYn8v98=')
  assert.equal(checksumOf('SHA1', part), 'iIaTCGbm+vdVjNqIMF2S0T7ibMk=')
  assert.equal(checksumOf('SHA256', part), '275VF5loJr1YYawit0XSHREhkFXYkkPKGuoK0x9VKxI=')
})

test('checksumHasher() does not care how the bytes are cut', () => {
  const algorithm = fc.constantFrom(...checksumAlgorithms)
  fc.assert(
    fc.property(algorithm, fc.array(fc.uint8Array({ maxLength: 80, size: 'max' })), (name, pieces) => {
      const hasher = checksumHasher(name)
      for (const piece of pieces) hasher.update(piece)
      assert.equal(hasher.digest(), checksumOf(name, Buffer.concat(pieces)))
    }),
  )
})

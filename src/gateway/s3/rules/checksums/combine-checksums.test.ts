import assert from 'node:assert/strict'
import { createHash, hash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { AssertionError } from '../../../../base/assert.ts'
import { checksumAlgorithms } from './checksum-algorithm.ts'
import { checksumOf } from './checksum-hasher.ts'
import { combineChecksums, multipartETag } from './combine-checksums.ts'

const crcs = fc.constantFrom('CRC32', 'CRC32C', 'CRC64NVME')
const parts = fc.array(fc.uint8Array({ maxLength: 100, size: 'max' }), { minLength: 1, maxLength: 8 })

test('combineChecksums() of FULL_OBJECT is the checksum of all the bytes', () => {
  fc.assert(
    fc.property(crcs, parts, (algorithm, bodies) => {
      const checksums = bodies.map((body) => ({ value: checksumOf(algorithm, body), sizeBytes: body.length }))
      const combined = combineChecksums(checksums, { algorithm, type: 'FULL_OBJECT' })
      assert.equal(combined, checksumOf(algorithm, Buffer.concat(bodies)))
    }),
  )
})

test('combineChecksums() gives what ceph/s3-tests expects of three parts of 5 MiB', () => {
  const sizeBytes = 5 * 1024 * 1024
  const expected = [
    ['CRC32', 'FULL_OBJECT', 'WgDhBQ=='],
    ['CRC32C', 'FULL_OBJECT', 'xU+Krw=='],
    ['CRC64NVME', 'FULL_OBJECT', 'i+6LR0y3eFo='],
    ['SHA1', 'COMPOSITE', 'sizjvY4eud3MrcHdZM3cQ/ol39o=-3'],
    ['SHA256', 'COMPOSITE', 'uWBwpe1dxI4Vw8Gf0X9ynOdw/SS6VBzfWm9giiv1sf4=-3'],
  ] as const
  const bodies = ['A', 'B', 'C'].map((letter) => Buffer.alloc(sizeBytes, letter))
  for (const [algorithm, type, value] of expected) {
    const checksums = bodies.map((body) => ({ value: checksumOf(algorithm, body), sizeBytes }))
    assert.equal(combineChecksums(checksums, { algorithm, type }), value)
  }
})

test('combineChecksums() of COMPOSITE hashes the bytes of the parts’ checksums', () => {
  fc.assert(
    fc.property(fc.constantFrom(...checksumAlgorithms), parts, (algorithm, bodies) => {
      const checksums = bodies.map((body) => ({ value: checksumOf(algorithm, body), sizeBytes: body.length }))
      const raw = Buffer.concat(checksums.map(({ value }) => Buffer.from(value, 'base64')))
      const combined = combineChecksums(checksums, { algorithm, type: 'COMPOSITE' })
      assert.equal(combined, `${checksumOf(algorithm, raw)}-${bodies.length}`)
    }),
  )
})

test('combineChecksums() refuses what cannot be combined', () => {
  const part = { value: checksumOf('SHA1', Buffer.from('a')), sizeBytes: 1 }
  assert.throws(() => combineChecksums([part], { algorithm: 'SHA1', type: 'FULL_OBJECT' }), AssertionError)
  assert.throws(() => combineChecksums([part], { algorithm: 'CRC32', type: 'FULL_OBJECT' }), AssertionError)
  assert.throws(() => combineChecksums([], { algorithm: 'SHA1', type: 'COMPOSITE' }), AssertionError)
})

test('multipartETag() is the MD5 of the MD5s, and their number', () => {
  const md5s = ['one', 'two'].map((text) => hash('md5', text))
  const raw = Buffer.concat(md5s.map((md5) => Buffer.from(md5, 'hex')))
  assert.equal(multipartETag(md5s), `${createHash('md5').update(raw).digest('hex')}-2`)
  assert.throws(() => multipartETag(['nonsense']), AssertionError)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32 as zlibCrc32 } from 'node:zlib'
import fc from 'fast-check'
import { combineCrc32, combineCrc32c, crc32, crc32c } from './crc.ts'

const bytes = fc.uint8Array({ maxLength: 3000 })

test('crc32() is the CRC-32 of zlib, in one piece and continued', () => {
  assert.equal(crc32(Buffer.from('123456789')), 0xcbf43926)
  assert.equal(crc32(Buffer.alloc(0)), 0)
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      assert.equal(crc32(a), zlibCrc32(a))
      assert.equal(crc32(b, crc32(a)), zlibCrc32(Buffer.concat([a, b])))
    }),
  )
})

test('combineCrc32() is the crc of the concatenation', () => {
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      assert.equal(combineCrc32(crc32(a), crc32(b), b.length), crc32(Buffer.concat([a, b])))
    }),
  )
})

test('combineCrc32() is associative, also for lengths past 2^32', () => {
  const length = fc.oneof(
    fc.nat(5),
    fc.maxSafeNat().map((value) => Math.floor(value / 2)),
  )
  const crc = fc.nat(2 ** 32 - 1)
  fc.assert(
    fc.property(crc, crc, crc, length, length, (a, b, c, lengthB, lengthC) => {
      const left = combineCrc32(combineCrc32(a, b, lengthB), c, lengthC)
      const right = combineCrc32(a, combineCrc32(b, c, lengthC), lengthB + lengthC)
      assert.equal(left, right)
    }),
  )
})

test('combineCrc32() of blocks is the crc of a chunk', () => {
  const blockBytes = 64 * 1024
  const chunk = Buffer.alloc(5 * blockBytes + 77, 'ashlar')
  let combined = 0
  for (let at = 0; at < chunk.length; at += blockBytes) {
    const block = chunk.subarray(at, at + blockBytes)
    combined = combineCrc32(combined, crc32(block), block.length)
  }
  assert.equal(combined, crc32(chunk))
})

test('combineCrc32() stays right when more lengths were seen than it keeps', () => {
  const tail = Buffer.alloc(700, 3)
  for (let length = 0; length < tail.length; length++) {
    const b = tail.subarray(0, length)
    assert.equal(combineCrc32(0xcbf43926, crc32(b), length), crc32(b, 0xcbf43926))
  }
})

test('crc32c() is the CRC-32C of iSCSI, in one piece, continued and combined', () => {
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283)
  assert.equal(crc32c(Buffer.alloc(0)), 0)
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      const whole = crc32c(Buffer.concat([a, b]))
      assert.equal(crc32c(b, crc32c(a)), whole)
      assert.equal(combineCrc32c(crc32c(a), crc32c(b), b.length), whole)
    }),
  )
})

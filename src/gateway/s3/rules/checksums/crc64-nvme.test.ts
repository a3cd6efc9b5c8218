import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Crc64, Crc64NvmeHasher, combineCrc64 } from './crc64-nvme.ts'

/** The definition, bit by bit. */
function slowCrc(bytes: Uint8Array): bigint {
  let crc = 0xffffffffffffffffn
  for (const byte of bytes) {
    crc ^= BigInt(byte)
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1n) === 1n ? (crc >> 1n) ^ 0x9a6c9329ac4bc9b5n : crc >> 1n
  }
  return crc ^ 0xffffffffffffffffn
}

function crcOf(...pieces: readonly Uint8Array[]): Crc64 {
  const hasher = new Crc64NvmeHasher()
  for (const piece of pieces) hasher.update(piece)
  return hasher.crc()
}

function toBigInt({ high, low }: Crc64): bigint {
  return (BigInt(high) << 32n) | BigInt(low)
}

// `size`: by itself fast-check keeps them too short for the loop of 16 bytes.
const bytes = fc.uint8Array({ maxLength: 200, size: 'max' })

test('Crc64NvmeHasher has the check value of the catalogue', () => {
  assert.equal(toBigInt(crcOf(Buffer.from('123456789'))), 0xae8b14860a799888n)
  assert.equal(toBigInt(crcOf()), 0n)
})

test('Crc64NvmeHasher is the crc of the definition, whatever the pieces and their alignment', () => {
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 4 }), fc.nat(7), (pieces, shift) => {
      const shifted = pieces.map((piece) => {
        const room = new Uint8Array(piece.length + shift + 3)
        room.fill(0xa5)
        room.set(piece, shift)
        return room.subarray(shift, shift + piece.length)
      })
      assert.equal(toBigInt(crcOf(...shifted)), slowCrc(Buffer.concat(pieces)))
    }),
  )
})

test('combineCrc64() is the crc of the concatenation', () => {
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      assert.deepEqual(combineCrc64(crcOf(a), crcOf(b), b.length), crcOf(a, b))
    }),
  )
})

test('combineCrc64() stays right when more lengths were seen than it keeps', () => {
  const head = Buffer.from('head')
  for (let length = 0; length < 600; length++) {
    const tail = Buffer.alloc(length, 7)
    assert.deepEqual(combineCrc64(crcOf(head), crcOf(tail), length), crcOf(head, tail))
  }
})

test('combineCrc64() is associative, also for lengths past 2^32', () => {
  const crc = fc.record({ high: fc.nat(2 ** 32 - 1), low: fc.nat(2 ** 32 - 1) })
  const length = fc.oneof(
    fc.nat(5),
    fc.maxSafeNat().map((value) => Math.floor(value / 2)),
  )
  fc.assert(
    fc.property(crc, crc, crc, length, length, (a, b, c, lengthB, lengthC) => {
      const left = combineCrc64(combineCrc64(a, b, lengthB), c, lengthC)
      assert.deepEqual(left, combineCrc64(a, combineCrc64(b, c, lengthC), lengthB + lengthC))
    }),
  )
})

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  addDigest,
  type ChunkDigest,
  type ChunkFacts,
  digestFromLanes,
  digestOf,
  digestToLanes,
  emptyDigest,
  equalDigests,
  negateDigest,
} from './digest.ts'
import { chunkId, chunkIdToBytes, type GroupId } from './ids.ts'

const facts: fc.Arbitrary<ChunkFacts> = fc.record({
  id: fc.nat(2 ** 20).map((sequence) => chunkId({ group: 3 as GroupId, generation: 1, sequence })),
  length: fc.nat(2 ** 27),
  crc: fc.nat(2 ** 32 - 1),
})
const factList = fc.uniqueArray(facts, { selector: ({ id }) => id, maxLength: 30 })

function sumOf(list: readonly ChunkFacts[]): ChunkDigest {
  return list.map(digestOf).reduce(addDigest, emptyDigest)
}

test('digestOf() is the first 16 bytes of SHA-256 over id, length and crc', () => {
  const id = chunkId({ group: 1 as GroupId, generation: 2, sequence: 3 })
  const message = Buffer.concat([chunkIdToBytes(id), Buffer.from('0000000000000005' + 'fffffffe', 'hex')])
  const hash = createHash('sha256').update(message).digest()
  const digest = digestOf({ id, length: 5, crc: 0xfffffffe })
  assert.deepEqual(digest, { count: 1n, high: hash.readBigUInt64BE(0), low: hash.readBigUInt64BE(8) })
})

test('addDigest() gives one sum, whatever the order', () => {
  const shuffled = factList.chain((list) =>
    fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
  )
  fc.assert(fc.property(shuffled, ([list, other]) => assert.deepEqual(sumOf(list), sumOf(other))))
})

test('negateDigest() removes what was added, and leaves the sum of the rest', () => {
  fc.assert(
    fc.property(factList, facts, (list, gone) => {
      const without = addDigest(addDigest(sumOf(list), digestOf(gone)), negateDigest(digestOf(gone)))
      assert.ok(equalDigests(without, sumOf(list)))
      assert.deepEqual(addDigest(sumOf(list), negateDigest(sumOf(list))), emptyDigest)
    }),
  )
})

test('digests tell sets apart that differ in one chunk, length or crc', () => {
  fc.assert(
    fc.property(facts, (chunk) => {
      const digest = digestOf(chunk)
      assert.ok(!equalDigests(digest, emptyDigest))
      assert.ok(!equalDigests(digest, digestOf({ ...chunk, length: chunk.length + 1 })))
      assert.ok(!equalDigests(digest, digestOf({ ...chunk, crc: (chunk.crc + 1) % 2 ** 32 })))
      assert.ok(!equalDigests(digest, addDigest(digest, digest)))
    }),
  )
})

test('equalDigests() compares each lane', () => {
  const digest = { count: 1n, high: 2n, low: 3n }
  assert.ok(equalDigests(digest, { ...digest }))
  for (const other of [{ count: 2n }, { high: 3n }, { low: 4n }])
    assert.ok(!equalDigests(digest, { ...digest, ...other }))
})

test('digestToLanes() adds as three little-endian lanes do, each modulo 2^64', () => {
  const lane = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
  const digest = fc.record({ count: lane, high: lane, low: lane })
  fc.assert(
    fc.property(digest, digest, (a, b) => {
      assert.deepEqual(digestFromLanes(digestToLanes(a)), { ...a })
      const sum = Buffer.alloc(24)
      for (const at of [0, 8, 16]) {
        const value = digestToLanes(a).readBigUInt64LE(at) + digestToLanes(b).readBigUInt64LE(at)
        sum.writeBigUInt64LE(BigInt.asUintN(64, value), at)
      }
      assert.deepEqual(digestToLanes(addDigest(a, b)), sum)
    }),
  )
})

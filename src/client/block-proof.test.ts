import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testBytes } from '../../test/client/fake-cluster.ts'
import { crc32 } from '../base/crc.ts'
import { isAshlarError } from '../base/errors.ts'
import { chunkId, type GroupId } from '../base/ids.ts'
import { BlockProof } from './block-proof.ts'

const block = 64 * 1024
const bytes = testBytes(2 * block + 100)
const chunk = chunkId({ group: 1 as GroupId, generation: 1, sequence: 1 })
const extent = { chunk, offset: 0, length: bytes.length, chunkLength: bytes.length, crc: crc32(bytes) }
const isCorrupt = (error: unknown) => isAshlarError(error, 'corrupt')

function blockCrcs(of: Buffer): Buffer {
  const crcs = Buffer.alloc(12)
  for (let index = 0; index < 3; index++)
    crcs.writeUInt32BE(crc32(of.subarray(index * block, (index + 1) * block)), index * 4)
  return crcs
}

function answer(offset: number, crcs?: Buffer) {
  return { offset, chunkLength: bytes.length, crc: extent.crc, blockCrcs: crcs }
}

test("BlockProof.check() refuses block checksums that do not give the chunk's, though the bytes match them", () => {
  const other = testBytes(bytes.length, 2)
  const proof = new BlockProof()
  assert.throws(() => proof.check(extent, answer(0, blockCrcs(other)), other.subarray(0, block)), isCorrupt)
  assert.ok(proof.needsBlockCrcs(extent))
})

test('BlockProof.check() proves the block checksums once, and holds every replica to them', () => {
  const proof = new BlockProof()
  proof.check(extent, answer(block, blockCrcs(bytes)), bytes.subarray(block, 2 * block))
  assert.equal(proof.needsBlockCrcs(extent), false)
  proof.check(extent, answer(2 * block), bytes.subarray(2 * block))
  const rotten = Buffer.from(bytes.subarray(2 * block))
  rotten[99] = (rotten[99] as number) ^ 128
  assert.throws(() => proof.check(extent, answer(2 * block), rotten), isCorrupt)
  assert.throws(() => proof.check(extent, answer(0), bytes.subarray(block, 2 * block)), isCorrupt)
})

test('BlockProof.check() refuses bytes that are not whole blocks of the chunk', () => {
  const proof = new BlockProof()
  const crcs = blockCrcs(bytes)
  for (const [offset, end] of [
    [1, block],
    [0, block - 1],
    [2 * block, bytes.length - 1],
  ] as const) {
    assert.throws(() => proof.check(extent, answer(offset, crcs), bytes.subarray(offset, end)), isCorrupt)
  }
  assert.throws(
    () => proof.check(extent, answer(2 * block, crcs), Buffer.concat([bytes.subarray(2 * block), Buffer.alloc(1)])),
    isCorrupt,
  )
  assert.throws(() => proof.check(extent, answer(0, crcs.subarray(4)), bytes.subarray(0, block)), isCorrupt)
  assert.throws(() => proof.check({ ...extent, chunkLength: 7 }, answer(0, crcs), bytes.subarray(0, block)), isCorrupt)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { AssertionError } from './assert.ts'
import { isAshlarError } from './errors.ts'
import {
  type ChunkIdParts,
  chunkId,
  chunkIdFromBytes,
  chunkIdParts,
  chunkIdToBytes,
  type GroupId,
  groupOf,
  pageBounds,
  pageNumber,
  pageOf,
  parseChunkId,
} from './ids.ts'
import { maxGeneration } from './rising.ts'

const maxSequence = 2 ** 52 - 1
const parts: fc.Arbitrary<ChunkIdParts> = fc.record({
  group: fc.nat(2 ** 32 - 1).map((group) => group as GroupId),
  generation: fc.nat(maxGeneration),
  sequence: fc.oneof(
    fc.maxSafeNat().map((value) => value % 2 ** 52),
    fc.constantFrom(0, 4095, 4096, maxSequence),
  ),
})

test('chunkId() has the bytes that the design names', () => {
  const id = chunkId({ group: 0x01020304 as GroupId, generation: 0x506, sequence: 0x0708090a0b0c })
  assert.equal(id, '01020304' + '0506' + '00000708090a0b0c' + '0000')
})

test('chunkId() comes back whole from its parts, its text and its bytes', () => {
  fc.assert(
    fc.property(parts, (given) => {
      const id = chunkId(given)
      assert.deepEqual(chunkIdParts(id), { ...given })
      assert.equal(groupOf(id), given.group)
      assert.equal(parseChunkId(id), id)
      assert.equal(chunkIdFromBytes(chunkIdToBytes(id)), id)
    }),
  )
})

test('chunkId() orders as text, as bytes and as (group, generation, sequence) alike', () => {
  fc.assert(
    fc.property(parts, parts, (a, b) => {
      const byParts = a.group - b.group || a.generation - b.generation || a.sequence - b.sequence
      const [idA, idB] = [chunkId(a), chunkId(b)]
      assert.equal(Math.sign(byParts), idA < idB ? -1 : idA > idB ? 1 : 0)
      assert.equal(Math.sign(byParts), Buffer.compare(chunkIdToBytes(idA), chunkIdToBytes(idB)))
    }),
  )
})

test('chunkId() refuses parts that it could not give back', () => {
  const good = { group: 1 as GroupId, generation: 1, sequence: 1 }
  const bad = [
    { group: (2 ** 32) as GroupId },
    { group: -1 as GroupId },
    { generation: maxGeneration + 1 },
    { generation: 0.5 },
    { sequence: 2 ** 52 },
    { sequence: -1 },
  ]
  for (const part of bad) assert.throws(() => chunkId({ ...good, ...part }), AssertionError)
})

test('parseChunkId() refuses what no master issues, and does not repeat it at length', () => {
  const good = chunkId({ group: 1 as GroupId, generation: 1, sequence: 1 })
  const bad = [
    '',
    good.slice(1),
    `${good}0`,
    good.toUpperCase().replace('0', 'A'),
    `${good.slice(0, 31)}1`,
    `${good.slice(0, 12)}001${good.slice(15)}`,
    `${good.slice(0, 8)}0800${good.slice(12)}`,
    `${good}\n`,
    'g'.repeat(5000),
  ]
  for (const text of bad) {
    assert.throws(
      () => parseChunkId(text),
      (error) => isAshlarError(error, 'protocol') && error.message.length < 120,
      text.slice(0, 50),
    )
  }
})

test('pageOf() is exact: a page holds the ids between its bounds and no others', () => {
  fc.assert(
    fc.property(parts, (given) => {
      const page = pageOf(chunkId(given))
      assert.ok(Number.isSafeInteger(page))
      const { first, last } = pageBounds(given.group, page)
      const id = chunkId(given)
      assert.ok(first <= id && id <= last)
      assert.equal(pageOf(first), page)
      assert.equal(pageOf(last), page)
      const [low, high] = [chunkIdParts(first).sequence, chunkIdParts(last).sequence]
      assert.equal(high - low, 4095)
      if (low > 0) assert.equal(pageNumber(given.generation, low - 1), page - 1)
      if (high < maxSequence) assert.equal(pageNumber(given.generation, high + 1), page + 1)
    }),
  )
})

test('pageNumber() of different generations never meet', () => {
  assert.ok(pageNumber(3, maxSequence) < pageNumber(4, 0))
  assert.ok(Number.isSafeInteger(pageNumber(maxGeneration, maxSequence)))
})

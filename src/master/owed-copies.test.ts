import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ServerId } from '../base/ids.ts'
import { OwedCopies } from './owed-copies.ts'

const [a, b] = ['a', 'b'].map((letter) => letter.repeat(32)) as [ServerId, ServerId]

test('OwedCopies knows at once what commits add, and from each pass what is still owed', () => {
  const owed = new OwedCopies()
  owed.add(a, 10)
  owed.add(a, 5)
  assert.deepEqual([owed.of(a).bytes, owed.of(b).bytes], [15, 0])
  owed.beginPass()
  owed.count(a, 10)
  assert.equal(owed.of(a).bytes, 15, 'nothing is forgotten before the end of the pass')
  owed.endPass()
  assert.equal(owed.of(a).bytes, 10, 'the other debt was paid')
  owed.beginPass()
  owed.endPass()
  assert.equal(owed.of(a).bytes, 0)
})

// The pass may have been past the place of the new debt already.
test('OwedCopies keeps what is added while a pass is under way', () => {
  const owed = new OwedCopies()
  owed.beginPass()
  owed.count(b, 3)
  owed.add(a, 7)
  owed.endPass()
  assert.deepEqual([owed.of(a).bytes, owed.of(b).bytes], [7, 3])
  owed.beginPass()
  owed.count(a, 7)
  owed.endPass()
  assert.deepEqual([owed.of(a).bytes, owed.of(b).bytes], [7, 0])
})

test('OwedCopies.paid() takes a debt off at once, and never below nothing', () => {
  const owed = new OwedCopies()
  for (const length of [3, 4]) owed.count(a, length)
  owed.endPass()
  assert.deepEqual(owed.of(a), { chunks: 2, bytes: 7 })
  owed.paid(a, 3)
  assert.deepEqual(owed.of(a), { chunks: 1, bytes: 4 })
  for (const length of [4, 4]) owed.paid(a, length)
  assert.deepEqual(owed.of(a), { chunks: 0, bytes: 0 })
})

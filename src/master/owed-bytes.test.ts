import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ServerId } from '../base/ids.ts'
import { OwedBytes } from './owed-bytes.ts'

const [a, b] = ['a', 'b'].map((letter) => letter.repeat(32)) as [ServerId, ServerId]

test('OwedBytes knows at once what commits add, and from each pass what is still owed', () => {
  const owed = new OwedBytes()
  owed.add(a, 10)
  owed.add(a, 5)
  assert.deepEqual([owed.of(a), owed.of(b)], [15, 0])
  owed.beginPass()
  owed.count(a, 10)
  assert.equal(owed.of(a), 15, 'nothing is forgotten before the end of the pass')
  owed.endPass()
  assert.equal(owed.of(a), 10, 'the other debt was paid')
  owed.beginPass()
  owed.endPass()
  assert.equal(owed.of(a), 0)
})

// The pass may have been past the place of the new debt already.
test('OwedBytes keeps what is added while a pass is under way', () => {
  const owed = new OwedBytes()
  owed.beginPass()
  owed.count(b, 3)
  owed.add(a, 7)
  owed.endPass()
  assert.deepEqual([owed.of(a), owed.of(b)], [7, 3])
  owed.beginPass()
  owed.count(a, 7)
  owed.endPass()
  assert.deepEqual([owed.of(a), owed.of(b)], [7, 0])
})

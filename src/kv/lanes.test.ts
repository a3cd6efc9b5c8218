import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { lanes } from '../../test/contract/kv-under-test.ts'
import { addInto, addLanes } from './lanes.ts'

const lane = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
const vector = fc.array(lane, { minLength: 1, maxLength: 4 })

function sumOf(left: readonly bigint[], right: readonly bigint[]): Buffer {
  const count = Math.max(left.length, right.length)
  return lanes(...Array.from({ length: count }, (_, index) => (left[index] ?? 0n) + (right[index] ?? 0n)))
}

test('addLanes() adds each lane modulo 2^64, the shorter vector as if it had zeros behind', () => {
  fc.assert(
    fc.property(vector, vector, (left, right) => {
      const [a, b] = [lanes(...left), lanes(...right)]
      assert.deepEqual(addLanes(a, b), sumOf(left, right))
      assert.deepEqual([a, b], [lanes(...left), lanes(...right)])
    }),
  )
})

test('addInto() does so in place', () => {
  const longAndShort = vector.chain((long) => fc.tuple(fc.constant(long), fc.array(lane, { maxLength: long.length })))
  fc.assert(
    fc.property(longAndShort, ([long, short]) => {
      const sum = lanes(...long)
      addInto(sum, lanes(...short))
      assert.deepEqual(sum, sumOf(long, short))
    }),
  )
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { AssertionError } from './assert.ts'
import { counterOf, generationOf, maxGeneration, rising } from './rising.ts'

const counterMax = 2 ** 42 - 1
const pair = fc.tuple(
  fc.nat(maxGeneration),
  fc.oneof(
    fc.maxSafeNat().map((value) => value % 2 ** 42),
    fc.constant(counterMax),
  ),
)

test('rising() is a safe integer that gives both parts back', () => {
  fc.assert(
    fc.property(pair, ([generation, counter]) => {
      const value = rising(generation, counter)
      assert.ok(Number.isSafeInteger(value))
      assert.equal(generationOf(value), generation)
      assert.equal(counterOf(value), counter)
    }),
  )
  assert.equal(rising(maxGeneration, counterMax), Number.MAX_SAFE_INTEGER)
})

test('rising() compares by generation first: what follows a restore is greater than all before', () => {
  fc.assert(
    fc.property(pair, pair, ([generationA, counterA], [generationB, counterB]) => {
      const expected = Math.sign(generationA - generationB || counterA - counterB)
      assert.equal(Math.sign(rising(generationA, counterA) - rising(generationB, counterB)), expected)
    }),
  )
})

test('rising() refuses parts out of range', () => {
  for (const [generation, counter] of [
    [-1, 0],
    [maxGeneration + 1, 0],
    [0.5, 0],
    [0, -1],
    [0, counterMax + 1],
    [0, 0.5],
  ] as const) {
    assert.throws(() => rising(generation, counter), AssertionError)
  }
})

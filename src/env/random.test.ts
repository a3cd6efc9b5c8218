import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createNodeRandom } from './node-random.ts'
import { seededRandom } from './seeded-random.ts'

const sources = { 'node random': createNodeRandom(), 'seeded random': seededRandom(1) }

for (const [name, random] of Object.entries(sources)) {
  test(`${name}: fraction() and below() stay in range and reach all of it`, () => {
    const seen = new Set<number>()
    for (let draw = 0; draw < 5000; draw++) {
      const fraction = random.fraction()
      assert.ok(fraction >= 0 && fraction < 1)
      seen.add(random.below(7))
    }
    assert.deepEqual([...seen].sort(), [0, 1, 2, 3, 4, 5, 6])
    assert.throws(() => random.below(0))
    assert.throws(() => random.below(1.5))
  })

  test(`${name}: below() reaches beyond 32 bits`, () => {
    const draws = Array.from({ length: 100 }, () => random.below(2 ** 52))
    assert.ok(draws.every((draw) => Number.isSafeInteger(draw) && draw >= 0 && draw < 2 ** 52))
    assert.ok(draws.some((draw) => draw > 2 ** 40))
    assert.ok(draws.some((draw) => draw % 2 === 1))
  })

  test(`${name}: weighted() follows the weights`, () => {
    const counts = { a: 0, b: 0, c: 0 }
    const weights = { a: 1, b: 0, c: 9 }
    for (let draw = 0; draw < 10_000; draw++)
      counts[random.weighted(['a', 'b', 'c'] as const, (item) => weights[item])]++
    assert.equal(counts.b, 0)
    // Ten standard deviations.
    assert.ok(Math.abs(counts.a - 1000) < 300, `${counts.a} of 10,000 instead of 1,000`)
    const uniform = new Set(Array.from({ length: 100 }, () => random.weighted(['a', 'b', 'c'], () => 0)))
    assert.equal(uniform.size, 3)
    assert.throws(() => random.weighted([], () => 1))
    assert.throws(() => random.weighted(['a'], () => -1))
  })

  test(`${name}: shuffled() keeps every item, changes nothing, reaches every order`, () => {
    fc.assert(
      fc.property(fc.array(fc.nat()), (items) => {
        const before = [...items]
        assert.deepEqual(random.shuffled(items).sort(), [...items].sort())
        assert.deepEqual(items, before)
      }),
    )
    const orders = new Set(Array.from({ length: 500 }, () => random.shuffled([1, 2, 3]).join('')))
    assert.equal(orders.size, 6)
  })

  test(`${name}: bytes() has the length asked for, and every value`, () => {
    for (const length of [0, 1, 3, 4, 5, 31]) assert.equal(random.bytes(length).length, length)
    assert.equal(new Set(random.bytes(10_000)).size, 256)
    assert.notDeepEqual(random.bytes(16), random.bytes(16))
  })
}

test('seededRandom() replays on every machine', () => {
  const random = seededRandom(42)
  assert.equal(random.bytes(10).toString('hex'), '3d945d27b4aab9d94e30')
  assert.equal(random.below(1_000_000), 211930)
  assert.notEqual(seededRandom(42).fraction(), seededRandom(43).fraction())
})

test('stream() depends on the seed and the name alone', () => {
  const random = seededRandom(7)
  const before = random.stream('network').bytes(8)
  random.fraction()
  random.stream('disk').bytes(100)
  assert.deepEqual(random.stream('network').bytes(8), before)
  assert.notDeepEqual(random.stream('disk').bytes(8), before)
  assert.notDeepEqual(seededRandom(8).stream('network').bytes(8), before)
})

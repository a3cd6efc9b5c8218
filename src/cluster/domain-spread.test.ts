import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { DomainSpread } from './domain-spread.ts'

function spreadOf(...domains: readonly string[]): DomainSpread {
  return new DomainSpread(domains.map((domain) => ({ domain })))
}

test('DomainSpread.admits() gives each rack one copy where there are as many racks as copies', () => {
  const spread = spreadOf('a/1', 'b/1', 'c/2', 'd/3')
  assert.equal(spread.admits('b/1', ['a/1'], 3), false)
  assert.equal(spread.admits('c/2', ['a/1'], 3), true)
  assert.equal(spread.admits('d/3', ['a/1', 'c/2'], 3), true)
})

test('DomainSpread.admits() spreads over the racks there are when they are fewer than copies, and never two on a host', () => {
  const two = spreadOf('a/1', 'b/1', 'c/1', 'd/2')
  assert.equal(two.admits('b/1', ['a/1'], 3), true)
  assert.equal(two.admits('c/1', ['a/1', 'b/1'], 3), false, 'the other rack must have one')
  assert.equal(two.admits('d/2', ['a/1', 'b/1'], 3), true)
  assert.equal(two.admits('a/1', ['a/1'], 3), false)
  const one = spreadOf('a/1', 'b/1', 'c/1')
  assert.equal(one.admits('c/1', ['a/1', 'b/1'], 3), true)
  assert.equal(one.admits('b/1', ['b/1'], 3), false)
})

test('DomainSpread.admits() never puts two on one host where domains have one level', () => {
  const spread = spreadOf('a', 'b')
  assert.equal(spread.admits('a', ['b'], 3), true)
  assert.equal(spread.admits('a', ['b', 'a'], 3), false)
})

test('DomainSpread.admits() takes racks of one name in two rooms for two', () => {
  const spread = spreadOf('a/1/x', 'b/1/y', 'c/2/x', 'd/2/y')
  assert.equal(spread.admits('b/1/y', ['a/1/x'], 3), true)
  assert.equal(spread.admits('c/2/x', ['a/1/x', 'b/1/y'], 3), true)
})

// So that as few copies as can be go with any one rack, whatever the cluster.
test('DomainSpread.admits() leads to the most even spread there is, in whatever order servers are tried', () => {
  const clusters = fc.record({
    racks: fc.array(fc.integer({ min: 5, max: 8 }), { minLength: 1, maxLength: 6 }),
    copies: fc.integer({ min: 1, max: 5 }),
    order: fc.array(fc.nat(), { minLength: 48, maxLength: 48 }),
  })
  fc.assert(
    fc.property(clusters, ({ racks, copies, order }) => {
      const domains = racks.flatMap((hosts, rack) =>
        Array.from({ length: hosts }, (_, host) => `${rack}-${host}/${rack}`),
      )
      const tried = domains
        .map((domain, index) => ({ domain, rank: order[index] as number }))
        .sort((a, b) => a.rank - b.rank)
      const spread = spreadOf(...domains)
      const chosen: string[] = []
      for (const { domain } of tried) {
        if (chosen.length < copies && spread.admits(domain, chosen, copies)) chosen.push(domain)
      }
      assert.equal(chosen.length, copies)
      assert.equal(new Set(chosen).size, copies)
      const counts = racks.map((_, rack) => chosen.filter((domain) => domain.endsWith(`/${rack}`)).length)
      assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, `${counts}`)
    }),
    { numRuns: 200 },
  )
})

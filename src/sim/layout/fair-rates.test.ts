import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fairRates, type Resource } from './fair-rates.ts'

const resource = (kind: string, bytesPerSecond: number): Resource => ({ kind, bytesPerSecond })

test('fairRates() shares what is full alike, and lets the others rise to their own limit', () => {
  const [shared, wide] = [resource('shared', 90), resource('wide', 100)]
  const rates = fairRates([
    [{ resource: shared, weight: 1 }],
    [
      { resource: shared, weight: 2 },
      { resource: wide, weight: 1 },
    ],
    [{ resource: wide, weight: 1 }],
  ])
  assert.deepEqual(
    rates.map(({ bytesPerSecond, limit }) => [bytesPerSecond, limit.kind]),
    [
      [30, 'shared'],
      [30, 'shared'],
      [70, 'wide'],
    ],
  )
})

test('fairRates() asks no resource for more than it has, and holds each copy by a full one', () => {
  const cases = fc.array(
    fc.array(fc.record({ index: fc.nat(5), weight: fc.integer({ min: 1, max: 3 }) }), { minLength: 1, maxLength: 4 }),
    { minLength: 1, maxLength: 20 },
  )
  fc.assert(
    fc.property(cases, fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 6, maxLength: 6 }), (asked, sizes) => {
      const resources = sizes.map((size, index) => resource(String(index), size))
      const copies = asked.map((uses) =>
        uses.map(({ index, weight }) => ({ resource: resources[index] as Resource, weight })),
      )
      const used = new Map<Resource, number>()
      const rates = fairRates(copies)
      for (const [index, uses] of copies.entries()) {
        const speed = rates[index]?.bytesPerSecond ?? Number.NaN
        assert.ok(speed > 0)
        for (const use of uses) used.set(use.resource, (used.get(use.resource) ?? 0) + use.weight * speed)
      }
      for (const [each, sum] of used) assert.ok(sum <= each.bytesPerSecond * (1 + 1e-9))
      for (const [index, uses] of copies.entries()) {
        const { limit } = rates[index] as (typeof rates)[number]
        assert.ok(uses.some((use) => use.resource === limit))
        assert.ok((used.get(limit) ?? 0) >= limit.bytesPerSecond * (1 - 1e-9))
      }
    }),
  )
})

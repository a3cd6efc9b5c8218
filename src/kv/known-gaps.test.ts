import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { KnownGaps } from './known-gaps.ts'

const key = fc
  .array(fc.integer({ min: 1, max: 255 }), { minLength: 1, maxLength: 3 })
  .map((bytes) => String.fromCharCode(...bytes))

describe('KnownGaps', () => {
  it('says of no key that is there that it is absent, whatever was learned, written and removed before', () => {
    const step = fc.record({ kind: fc.constantFrom('look', 'look', 'span', 'write', 'remove'), key, other: key })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const rows = new Set<string>()
        const gaps = new KnownGaps()
        for (const { kind, key, other } of steps) {
          if (kind === 'write') {
            rows.add(key)
            gaps.written(key)
          } else if (kind === 'remove') rows.delete(key)
          else if (kind === 'span') {
            const inside = [...rows].filter((row) => row >= key && row < other)
            if (gaps.spans(key, other)) assert.deepEqual(inside, [])
            else if (inside.length === 0 && key < other) gaps.learn(neighbour(rows, key, -1), atOrAbove(rows, other))
          } else if (gaps.holds(key)) assert.ok(!rows.has(key), `${JSON.stringify(key)} is there`)
          else if (!rows.has(key)) gaps.learn(neighbour(rows, key, -1), neighbour(rows, key, 1))
        }
      }),
    )
  })

  it('answers for keys that are written in order, after the first', () => {
    const gaps = new KnownGaps()
    gaps.learn('a', 'z')
    for (const next of ['b', 'c', 'd']) {
      assert.equal(gaps.holds(next), true, next)
      gaps.written(next)
      assert.equal(gaps.holds(next), false, `${next} was written`)
    }
    assert.equal(gaps.holds('bb'), false, 'before the last')
    assert.equal(gaps.holds('z'), false, 'the row behind')
    assert.equal(gaps.holds('\u{ff}'), false)
  })

  it('answers for ranges that lie in a gap, up to the row behind', () => {
    const gaps = new KnownGaps()
    gaps.learn('b', 'm')
    assert.equal(gaps.spans('c', 'm'), true)
    assert.equal(gaps.spans('b', 'm'), false, 'the row before')
    assert.equal(gaps.spans('c', 'n'), false, 'the row behind')
    gaps.written('e')
    assert.equal(gaps.spans('c', 'm'), false, 'written')
    assert.equal(gaps.spans('f', 'm'), true)
  })

  it('keeps a bounded number, the last used', () => {
    const gaps = new KnownGaps()
    const names = Array.from({ length: 40 }, (_, index) => String.fromCharCode(65 + index))
    gaps.learn('!', '#')
    for (const name of names) {
      gaps.learn(`${name}1`, `${name}3`)
      assert.equal(gaps.holds('"'), true, 'used all the time')
    }
    assert.equal(gaps.holds('A2'), false)
    assert.equal(gaps.holds(`${names.at(-1)}2`), true)
  })
})

function neighbour(rows: ReadonlySet<string>, key: string, side: -1 | 1): string | undefined {
  const beyond = [...rows].filter((row) => (side < 0 ? row < key : row > key)).sort()
  return side < 0 ? beyond.at(-1) : beyond[0]
}

function atOrAbove(rows: ReadonlySet<string>, key: string): string | undefined {
  return rows.has(key) ? key : neighbour(rows, key, 1)
}

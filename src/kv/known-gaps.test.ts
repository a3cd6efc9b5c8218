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
    const names = Array.from({ length: 2000 }, (_, index) => String(index).padStart(4, '0'))
    gaps.learn('!', '#')
    for (const name of names) {
      gaps.learn(`${name}1`, `${name}3`)
      assert.equal(gaps.holds('"'), true, 'used all the time')
    }
    assert.equal(gaps.holds('00002'), false)
    assert.equal(gaps.holds('19992'), true)
    assert.ok(names.filter((name) => gaps.holds(`${name}2`)).length <= 512)
  })

  it('answers for a hundred directories that are filled by turns', () => {
    const gaps = new KnownGaps()
    const directories = Array.from({ length: 100 }, (_, index) => String(index).padStart(2, '0'))
    for (const [index, directory] of directories.entries()) gaps.learn(`${directory}/1`, directories[index + 1])
    for (const file of ['2', '3', '4']) {
      for (const directory of directories) {
        assert.equal(gaps.holds(`${directory}/${file}`), true, `${directory}/${file}`)
        gaps.written(`${directory}/${file}`)
        assert.equal(gaps.holds(`${directory}/${file}`), false, 'written')
      }
    }
  })

  it('keeps gaps apart that were learned between rows of a batch', () => {
    const gaps = new KnownGaps()
    gaps.learn('a', 'z')
    // `m` is in the batch.
    gaps.learn('a', 'm')
    gaps.written('g')
    assert.equal(gaps.holds('h'), true)
    for (let index = 1000; index < 3000; index++) {
      gaps.learn(`~${index}1`, `~${index}3`)
      assert.equal(gaps.holds('n'), true, 'used all the time')
    }
    assert.equal(gaps.holds('h'), false, 'forgotten')
    assert.equal(gaps.holds('g'), false, 'written')
  })
})

function neighbour(rows: ReadonlySet<string>, key: string, side: -1 | 1): string | undefined {
  const beyond = [...rows].filter((row) => (side < 0 ? row < key : row > key)).sort()
  return side < 0 ? beyond.at(-1) : beyond[0]
}

function atOrAbove(rows: ReadonlySet<string>, key: string): string | undefined {
  return rows.has(key) ? key : neighbour(rows, key, 1)
}

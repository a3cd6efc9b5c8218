import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RecentMap } from './recent-map.ts'

describe('RecentMap', () => {
  it('keeps what is used and forgets what is not', () => {
    const map = new RecentMap<number, string>(8)
    map.set(-1, 'used')
    map.set(-2, 'unused')
    for (let key = 0; key < 40; key++) {
      map.set(key, `value ${key}`)
      assert.equal(map.get(-1), 'used', `after ${key + 1} others`)
      assert.equal(map.get(key), `value ${key}`)
    }
    assert.equal(map.get(-2), undefined)
  })

  it('holds no more entries than its bound', () => {
    const map = new RecentMap<number, number>(8)
    for (let key = 0; key < 1000; key++) {
      map.set(key, key)
      if (key % 3 === 0) map.get(key - 2)
    }
    let held = 0
    for (let key = 0; key < 1000; key++) if (map.get(key) !== undefined) held++
    assert.ok(held <= 8, `${held} are held`)
  })

  it('gives the newest value, and none once it was deleted, in whichever generation it lies', () => {
    const map = new RecentMap<string, number>(4)
    map.set('a', 1)
    map.set('b', 1)
    map.set('c', 1)
    map.set('a', 2)
    assert.equal(map.get('a'), 2)
    map.delete('a')
    assert.equal(map.get('a'), undefined)
    map.delete('b')
    assert.equal(map.get('b'), undefined)
    assert.equal(map.get('c'), 1)
  })
})

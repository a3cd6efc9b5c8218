import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limits } from '../base/limits.ts'
import { RowCache } from './row-cache.ts'

test('RowCache gives what was kept, as a copy', () => {
  const cache = new RowCache()
  const value = Buffer.from('one')
  cache.keep('a', value)
  value.fill(0)
  cache.get('a')?.fill(0)
  assert.equal(cache.get('a')?.toString(), 'one')
  assert.equal(cache.get('b'), undefined)
})

test('RowCache.written() replaces and drops what is kept, and keeps nothing by itself', () => {
  const cache = new RowCache()
  cache.keep('a', Buffer.from('one'))
  cache.written('a', Buffer.from('two'))
  cache.written('b', Buffer.from('new'))
  assert.equal(cache.get('a')?.toString(), 'two')
  assert.equal(cache.get('b'), undefined)
  cache.written('a', undefined)
  assert.equal(cache.get('a'), undefined)
})

test('RowCache stays within its bound: rows not asked for go, those in use stay', () => {
  const cache = new RowCache()
  const value = Buffer.alloc(1000)
  const count = (2 * limits.metadataRowCacheBytes) / value.length
  cache.keep('in use', Buffer.from('here'))
  let keptAtOnce = 0
  for (let index = 0; index < count; index++) {
    cache.keep(`row ${index}`, value)
    assert.equal(cache.get('in use')?.toString(), 'here')
  }
  for (let index = 0; index < count; index++) if (cache.get(`row ${index}`) !== undefined) keptAtOnce++
  assert.ok(keptAtOnce > 0)
  assert.ok(keptAtOnce * value.length < limits.metadataRowCacheBytes)
})

test('RowCache.written() reaches a row of the older generation', () => {
  const cache = new RowCache()
  cache.keep('a', Buffer.from('one'))
  const value = Buffer.alloc(1000)
  // More than one generation, less than two.
  const count = (0.75 * limits.metadataRowCacheBytes) / (value.length + 200)
  for (let index = 0; index < count; index++) cache.keep(`row ${index}`, value)
  cache.written('a', Buffer.from('two'))
  assert.equal(cache.get('a')?.toString(), 'two')
})

test('RowCache keeps no large rows', () => {
  const cache = new RowCache()
  cache.keep('large', Buffer.alloc(limits.valueBytes))
  assert.equal(cache.get('large'), undefined)
})

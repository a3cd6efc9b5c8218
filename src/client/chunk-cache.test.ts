import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { crc32 } from '../base/crc.ts'
import type { ChunkId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { ChunkCache } from './chunk-cache.ts'

function chunkOf(index: number, length: number) {
  const bytes = Buffer.from(Uint8Array.from({ length }, (_, at) => index + at * 7))
  return { named: { chunk: `chunk ${index}` as ChunkId, chunkLength: length, crc: crc32(bytes) }, bytes }
}

const whole = (length: number) => ({ offset: 0, length })

test('ChunkCache gives the very bytes of a range or nothing, whatever was kept, and holds no more than its bound', () => {
  const steps = fc.array(fc.record({ index: fc.nat(20), isKept: fc.boolean(), from: fc.nat(400), to: fc.nat(400) }), {
    maxLength: 200,
  })
  fc.assert(
    fc.property(steps, fc.integer({ min: 0, max: 3000 }), (all, maxBytes) => {
      const cache = new ChunkCache(maxBytes)
      const kept = new Set<number>()
      let reads = 0
      for (const { index, isKept, from, to } of all) {
        const { named, bytes } = chunkOf(index, 1 + ((index * 37) % 400))
        if (isKept) {
          cache.keep(named, bytes)
          kept.add(index)
          continue
        }
        const offset = Math.min(from, to, named.chunkLength - 1)
        const length = Math.min(Math.max(from, to), named.chunkLength) - offset
        const found = cache.get(named, { offset, length })
        if (named.chunkLength <= Math.floor(maxBytes / 2)) reads++
        if (found === undefined) continue
        assert.ok(kept.has(index))
        assert.deepEqual(found, bytes.subarray(offset, offset + length))
        // Nobody else's memory: what is done to it changes nothing here.
        found.fill(0)
      }
      const held = Array.from({ length: 21 }, (_, index) => chunkOf(index, 1 + ((index * 37) % 400)))
        .filter(({ named }) => cache.get(named, whole(named.chunkLength)) !== undefined)
        .reduce((sum, { named }) => sum + named.chunkLength, 0)
      assert.ok(held <= maxBytes)
      const { hits, misses } = cache.reads
      assert.ok(hits + misses >= reads)
    }),
  )
})

test('ChunkCache keeps what is asked for again, and forgets what is not', () => {
  const cache = new ChunkCache(1000)
  const often = chunkOf(0, 100)
  cache.keep(often.named, often.bytes)
  for (let index = 1; index < 50; index++) {
    const { named, bytes } = chunkOf(index, 100)
    cache.keep(named, bytes)
    const found = cache.get(often.named, whole(100))
    assert.deepEqual(found, often.bytes, `after ${index}`)
    found?.fill(0)
  }
  const first = chunkOf(1, 100)
  assert.equal(cache.get(first.named, whole(100)), undefined)
  assert.deepEqual(cache.reads, { hits: 49, misses: 1 })
})

// What is moved over from the older generation may lie where the younger one begins.
test('ChunkCache moves bytes within one memory rightly', () => {
  const cache = new ChunkCache(400)
  const kept = [10, 150, 200].map((length, index) => chunkOf(index, length))
  for (const { named, bytes } of kept) cache.keep(named, bytes)
  const { named, bytes } = kept[1] as (typeof kept)[0]
  for (let reads = 0; reads < 3; reads++) assert.deepEqual(cache.get(named, whole(150)), bytes)
})

test('ChunkCache gives nothing under a known id with another checksum or length, and keeps what comes then', () => {
  const cache = new ChunkCache(1000)
  const old = chunkOf(0, 100)
  const other = { named: { ...chunkOf(7, 100).named, chunk: old.named.chunk }, bytes: chunkOf(7, 100).bytes }
  cache.keep(old.named, old.bytes)
  assert.equal(cache.get(other.named, whole(100)), undefined)
  assert.equal(cache.get({ ...old.named, chunkLength: 99 }, whole(99)), undefined)
  cache.keep(other.named, other.bytes)
  assert.deepEqual(cache.get(other.named, whole(100)), other.bytes)
})

test('ChunkCache keeps no part of a chunk, no large one, and nothing without memory', () => {
  const cache = new ChunkCache(1024 * 1024)
  const { named, bytes } = chunkOf(0, 100)
  cache.keep(named, bytes.subarray(1))
  assert.equal(cache.get(named, whole(100)), undefined)
  const large = chunkOf(1, limits.smallTransferBytes + 1)
  cache.keep(large.named, large.bytes)
  assert.equal(cache.get(large.named, whole(1)), undefined)
  const none = new ChunkCache(0)
  none.keep(named, bytes)
  assert.equal(none.get(named, whole(100)), undefined)
})

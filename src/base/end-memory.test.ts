import assert from 'node:assert/strict'
import { test } from 'node:test'
import { endMemory } from './end-memory.ts'

test('endMemory() ends bytes that have their memory for themselves', () => {
  const bytes = new Uint8Array(100)
  const view = bytes.subarray(10)
  endMemory(bytes)
  assert.equal(bytes.length, 0)
  assert.equal(view.length, 0)
})

test('endMemory() leaves memory alone that others may use', () => {
  const pooled = Buffer.from('a part of a pool')
  const part = new Uint8Array(100).subarray(0, 99)
  const shared = new Uint8Array(new SharedArrayBuffer(10))
  for (const bytes of [pooled, part, shared]) endMemory(bytes)
  assert.deepEqual([pooled.length, part.length, shared.length], [16, 99, 10])
})

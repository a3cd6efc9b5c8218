import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deriveKeys } from './keys.ts'

test('deriveKeys() derives five keys that differ, and the same ones each time', () => {
  const keys = deriveKeys(Buffer.alloc(32, 1))
  assert.deepEqual(keys, deriveKeys(Buffer.alloc(32, 1)))
  const all = Object.values(keys).map((key) => key.toString('hex'))
  assert.equal(new Set(all).size, 5)
  assert.ok(Object.values(keys).every((key) => key.length === 32))
  const others = Object.values(deriveKeys(Buffer.alloc(32, 2))).map((key) => key.toString('hex'))
  assert.ok(all.every((key) => !others.includes(key)))
})

// Changing how keys are derived would lock every existing cluster.json out.
test('deriveKeys() stays as it is', () => {
  assert.equal(
    deriveKeys(Buffer.alloc(32, 1)).client.toString('hex'),
    '68fb4cd4d6c8c9a4df382647f4d4bcc3b72f0894e7d34be6db9768aa2448f68a',
  )
})

test('deriveKeys() refuses a short secret', () => {
  assert.throws(() => deriveKeys(Buffer.alloc(31)), { code: 'invalid-argument' })
})

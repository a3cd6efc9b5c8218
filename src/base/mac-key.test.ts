import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { MacKey, macKeyOf, macMessageMaxBytes, macTextMaxLength } from './mac-key.ts'

test('MacKey.sign() is HMAC-SHA-256, whatever the key and the message, and whatever came before', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 64 }),
      fc.array(fc.uint8Array({ maxLength: macMessageMaxBytes, size: 'max' }), { maxLength: 5 }),
      (key, messages) => {
        const macKey = new MacKey(key)
        for (const message of messages) {
          const expected = createHmac('sha256', key).update(message).digest()
          assert.deepEqual(macKey.sign(message, 32), expected)
          assert.deepEqual(macKey.sign(message, 16), expected.subarray(0, 16))
        }
      },
    ),
  )
})

test('MacKey.signText() is HMAC-SHA-256 of the text in UTF-8, beside messages in bytes', () => {
  const texts = fc.array(fc.string({ unit: 'binary', maxLength: Math.floor(macTextMaxLength / 2), size: 'max' }), {
    maxLength: 5,
  })
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 64 }), texts, (key, all) => {
      const macKey = new MacKey(key)
      for (const text of [...all, '\uffff'.repeat(macTextMaxLength)]) {
        const expected = createHmac('sha256', key).update(text).digest()
        assert.equal(macKey.signText(text), expected.toString('hex'))
        assert.deepEqual(macKey.sign(Buffer.from('between'), 32), createHmac('sha256', key).update('between').digest())
      }
    }),
  )
  assert.throws(() => new MacKey(Buffer.alloc(1)).signText('x'.repeat(macTextMaxLength + 1)), /too long/)
})

test('MacKey.matches() takes the right MAC and refuses one with any bit changed', () => {
  const key = macKeyOf(Buffer.alloc(32, 7))
  const message = Buffer.from('a message')
  const mac = key.sign(message, 16)
  assert.equal(key.matches(message, mac), true)
  for (let bit = 0; bit < 128; bit++) {
    const changed = Buffer.from(mac)
    changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7))
    assert.equal(key.matches(message, changed), false)
  }
  assert.equal(key.matches(Buffer.from('another one'), mac), false)
})

test('MacKey.sign() gives memory of its own, and refuses what is too long', () => {
  const key = new MacKey(Buffer.alloc(32, 1))
  const first = key.sign(Buffer.from('one'), 32)
  const copy = Buffer.from(first)
  key.sign(Buffer.from('two'), 32)
  assert.deepEqual(first, copy)
  assert.throws(() => key.sign(Buffer.alloc(macMessageMaxBytes + 1), 32), /too long/)
  assert.throws(() => new MacKey(Buffer.alloc(65)), /longer than a block/)
})

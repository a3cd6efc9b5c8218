import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { SecretSeal } from './sealed-secret.ts'

const secret = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'

test('SecretSeal.open() opens what was sealed, and nothing else', () => {
  const seal = new SecretSeal('root secret', 'user keys')
  const sealed = seal.seal(secret, { owner: 'KEY', nonce: randomBytes(12) })
  assert.equal(seal.open(sealed, { owner: 'KEY' }), secret)
  assert.equal(new SecretSeal('root secret', 'user keys').open(sealed, { owner: 'KEY' }), secret)
  assert.ok(!Buffer.from(sealed, 'base64').includes(secret) && !sealed.includes(secret))
  assert.notEqual(seal.seal(secret, { owner: 'KEY', nonce: randomBytes(12) }), sealed)

  assert.equal(seal.open(sealed, { owner: 'OTHER' }), undefined)
  assert.equal(new SecretSeal('another', 'user keys').open(sealed, { owner: 'KEY' }), undefined)
  assert.equal(new SecretSeal('root secret', 'webhooks').open(sealed, { owner: 'KEY' }), undefined)
  const bytes = Buffer.from(sealed, 'base64')
  for (let at = 0; at < bytes.length; at++) {
    const flipped = Buffer.from(bytes)
    flipped[at] = (flipped[at] as number) ^ 1
    assert.equal(seal.open(flipped.toString('base64'), { owner: 'KEY' }), undefined, `byte ${at}`)
    assert.equal(seal.open(bytes.subarray(0, at).toString('base64'), { owner: 'KEY' }), undefined, `cut at ${at}`)
  }
})

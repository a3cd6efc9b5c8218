import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { test } from 'node:test'
import { signatureOf, signingKey } from './signature-v4.ts'

const scope = { accessKeyId: 'KEY', day: '20130524', region: 'us-east-1', service: 's3' }

// Keys are kept: a secret that was changed, a day that has passed or another key must not get an old one.
test('signingKey() is of this secret and this scope alone', () => {
  const first = signingKey('secret', scope)
  assert.deepEqual(signingKey('secret', { ...scope }), first)
  const others = [
    signingKey('another', scope),
    signingKey('secret', { ...scope, day: '20130525' }),
    signingKey('secret', { ...scope, region: 'eu-west-1' }),
  ]
  for (const other of others) assert.notDeepEqual(other, first)
  assert.deepEqual(signingKey('secret', scope), first)
  for (let index = 0; index < 300; index++) signingKey('secret', { ...scope, accessKeyId: `KEY${index}` })
  assert.deepEqual(signingKey('secret', scope), first)
})

test('signatureOf() is the HMAC of RFC 2104, of texts of any length and under keys in turn', () => {
  const keys = ['secret', 'another'].map((secret) => signingKey(secret, scope))
  for (const region of ['r', 'ü€😀', 'r'.repeat(200), 'ü'.repeat(250), 'r'.repeat(3000), 'r']) {
    for (const key of keys) {
      const digest = createHash('sha256').update('GET\n\xff', 'latin1').digest('hex')
      const text = `AWS4-HMAC-SHA256\n20130524T000000Z\n${region}\n${digest}`
      const expected = createHmac('sha256', key).update(text).digest('hex')
      assert.equal(signatureOf('GET\n\xff', { key, timestamp: '20130524T000000Z', scope: region }), expected)
    }
  }
})

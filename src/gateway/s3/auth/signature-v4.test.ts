import assert from 'node:assert/strict'
import { test } from 'node:test'
import { signingKey } from './signature-v4.ts'

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

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isAshlarError } from '../base/errors.ts'
import { checkClusterFile, clientCredentials, formatClusterFile, parseClusterFile } from './cluster-file.ts'

const secret = Buffer.alloc(32, 0xab).toString('base64')
const good = { clusterId: '0123456789abcdef0123456789abcdef', address: 'localhost:7600', secret }

test('parseClusterFile() reads what formatClusterFile() writes', () => {
  const file = { ...good, serverKey: Buffer.alloc(32, 3).toString('base64'), http: 'http://localhost:7601' }
  assert.deepEqual(parseClusterFile(formatClusterFile(file), 'x'), file)
  assert.deepEqual(checkClusterFile({ ...good, address: '[::1]:7600' }, 'x').address, '[::1]:7600')
})

test('parseClusterFile() refuses anything else, names the key, and never shows the secret', () => {
  const cases: readonly (readonly [unknown, RegExp])[] = [
    [[], /not an object/],
    [{ ...good, clusterId: 'ABC' }, /clusterId/],
    [{ ...good, address: 'localhost' }, /address/],
    [{ ...good, address: 'localhost:0' }, /address/],
    [{ ...good, address: 'localhost:70000' }, /address/],
    [{ ...good, secret: secret.slice(4) }, /secret/],
    [{ ...good, secret: 7 }, /secret/],
    [{ ...good, http: 'no url' }, /http/],
    [{ ...good, serverKey: secret.slice(4) }, /serverKey/],
    [{ ...good, serverKey: null }, /serverKey/],
    [{ ...good, extra: 1 }, /unknown key "extra"/],
  ]
  for (const [value, part] of cases) {
    assert.throws(
      () => parseClusterFile(JSON.stringify(value), 'x'),
      (error) =>
        isAshlarError(error, 'invalid-argument') &&
        part.test(error.message) &&
        !error.message.includes(secret.slice(0, 8)),
    )
  }
  assert.throws(
    () => parseClusterFile(`{"secret": "${secret}" oops`, 'x'),
    (error) =>
      isAshlarError(error, 'invalid-argument') &&
      !String(error.cause).includes('q6ur') &&
      !error.message.includes('q6ur'),
  )
})

test('clientCredentials() holds the client key, what servers are known by, and nothing else', () => {
  const { clusterId } = good
  const known = { role: 'client', clusterId, clientKey: Buffer.alloc(32, 0xab) }
  assert.deepEqual(clientCredentials(good), { ...known, serverKey: undefined })
  const serverKey = Buffer.alloc(32, 3)
  assert.deepEqual(clientCredentials({ ...good, serverKey: serverKey.toString('base64') }), { ...known, serverKey })
})

import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { type ChunkId, type ClusterId, chunkId, type GroupId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { type Rising, rising } from '../base/rising.ts'
import { deriveKeys } from './keys.ts'
import { checkToken, mintToken, openToken, type TokenClaims, type TokenUse } from './token.ts'
import { TokenCache } from './token-cache.ts'

const key = deriveKeys(Buffer.alloc(32, 1)).token
const cluster = '11'.repeat(16) as ClusterId
const group = 7 as GroupId
const epoch = rising(3, 9)
const claims: TokenClaims = {
  cluster,
  group,
  expiresAt: rising(3, 1000),
  mayRead: false,
  write: { generation: 3, firstSequence: 100, count: 10, epoch },
}
const reading: TokenClaims = { cluster, group, expiresAt: rising(3, 1000), mayRead: true }
const chunkAt = (sequence: number, generation = 3, of = group): ChunkId => chunkId({ group: of, generation, sequence })
const use: TokenUse = { operation: 'write', chunk: chunkAt(100), cluster, nowMs: rising(3, 999), epoch }

test('openToken() gives back the claims that mintToken() signed', () => {
  for (const minted of [claims, reading]) assert.deepEqual(openToken(key, mintToken(key, minted)), minted)
})

test('mintToken() stays within limits.tokenBytes for the largest claims', () => {
  const largest = Number.MAX_SAFE_INTEGER as Rising
  const token = mintToken(key, {
    cluster,
    group: (2 ** 32 - 1) as GroupId,
    expiresAt: largest,
    mayRead: true,
    write: { generation: 65_535, firstSequence: largest, count: 1024, epoch: largest },
  })
  assert.ok(token.length <= limits.tokenBytes)
})

test('openToken() refuses a token of which any byte was changed, added or cut', () => {
  const token = mintToken(key, claims)
  for (let at = 0; at < token.length; at++) {
    const changed = Buffer.from(token)
    changed[at] = (changed[at] as number) ^ 1
    assert.throws(() => openToken(key, changed), { code: 'forbidden' }, `byte ${at}`)
    assert.throws(() => openToken(key, token.subarray(0, at)), { code: 'forbidden' }, `cut at ${at}`)
  }
  assert.throws(() => openToken(key, Buffer.concat([token, Buffer.of(0)])), { code: 'forbidden' })
  assert.throws(() => openToken(key, Buffer.alloc(limits.tokenBytes + 1)), { code: 'forbidden' })
})

test('openToken() refuses what was signed by another key, or for another purpose', () => {
  const keys = deriveKeys(Buffer.alloc(32, 1))
  const token = mintToken(key, claims)
  for (const wrong of [keys.client, keys.server, keys.receipt, deriveKeys(Buffer.alloc(32, 2)).token]) {
    assert.throws(() => openToken(wrong, token), { code: 'forbidden' })
  }
  const body = token.subarray(0, token.length - 32)
  const unlabelled = Buffer.concat([body, createHmac('sha256', key).update(body).digest()])
  assert.throws(() => openToken(key, unlabelled), { code: 'forbidden' })
})

test('checkToken() allows exactly the ids, the operation and the time that it was minted for', () => {
  checkToken(claims, use)
  checkToken(claims, { ...use, chunk: chunkAt(109) })
  checkToken(reading, { ...use, operation: 'read', chunk: chunkAt(5000, 1) })
  const forbidden: readonly (readonly [string, TokenClaims, Partial<TokenUse>])[] = [
    ['another cluster', claims, { cluster: '22'.repeat(16) as ClusterId }],
    ['another group', claims, { chunk: chunkAt(100, 3, 8 as GroupId) }],
    ['a sequence below', claims, { chunk: chunkAt(99) }],
    ['a sequence above', claims, { chunk: chunkAt(110) }],
    ['an older generation', claims, { chunk: chunkAt(100, 2) }],
    ['a newer generation', claims, { chunk: chunkAt(100, 4) }],
    ['another epoch', claims, { epoch: rising(3, 10) }],
    ['a read with a write token', claims, { operation: 'read' }],
    ['a write with a read token', reading, {}],
    ['a read of another group', reading, { operation: 'read', chunk: chunkAt(1, 3, 8 as GroupId) }],
  ]
  for (const [name, which, changes] of forbidden) {
    assert.throws(() => checkToken(which, { ...use, ...changes }), { code: 'forbidden' }, name)
  }
  for (const nowMs of [rising(3, 1000), rising(4, 0)]) {
    assert.throws(() => checkToken(claims, { ...use, nowMs }), { code: 'token-expired' })
    assert.throws(() => checkToken(reading, { ...use, operation: 'read', nowMs }), { code: 'token-expired' })
  }
})

test('TokenCache.open() remembers a good token, never a bad one, and stays within its bound', () => {
  const cache = new TokenCache(key)
  const token = mintToken(key, claims)
  assert.equal(cache.open(token), cache.open(Buffer.from(token)), 'the same claims: no second MAC')
  const forged = Buffer.from(token)
  forged[20] = (forged[20] as number) ^ 1
  for (let time = 0; time < 2; time++) assert.throws(() => cache.open(forged), { code: 'forbidden' })
  assert.equal(cache.size, 1)
  for (let count = 0; count < limits.tokensPerConnection * 2; count++) {
    cache.open(mintToken(key, { ...claims, expiresAt: rising(3, count) }))
    assert.ok(cache.size <= limits.tokensPerConnection)
  }
  assert.deepEqual(cache.open(token), claims)
})

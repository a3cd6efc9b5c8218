import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lookupIn } from './conditions.ts'
import { type RequestFacts, requestContext } from './request-context.ts'

const facts: RequestFacts = {
  identity: { accountId: '1', userName: 'ann', arn: 'arn:aws:iam::1:user/ann', canonicalId: 'id-ann' },
  headers: {},
  query: new Map(),
  sourceIp: '10.0.0.7',
  isSecure: true,
  timeMs: Date.UTC(2026, 4, 7),
}
const ask = (change: Partial<RequestFacts>, key: string) => lookupIn(requestContext({ ...facts, ...change }))(key)

test('requestContext() tells who asks, from where, when and how', () => {
  assert.equal(ask({}, 'aws:username'), 'ann')
  assert.equal(ask({}, 'aws:PrincipalArn'), 'arn:aws:iam::1:user/ann')
  assert.equal(ask({ identity: undefined }, 'aws:username'), undefined)
  assert.equal(ask({ identity: undefined }, 'aws:PrincipalType'), 'Anonymous')
  assert.equal(ask({}, 'AWS:SOURCEIP'), '10.0.0.7')
  assert.equal(ask({ headers: { 'x-forwarded-for': '1.2.3.4' } }, 'aws:SourceIp'), '10.0.0.7')
  assert.equal(ask({}, 'aws:SecureTransport'), 'true')
  assert.equal(ask({}, 'aws:CurrentTime'), '2026-05-07T00:00:00.000Z')
  assert.equal(ask({ headers: { referer: 'http://a/' } }, 'aws:Referer'), 'http://a/')
})

test('requestContext() tells headers and parameters of S3, and what is missing', () => {
  assert.equal(ask({ query: new Map([['prefix', 'a/']]) }, 's3:prefix'), 'a/')
  assert.equal(ask({}, 's3:prefix'), undefined)
  assert.equal(ask({ headers: { 'x-amz-acl': 'private' } }, 's3:x-amz-acl'), 'private')
  assert.equal(ask({ query: new Map([['versionId', 'v1']]) }, 's3:VersionId'), 'v1')
  assert.equal(ask({ headers: { 'if-none-match': '*' } }, 's3:if-none-match'), '*')
})

test('requestContext() gives a copy source decoded, as bucket and key', () => {
  for (const header of ['b/a%2Fb%20c', '/b/a/b%20c', 'b/a/b%20c?versionId=x', '%2Fb/a/b%20c']) {
    assert.equal(ask({ headers: { 'x-amz-copy-source': header } }, 's3:x-amz-copy-source'), 'b/a/b c')
  }
})

test('requestContext() tells tags by their key', () => {
  const tags = {
    existingTags: new Map([['Level', 'low']]),
    requestTags: new Map([
      ['a', '1'],
      ['b', '2'],
    ]),
  }
  assert.equal(ask(tags, 's3:ExistingObjectTag/Level'), 'low')
  assert.equal(ask(tags, 's3:ExistingObjectTag/level'), undefined)
  assert.equal(ask(tags, 's3:RequestObjectTag/b'), '2')
  assert.deepEqual(requestContext({ ...facts, ...tags }).get('s3:requestobjecttagkeys'), ['a', 'b'])
  // Several values are no variable.
  assert.equal(ask(tags, 's3:RequestObjectTagKeys'), undefined)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { conditionKey } from './conditions.ts'
import { evaluatePolicies, type PolicyRequest } from './evaluate.ts'
import { parsePolicy } from './parse-policy.ts'
import type { Identity } from './policy.ts'

const ann: Identity = {
  accountId: '111111111111',
  userName: 'ann',
  arn: 'arn:aws:iam::111111111111:user/ann',
  canonicalId: 'canonical-ann',
}
const bob: Identity = {
  accountId: '222222222222',
  userName: 'bob',
  arn: 'arn:aws:iam::222222222222:user/bob',
  canonicalId: 'canonical-bob',
}

interface Asked {
  readonly identity?: Identity
  readonly action?: string
  readonly resource?: string
  readonly context?: Record<string, string | string[]>
}

function requestOf({ identity, action = 's3:GetObject', resource = 'b/key', context = {} }: Asked): PolicyRequest {
  const facts = Object.entries(context).map(([key, value]) => [conditionKey(key), [value].flat()] as const)
  return { identity, action, resource: `arn:aws:s3:::${resource}`, context: new Map(facts) }
}

const allow = { Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: 'arn:aws:s3:::b/*' }
const policyOf = (...statements: readonly object[]) =>
  parsePolicy(JSON.stringify({ Version: '2012-10-17', Statement: statements.map((s) => ({ ...allow, ...s })) }), {
    bucket: 'b',
  })
const verdict = (statements: readonly object[], asked: Asked = {}) =>
  evaluatePolicies([policyOf(...statements)], requestOf(asked)).effect
const holds = (Condition: object, context: Asked['context'] = {}) => verdict([{ Condition }], { context }) === 'allow'

test('evaluatePolicies() denies by default, allows by statement, and lets a deny win', () => {
  assert.equal(verdict([{}]), 'allow')
  assert.equal(verdict([{}], { action: 's3:PutObject' }), 'none')
  assert.equal(verdict([{}, { Effect: 'Deny' }]), 'deny')
  assert.equal(verdict([{ Effect: 'Deny' }, {}]), 'deny')
  assert.equal(evaluatePolicies([], requestOf({})).effect, 'none')
})

test('evaluatePolicies() does not depend on the order of statements', () => {
  const statement = fc.record({
    Effect: fc.constantFrom('Allow', 'Deny'),
    Action: fc.constantFrom('s3:GetObject', 's3:Put*', 's3:*', '*'),
    Resource: fc.constantFrom('arn:aws:s3:::b/*', 'arn:aws:s3:::b/x*', 'arn:aws:s3:::b'),
  })
  const asked = fc.record({
    action: fc.constantFrom('s3:GetObject', 's3:PutObject', 's3:ListBucket'),
    resource: fc.constantFrom('b/x1', 'b/y', 'b'),
  })
  fc.assert(
    fc.property(fc.array(statement, { minLength: 1, maxLength: 5 }), asked, (statements, request) => {
      const effect = verdict(statements, request)
      assert.equal(verdict(statements.toReversed(), request), effect)
      // A further deny never makes anything allowed.
      const more = verdict([...statements, { Effect: 'Deny', Action: 's3:Get*' }], request)
      if (effect !== 'allow') assert.notEqual(more, 'allow')
    }),
  )
})

test('evaluatePolicies() names the statement that decided', () => {
  const policy = policyOf({ Sid: 'reads' }, { Effect: 'Deny', Sid: 'secret', Resource: 'arn:aws:s3:::b/secret/*' })
  assert.equal(evaluatePolicies([policy], requestOf({})).statement, 'reads')
  assert.equal(evaluatePolicies([policy], requestOf({ resource: 'b/secret/1' })).statement, 'secret')
  assert.equal(evaluatePolicies([policyOf({ Sid: 'first' }, { Sid: 'second' })], requestOf({})).statement, 'first')
  assert.equal(evaluatePolicies([policyOf({}, { Effect: 'Deny' })], requestOf({})).statement, 'statement 2')
  assert.equal(evaluatePolicies([policy], requestOf({ action: 's3:PutObject' })).statement, undefined)
})

test('evaluatePolicies() knows principals in every form', () => {
  const forms: readonly (readonly [unknown, readonly boolean[]])[] = [
    ['*', [true, true, true]],
    [{ AWS: '*' }, [true, true, true]],
    [{ AWS: ann.arn }, [true, false, false]],
    [{ AWS: [ann.arn, bob.arn] }, [true, true, false]],
    [{ AWS: '111111111111' }, [true, false, false]],
    [{ AWS: 'arn:aws:iam::222222222222:root' }, [false, true, false]],
    [{ CanonicalUser: 'canonical-bob' }, [false, true, false]],
    [{ Service: 'logging.s3.amazonaws.com' }, [false, false, false]],
  ]
  for (const [Principal, expected] of forms) {
    const seen = [{ identity: ann }, { identity: bob }, {}].map((asked) => verdict([{ Principal }], asked) === 'allow')
    assert.deepEqual(seen, expected, JSON.stringify(Principal))
  }
})

test('evaluatePolicies() turns NotPrincipal, NotAction and NotResource around', () => {
  const others = [{}, { Effect: 'Deny', Principal: undefined, NotPrincipal: { AWS: ann.arn } }]
  assert.equal(verdict(others, { identity: ann }), 'allow')
  assert.equal(verdict(others, { identity: bob }), 'deny')
  assert.equal(verdict(others), 'deny')
  const notPut = [{ Action: undefined, NotAction: 's3:Put*' }]
  assert.equal(verdict(notPut, { action: 's3:GetObjectAcl' }), 'allow')
  assert.equal(verdict(notPut, { action: 's3:PutObject' }), 'none')
  const elsewhere = [{ Resource: undefined, NotResource: 'arn:aws:s3:::b/x/*' }]
  assert.equal(verdict(elsewhere, { resource: 'b/y' }), 'allow')
  assert.equal(verdict(elsewhere, { resource: 'b/x/y' }), 'none')
})

test('evaluatePolicies() compares actions in any case, resources exactly', () => {
  assert.equal(verdict([{ Action: 'S3:getobject' }]), 'allow')
  assert.equal(verdict([{ Action: 's3:Get?bject' }]), 'allow')
  assert.equal(verdict([{ Resource: 'arn:aws:s3:::b/Key' }]), 'none')
  assert.equal(verdict([{ Resource: 'arn:aws:s3:::b/x/*' }], { resource: 'b/x/../secret' }), 'allow')
  assert.equal(verdict([{ Resource: 'arn:aws:s3:::b/x/*' }], { resource: 'b/y/../x/z' }), 'none')
})

test('evaluatePolicies() fills in who asks', () => {
  const home = [{ Resource: 'arn:aws:s3:::b/home/${aws:username}/*' }]
  const context = { 'aws:username': 'ann' }
  assert.equal(verdict(home, { resource: 'b/home/ann/x', context }), 'allow')
  assert.equal(verdict(home, { resource: 'b/home/bob/x', context }), 'none')
  assert.equal(verdict(home, { resource: 'b/home/${aws:username}/x' }), 'none')
  const own = { StringLike: { 's3:prefix': '${aws:username}/*' } }
  assert.ok(holds(own, { ...context, 's3:prefix': 'ann/x' }))
  assert.ok(!holds(own, { ...context, 's3:prefix': 'bob/x' }))
})

test('string conditions', () => {
  assert.ok(holds({ StringEquals: { 's3:prefix': ['a', 'b'] } }, { 's3:prefix': 'b' }))
  assert.ok(!holds({ StringEquals: { 's3:prefix': 'a*' } }, { 's3:prefix': 'ab' }))
  assert.ok(holds({ StringLike: { 'S3:Prefix': 'a*' } }, { 's3:prefix': 'ab' }))
  assert.ok(holds({ StringEqualsIgnoreCase: { 's3:prefix': 'A' } }, { 's3:prefix': 'a' }))
  assert.ok(holds({ StringNotEquals: { 's3:prefix': ['a', 'b'] } }, { 's3:prefix': 'c' }))
  assert.ok(!holds({ StringNotEquals: { 's3:prefix': ['a', 'b'] } }, { 's3:prefix': 'b' }))
  assert.ok(!holds({ StringNotLike: { 's3:prefix': 'a*' } }, { 's3:prefix': 'ab' }))
  assert.ok(!holds({ StringNotEqualsIgnoreCase: { 's3:prefix': 'A' } }, { 's3:prefix': 'a' }))
})

test('tags in conditions keep the case of their key', () => {
  const condition = { StringEquals: { 's3:existingobjecttag/Security': 'public' } }
  assert.ok(holds(condition, { 's3:ExistingObjectTag/Security': 'public' }))
  assert.ok(!holds(condition, { 's3:ExistingObjectTag/security': 'public' }))
  assert.ok(!holds(condition, { 's3:ExistingObjectTag/Security': 'secret' }))
})

test('a missing key fails a positive condition, holds for a negated one, and for IfExists', () => {
  for (const [name, value] of [
    ['String', 'x'],
    ['Numeric', '1'],
    ['Date', '2020-01-01'],
  ]) {
    assert.ok(!holds({ [`${name}Equals`]: { 's3:a': value } }))
    assert.ok(holds({ [`${name}NotEquals`]: { 's3:a': value } }))
    assert.ok(holds({ [`${name}EqualsIfExists`]: { 's3:a': value } }))
  }
  assert.ok(!holds({ StringLikeIfExists: { 'aws:Referer': 'http://a/*' } }, { 'aws:Referer': 'http://b/' }))
  assert.ok(!holds({ IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } }))
  assert.ok(holds({ NotIpAddress: { 'aws:SourceIp': '10.0.0.0/8' } }))
})

test('numbers, dates, booleans, bytes, addresses and ARNs', () => {
  assert.ok(holds({ NumericLessThanEquals: { 's3:max-keys': 10 } }, { 's3:max-keys': '10' }))
  assert.ok(!holds({ NumericLessThan: { 's3:max-keys': '10' } }, { 's3:max-keys': '10' }))
  assert.ok(holds({ NumericGreaterThan: { 's3:max-keys': '9' } }, { 's3:max-keys': '10' }))
  assert.ok(!holds({ NumericGreaterThan: { 's3:max-keys': '10' } }, { 's3:max-keys': '10' }))
  assert.ok(holds({ NumericGreaterThanEquals: { 's3:max-keys': '10' } }, { 's3:max-keys': '10' }))
  assert.ok(!holds({ NumericGreaterThanEquals: { 's3:max-keys': '9' } }, { 's3:max-keys': 'many' }))
  assert.ok(holds({ DateLessThan: { 'aws:CurrentTime': '2026-01-01T00:00:00Z' } }, { 'aws:CurrentTime': '2025-12-31' }))
  assert.ok(!holds({ DateGreaterThan: { 'aws:EpochTime': '1700000000' } }, { 'aws:EpochTime': '1600000000' }))
  assert.ok(holds({ Bool: { 'aws:SecureTransport': false } }, { 'aws:SecureTransport': 'false' }))
  assert.ok(holds({ BinaryEquals: { 's3:a': 'AQI=' } }, { 's3:a': 'AQI=' }))
  assert.ok(holds({ IpAddress: { 'aws:SourceIp': ['1.2.3.4', '10.0.0.0/8'] } }, { 'aws:SourceIp': '10.9.8.7' }))
  assert.ok(!holds({ NotIpAddress: { 'aws:SourceIp': '10.0.0.0/8' } }, { 'aws:SourceIp': '10.9.8.7' }))
  const arn = 'arn:aws:s3:::b'
  assert.ok(holds({ ArnLike: { 'aws:SourceArn': 'arn:aws:s3:*:*:b' } }, { 'aws:SourceArn': arn }))
  assert.ok(!holds({ ArnLike: { 'aws:SourceArn': 'arn:aws:s3*:b:c:d:e' } }, { 'aws:SourceArn': arn }))
  assert.ok(holds({ ArnLike: { 'aws:SourceArn': 'arn:aws:s3:::b*' } }, { 'aws:SourceArn': `${arn}:c:d` }))
  assert.ok(!holds({ ArnLike: { 'aws:SourceArn': arn } }, { 'aws:SourceArn': `${arn}:c` }))
  assert.ok(!holds({ ArnNotEquals: { 'aws:SourceArn': arn } }, { 'aws:SourceArn': arn }))
})

test('Null asks whether the key is there', () => {
  const key = 's3:x-amz-server-side-encryption'
  assert.ok(holds({ Null: { [key]: 'true' } }))
  assert.ok(!holds({ Null: { [key]: true } }, { [key]: 'AES256' }))
  assert.ok(holds({ Null: { [key]: 'false' } }, { [key]: 'AES256' }))
})

test('ForAllValues and ForAnyValue look at every value of the request', () => {
  const keys = (...values: string[]) => ({ 's3:RequestObjectTagKeys': values })
  const wanted = { 's3:RequestObjectTagKeys': ['a', 'b'] }
  assert.ok(holds({ 'ForAllValues:StringEquals': wanted }, keys('a', 'b')))
  assert.ok(!holds({ 'ForAllValues:StringEquals': wanted }, keys('a', 'c')))
  assert.ok(holds({ 'ForAllValues:StringEquals': wanted }))
  assert.ok(holds({ 'ForAnyValue:StringEquals': wanted }, keys('c', 'b')))
  assert.ok(!holds({ 'ForAnyValue:StringEquals': wanted }, keys('c')))
  assert.ok(!holds({ 'ForAnyValue:StringEquals': wanted }))
  assert.ok(!holds({ 'ForAllValues:StringNotEquals': wanted }, keys('a', 'c')))
  assert.ok(holds({ 'ForAnyValue:StringNotEquals': wanted }, keys('a', 'c')))
})

test('all conditions of a statement must hold', () => {
  const condition = { StringEquals: { 's3:prefix': 'a', 's3:delimiter': '/' }, Bool: { 'aws:SecureTransport': 'true' } }
  const context = { 's3:prefix': 'a', 's3:delimiter': '/', 'aws:SecureTransport': 'true' }
  assert.ok(holds(condition, context))
  for (const key of Object.keys(context)) assert.ok(!holds(condition, { ...context, [key]: 'other' }))
})

test('a policy of a user needs no principal', () => {
  const text = JSON.stringify({ Version: '2012-10-17', Statement: { Effect: 'Allow', Action: 's3:*', Resource: '*' } })
  assert.equal(evaluatePolicies([parsePolicy(text, 'user')], requestOf({ identity: ann })).effect, 'allow')
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePolicy } from './parse-policy.ts'
import { isPublicPolicy } from './policy-status.ts'

const good = { Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: 'arn:aws:s3:::b/*' }
const isPublic = (...changes: readonly object[]) =>
  isPublicPolicy(
    parsePolicy(JSON.stringify({ Version: '2012-10-17', Statement: changes.map((c) => ({ ...good, ...c })) }), {
      bucket: 'b',
    }),
  )

test('isPublicPolicy() is about an allow for everyone', () => {
  assert.ok(isPublic({}))
  assert.ok(isPublic({ Principal: { AWS: '*' } }))
  assert.ok(isPublic({ Principal: { AWS: ['111111111111', '*'] } }))
  assert.ok(!isPublic({ Principal: { AWS: 'arn:aws:iam::s3tenant1:root' } }))
  assert.ok(!isPublic({ Effect: 'Deny' }))
  assert.ok(isPublic({ Effect: 'Deny' }, {}))
})

test('isPublicPolicy() believes only conditions that a caller cannot meet at will', () => {
  const ip = (range: string | string[]) => ({ Condition: { IpAddress: { 'aws:SourceIp': range } } })
  assert.ok(!isPublic(ip('10.0.0.0/32')))
  assert.ok(!isPublic(ip('10.0.0.0/8')))
  assert.ok(isPublic(ip('8.0.0.0/7')))
  assert.ok(isPublic(ip(['10.0.0.0/8', '0.0.0.0/0'])))
  assert.ok(isPublic(ip('2000::/3')))
  assert.ok(isPublic({ Condition: { NotIpAddress: { 'aws:SourceIp': '10.0.0.0/8' } } }))
  assert.ok(isPublic({ Condition: { StringEquals: { 'aws:Referer': 'http://a/' } } }))
  assert.ok(!isPublic({ Condition: { StringEquals: { 'aws:SourceVpc': 'vpc-1' } } }))
  assert.ok(isPublic({ Condition: { StringLike: { 'aws:SourceVpc': 'vpc-*' } } }))
  assert.ok(isPublic({ Condition: { StringEqualsIfExists: { 'aws:SourceVpc': 'vpc-1' } } }))
  assert.ok(isPublic({ Condition: { 'ForAllValues:StringEquals': { 'aws:SourceVpc': 'vpc-1' } } }))
  assert.ok(isPublic({ Condition: { StringNotEquals: { 'aws:SourceVpc': 'vpc-1' } } }))
  assert.ok(isPublic({ Condition: { Null: { 'aws:SourceVpc': 'false' } } }))
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { S3Error } from '../s3-error.ts'
import { parsePolicy, policyMaxBytes, policyMaxQuestionMarks } from './parse-policy.ts'

const good = { Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: 'arn:aws:s3:::b/*' }
const document = (statement: unknown, rest: object = {}) =>
  JSON.stringify({ Version: '2012-10-17', Statement: statement, ...rest })
const bucket = { bucket: 'b' }

function refuses(text: string, owner: Parameters<typeof parsePolicy>[1] = bucket): void {
  assert.throws(
    () => parsePolicy(text, owner),
    (error) => error instanceof S3Error && error.code === 'MalformedPolicy' && error.status === 400,
    text.slice(0, 200),
  )
}

test('parsePolicy() takes what AWS takes', () => {
  const taken: readonly object[] = [
    {},
    { Sid: 'one', Action: ['s3:GetObject', 's3:Put*'], Resource: ['arn:aws:s3:::b', 'arn:aws:s3:::b/*'] },
    { Action: '*' },
    { Resource: '*' },
    { Resource: 'arn:aws:s3:::*' },
    { Resource: ['arn:aws:s3:::*', 'arn:aws:s3:::*/*'] },
    { Principal: { AWS: 'arn:aws:iam::s3tenant1:root' } },
    { Effect: 'Deny', Principal: undefined, NotPrincipal: { AWS: 'arn:aws:iam::111111111111:user/a' } },
    { Condition: { StringEqualsIfExists: { 's3:x-amz-acl': 'private' } } },
    { Condition: { 'ForAnyValue:StringLike': { 's3:RequestObjectTagKeys': ['a*'] } } },
  ]
  for (const change of taken) {
    assert.equal(parsePolicy(document({ ...good, ...change }), bucket).statements.length, 1)
  }
  assert.equal(parsePolicy(document([good, good], { Id: 'x' }), bucket).statements.length, 2)
})

test('parsePolicy() refuses what it does not understand', () => {
  const wrong: readonly object[] = [
    { Effect: 'allow' },
    { Effect: undefined },
    { Principal: undefined },
    { Principal: 'ann' },
    { Principal: {} },
    { Principal: { AWS: 'arn:aws:iam::*:root' } },
    { Principal: { AWS: 'ann' } },
    { Principal: { AWS: 'arn:aws:iam:::root' } },
    { Principal: { Robot: '*' } },
    { Principal: undefined, NotPrincipal: { AWS: 'arn:aws:iam::s3tenant1:root' } },
    { NotPrincipal: '*' },
    { Action: undefined },
    { Action: 's3:GetObjekt' },
    { Action: 'sts:AssumeRole' },
    { Action: [] },
    { Action: 7 },
    { Action: ['s3:GetObject', 7] },
    { Action: ['s3:GetObject', ''] },
    { NotAction: 's3:*' },
    { Resource: undefined },
    { Resource: 'b/*' },
    { Resource: 'arn:aws:s3:::' },
    { Resource: 'arn:aws:s3:::other/*' },
    { Resource: 'arn:aws:s3:::bb' },
    { Resource: 'arn:aws:sqs:::b' },
    { Condition: [] },
    { Condition: { StringIs: { 's3:prefix': 'a' } } },
    { Condition: { toString: { 's3:prefix': 'a' } } },
    { Condition: { StringEquals: { prefix: 'a' } } },
    { Condition: { StringEquals: { 's3:prefix': [] } } },
    { Condition: { StringEquals: { 's3:prefix': { a: 1 } } } },
    { Condition: { NumericEquals: { 's3:max-keys': 'many' } } },
    { Condition: { DateEquals: { 'aws:CurrentTime': 'noon' } } },
    { Condition: { Bool: { 'aws:SecureTransport': 'yes' } } },
    { Condition: { IpAddress: { 'aws:SourceIp': '10.0.0.0/33' } } },
    { Condition: { Null: { 's3:prefix': 'maybe' } } },
    { Condition: { NullIfExists: { 's3:prefix': 'true' } } },
    { Condition: { 'ForSome:StringEquals': { 's3:prefix': 'a' } } },
    { Extra: 1 },
    { Sid: 7 },
  ]
  for (const change of wrong) refuses(document({ ...good, ...change }))
})

test('parsePolicy() refuses documents that are none', () => {
  refuses('')
  refuses('{')
  refuses('[]')
  refuses('null')
  refuses('{}')
  refuses(document([]))
  refuses(document('all'))
  refuses(document(good, { Version: '2020-01-01' }))
  refuses(document(good, { Comment: 'hello' }))
  refuses(
    document([
      { ...good, Sid: 'same' },
      { ...good, Sid: 'same' },
    ]),
  )
  refuses(document(good) + ' '.repeat(policyMaxBytes))
  const asking = (count: number) => document({ ...good, Resource: `arn:aws:s3:::b/${'?'.repeat(count)}` })
  assert.equal(parsePolicy(asking(policyMaxQuestionMarks), bucket).statements.length, 1)
  refuses(asking(policyMaxQuestionMarks + 1))
  refuses(document(good), 'user')
})

test('parsePolicy() throws nothing but MalformedPolicy', () => {
  const value = fc.jsonValue()
  const statement = fc.record({ Effect: value, Principal: value, Action: value, Resource: value, Condition: value })
  fc.assert(
    fc.property(fc.oneof(value, statement, fc.object()), (json) => {
      for (const text of [JSON.stringify(json), document(json), document({ ...good, Condition: json })]) {
        try {
          parsePolicy(text, bucket)
        } catch (error) {
          assert.ok(error instanceof S3Error && error.code === 'MalformedPolicy')
        }
      }
    }),
    { numRuns: 500 },
  )
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { S3Error, type S3ErrorCode } from '../s3-error.ts'
import { requestedAcl } from './grant-headers.ts'

const refuses = (headers: Record<string, string>, code: S3ErrorCode) =>
  assert.throws(
    () => requestedAcl(headers),
    (error) => error instanceof S3Error && error.code === code,
  )

test('requestedAcl() reads a canned name, or grantees of three kinds', () => {
  assert.equal(requestedAcl({}), undefined)
  assert.deepEqual(requestedAcl({ 'x-amz-acl': 'public-read' }), { kind: 'canned', name: 'public-read' })
  const uri = 'http://acs.amazonaws.com/groups/global/AllUsers'
  const headers = { 'x-amz-grant-read': `uri="${uri}", id=abc`, 'x-amz-grant-full-control': 'emailAddress="a@b.c"' }
  assert.deepEqual(requestedAcl(headers), {
    kind: 'grants',
    grants: [
      { grantee: { kind: 'group', group: 'AllUsers' }, permission: 'READ' },
      { grantee: { kind: 'id', id: 'abc' }, permission: 'READ' },
      { grantee: { kind: 'email', emailAddress: 'a@b.c' }, permission: 'FULL_CONTROL' },
    ],
  })
})

test('requestedAcl() refuses both kinds, and what it cannot read', () => {
  refuses({ 'x-amz-acl': 'private', 'x-amz-grant-read': 'id=a' }, 'InvalidRequest')
  refuses({ 'x-amz-acl': 'open' }, 'InvalidArgument')
  for (const text of ['abc', 'id=', 'id=a id=b', 'name=a', 'uri="http://x"', 'id="a', ',']) {
    refuses({ 'x-amz-grant-write': text }, 'InvalidArgument')
  }
})

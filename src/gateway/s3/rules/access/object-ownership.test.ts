import assert from 'node:assert/strict'
import { test } from 'node:test'
import { S3Error, type S3ErrorCode } from '../s3-error.ts'
import { type CannedAcl, cannedAcl } from './acl.ts'
import {
  checkAclChange,
  checkObjectAclRequest,
  checkOwnershipChange,
  ownerOfNewObject,
  parseObjectOwnership,
} from './object-ownership.ts'

const refuses = (run: () => unknown, code: S3ErrorCode) =>
  assert.throws(run, (error) => error instanceof S3Error && error.code === code)
const canned = (name: CannedAcl) => ({ kind: 'canned', name }) as const

test('parseObjectOwnership() knows three', () => {
  assert.equal(parseObjectOwnership('ObjectWriter'), 'ObjectWriter')
  refuses(() => parseObjectOwnership('Nobody'), 'MalformedXML')
})

test('ownerOfNewObject() follows the ownership of the bucket', () => {
  const owner = (ownership: Parameters<typeof ownerOfNewObject>[0], name?: CannedAcl, writerId?: string) => {
    const requested = name === undefined ? undefined : canned(name)
    return ownerOfNewObject(ownership, { writerId, bucketOwnerId: 'boss', requested })
  }
  assert.equal(owner('BucketOwnerEnforced', undefined, 'ann'), 'boss')
  assert.equal(owner('BucketOwnerPreferred', undefined, 'ann'), 'ann')
  assert.equal(owner('BucketOwnerPreferred', 'private', 'ann'), 'ann')
  assert.equal(owner('BucketOwnerPreferred', 'bucket-owner-full-control', 'ann'), 'boss')
  assert.equal(owner('ObjectWriter', 'bucket-owner-full-control', 'ann'), 'ann')
  assert.equal(owner('ObjectWriter', 'public-read', undefined), 'boss')
})

test('with BucketOwnerEnforced no list is set', () => {
  checkObjectAclRequest('BucketOwnerEnforced', undefined)
  checkObjectAclRequest('BucketOwnerEnforced', canned('bucket-owner-full-control'))
  refuses(() => checkObjectAclRequest('BucketOwnerEnforced', canned('private')), 'AccessControlListNotSupported')
  refuses(
    () => checkObjectAclRequest('BucketOwnerEnforced', { kind: 'grants', grants: [] }),
    'AccessControlListNotSupported',
  )
  refuses(() => checkAclChange('BucketOwnerEnforced'), 'AccessControlListNotSupported')
  for (const ownership of ['BucketOwnerPreferred', 'ObjectWriter'] as const) {
    checkObjectAclRequest(ownership, canned('public-read'))
    checkAclChange(ownership)
  }
})

test('checkOwnershipChange() does not take away access silently', () => {
  const owners = { ownerId: 'boss', bucketOwnerId: 'boss' }
  checkOwnershipChange('BucketOwnerEnforced', cannedAcl('private', owners))
  checkOwnershipChange('ObjectWriter', cannedAcl('public-read', owners))
  refuses(
    () => checkOwnershipChange('BucketOwnerEnforced', cannedAcl('public-read', owners)),
    'InvalidBucketAclWithObjectOwnership',
  )
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { s3Actions } from '../policy/actions.ts'
import { parsePolicy } from '../policy/parse-policy.ts'
import type { Identity, Policy } from '../policy/policy.ts'
import { S3Error } from '../s3-error.ts'
import { aclOf, type CannedAcl, cannedAcl, userGrant } from './acl.ts'
import { type AccessRequest, authorize, type BucketAccess, type ObjectAccess } from './authorize.ts'
import {
  allowPublicAccess,
  blockAllPublicAccess,
  checkNewAcl,
  checkNewPolicy,
  isPublicBucket,
} from './public-access-block.ts'

function user(name: string): Identity {
  return { accountId: '1', userName: name, arn: `arn:aws:iam::1:user/${name}`, canonicalId: name }
}

function policy(statement: object): Policy {
  const full = { Effect: 'Allow', Principal: '*', Action: 's3:*', Resource: ['arn:aws:s3:::b', 'arn:aws:s3:::b/*'] }
  return parsePolicy(JSON.stringify({ Version: '2012-10-17', Statement: { ...full, ...statement } }), { bucket: 'b' })
}

function userPolicy(statement: object): Policy {
  const full = { Effect: 'Allow', Action: 's3:*', Resource: 'arn:aws:s3:::b/*' }
  return parsePolicy(JSON.stringify({ Version: '2012-10-17', Statement: { ...full, ...statement } }), 'user')
}

const owners = (ownerId: string) => ({ ownerId, bucketOwnerId: 'boss' })

function bucket(acl: CannedAcl = 'private', change: Partial<BucketAccess> = {}): BucketAccess {
  return {
    ownerId: 'boss',
    acl: cannedAcl(acl, owners('boss')),
    policy: undefined,
    ownership: 'ObjectWriter',
    publicAccessBlock: allowPublicAccess,
    ...change,
  }
}

function object(acl: CannedAcl = 'private', ownerId = 'boss'): ObjectAccess {
  return { ownerId, acl: cannedAcl(acl, owners(ownerId)) }
}

function request(name: string | undefined, action: string, change: Partial<AccessRequest> = {}): AccessRequest {
  const identity = name === undefined ? undefined : user(name)
  const resource = 'arn:aws:s3:::b/key'
  return { identity, action: `s3:${action}`, resource, context: new Map(), isRoot: false, userPolicies: [], ...change }
}

/** Which of the bucket's owner, another user and an anonymous caller may do it. */
function may(action: string, of: BucketAccess, about?: ObjectAccess): string {
  const names = ['boss', 'ann', undefined]
  return names
    .filter((name) => authorize(request(name, action), of, about).isAllowed)
    .map((name) => name ?? 'anybody')
    .join(' ')
}

test('authorize() by canned lists of bucket and object', () => {
  assert.equal(may('GetObject', bucket(), object()), 'boss')
  assert.equal(may('GetObject', bucket('public-read'), object()), 'boss')
  assert.equal(may('GetObject', bucket(), object('public-read')), 'boss ann anybody')
  assert.equal(may('GetObject', bucket(), object('authenticated-read')), 'boss ann')
  assert.equal(may('GetObjectAcl', bucket(), object('public-read')), 'boss')
  assert.equal(may('PutObjectAcl', bucket(), object('public-read-write')), 'boss')
  assert.equal(may('ListBucket', bucket('public-read')), 'boss ann anybody')
  assert.equal(may('ListBucket', bucket('authenticated-read')), 'boss ann')
  assert.equal(may('PutObject', bucket('public-read')), 'boss')
  assert.equal(may('PutObject', bucket(), object('public-read-write')), 'boss')
  assert.equal(may('PutObject', bucket('public-read-write'), object()), 'boss ann anybody')
  assert.equal(may('DeleteObject', bucket('public-read-write'), object()), 'boss ann anybody')
  assert.equal(may('DeleteObjectVersion', bucket('public-read-write'), object()), 'boss')
  assert.equal(may('GetBucketAcl', bucket('public-read-write')), 'boss')
  assert.equal(may('DeleteBucket', bucket('public-read-write')), 'boss')
})

test('authorize() of an object that somebody else wrote', () => {
  assert.equal(may('GetObject', bucket(), object('private', 'ann')), 'ann')
  assert.equal(may('GetObject', bucket(), object('bucket-owner-read', 'ann')), 'boss ann')
  assert.equal(may('PutObjectAcl', bucket(), object('bucket-owner-read', 'ann')), 'ann')
  assert.equal(may('PutObjectAcl', bucket(), object('bucket-owner-full-control', 'ann')), 'boss ann')
  assert.equal(may('DeleteObject', bucket(), object('private', 'ann')), 'boss')
  assert.equal(may('PutObject', bucket(), object('private', 'ann')), 'boss')
  assert.equal(may('AbortMultipartUpload', bucket(), object('private', 'ann')), 'boss ann')
  const enforced = bucket('private', { ownership: 'BucketOwnerEnforced' })
  assert.equal(may('GetObject', enforced, object('public-read', 'ann')), 'boss')
})

test('authorize() by the policy of the bucket', () => {
  const open = bucket('private', { policy: policy({ Action: 's3:GetObject' }) })
  assert.equal(may('GetObject', open, object()), 'boss ann anybody')
  assert.equal(may('PutObject', open, object()), 'boss')
  const closed = bucket('public-read-write', { policy: policy({ Effect: 'Deny', Sid: 'no' }) })
  assert.equal(may('GetObject', closed, object('public-read')), '')
  assert.equal(may('GetBucketPolicy', closed), 'boss')
  assert.equal(may('DeleteBucketPolicy', closed), 'boss')
  assert.deepEqual(authorize(request('ann', 'GetObject'), closed, object()), {
    isAllowed: false,
    reason: 'bucket-policy',
    statement: 'no',
  })
})

test('authorize() by policies of the user, which then say all that the user may', () => {
  const reads = { userPolicies: [userPolicy({ Action: 's3:GetObject' })] }
  const is = (name: string, action: string, of = bucket(), about = object()) =>
    authorize(request(name, action, reads), of, about).isAllowed
  assert.ok(is('ann', 'GetObject'))
  assert.ok(!is('ann', 'PutObject'))
  assert.ok(!is('boss', 'PutObject'))
  assert.ok(is('ann', 'PutObject', bucket('public-read-write')))
  assert.ok(is('ann', 'PutObject', bucket('private', { policy: policy({ Action: 's3:PutObject' }) })))
  const granted = { ownerId: 'boss', acl: aclOf('boss', [userGrant('ann', 'READ_ACP')]) }
  assert.ok(is('ann', 'GetObjectAcl', bucket(), granted))
  const never = { userPolicies: [userPolicy({}), userPolicy({ Effect: 'Deny', Action: 's3:Delete*' })] }
  assert.ok(authorize(request('ann', 'PutObject', never), bucket(), object()).isAllowed)
  assert.equal(authorize(request('boss', 'DeleteObject', never), bucket(), object()).reason, 'user-policy')
})

test('authorize() lets root do everything that no policy denies', () => {
  const root = (action: string, of = bucket()) => authorize(request('root', action, { isRoot: true }), of, object())
  assert.deepEqual(root('DeleteBucket'), { isAllowed: true, reason: 'root' })
  const closed = bucket('private', { policy: policy({ Effect: 'Deny' }) })
  assert.ok(!root('GetObject', closed).isAllowed)
  assert.ok(root('PutBucketPolicy', closed).isAllowed)
})

test('IgnorePublicAcls leaves public grants out, RestrictPublicBuckets public policies', () => {
  const ignoring = { ...allowPublicAccess, ignorePublicAcls: true }
  const is = (change: Partial<BucketAccess>) => may('GetObject', bucket('public-read', change), object('public-read'))
  assert.equal(is({}), 'boss ann anybody')
  assert.equal(is({ publicAccessBlock: ignoring }), 'boss')
  const restricting = { ...ignoring, restrictPublicBuckets: true }
  assert.equal(is({ publicAccessBlock: restricting, policy: policy({}) }), 'boss')
  assert.equal(is({ publicAccessBlock: ignoring, policy: policy({}) }), 'boss ann anybody')
  const forAnn = policy({ Principal: { AWS: 'arn:aws:iam::1:user/ann' } })
  assert.equal(is({ publicAccessBlock: restricting, policy: forAnn }), 'boss ann')
  const refused = bucket('private', { publicAccessBlock: restricting, policy: policy({}) })
  assert.equal(authorize(request('ann', 'GetObject'), refused, object()).reason, 'public-policy-restricted')
})

test('BlockPublicAcls and BlockPublicPolicy refuse what would open a bucket', () => {
  const denied = (run: () => unknown) =>
    assert.throws(run, (error) => error instanceof S3Error && error.code === 'AccessDenied' && error.status === 403)
  for (const name of ['public-read', 'public-read-write', 'authenticated-read'] as const) {
    denied(() => checkNewAcl(blockAllPublicAccess, cannedAcl(name, owners('boss'))))
    checkNewAcl(allowPublicAccess, cannedAcl(name, owners('boss')))
  }
  checkNewAcl(blockAllPublicAccess, cannedAcl('private', owners('boss')))
  denied(() => checkNewPolicy(blockAllPublicAccess, policy({})))
  checkNewPolicy(allowPublicAccess, policy({}))
  checkNewPolicy(blockAllPublicAccess, policy({ Principal: { AWS: 'arn:aws:iam::s3tenant1:root' } }))
})

test('isPublicBucket() looks at list, policy and block', () => {
  const is = (acl: CannedAcl, change: Partial<BucketAccess> = {}) => isPublicBucket(bucket(acl, change))
  assert.ok(!is('private'))
  assert.ok(is('public-read'))
  assert.ok(is('authenticated-read'))
  assert.ok(is('private', { policy: policy({}) }))
  assert.ok(!is('public-read', { policy: policy({}), publicAccessBlock: blockAllPublicAccess }))
})

test('with everything blocked, nobody but the owner gets in, whatever lists and public policies say', () => {
  const acl = fc.constantFrom<CannedAcl>('private', 'public-read', 'public-read-write', 'authenticated-read')
  const action = fc.constantFrom(...s3Actions.map((name) => name.slice(3)))
  const ownership = fc.constantFrom('BucketOwnerEnforced', 'BucketOwnerPreferred', 'ObjectWriter')
  fc.assert(
    fc.property(acl, acl, action, ownership, fc.boolean(), (ofBucket, ofObject, name, owned, hasPolicy) => {
      const of = bucket(ofBucket, {
        ownership: owned,
        publicAccessBlock: blockAllPublicAccess,
        policy: hasPolicy ? policy({}) : undefined,
      })
      assert.equal(may(name, of, object(ofObject)), 'boss')
    }),
  )
})

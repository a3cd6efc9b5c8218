import assert from 'node:assert/strict'
import { test } from 'node:test'
import { S3Error } from '../s3-error.ts'
import {
  type Acl,
  aclAllows,
  aclOf,
  type CannedAcl,
  cannedAcl,
  groupOfUri,
  isPrivateAcl,
  isPublicAcl,
  type Permission,
  parseCannedAcl,
  permissions,
  uriOfGroup,
  userGrant,
} from './acl.ts'

const owners = { ownerId: 'writer', bucketOwnerId: 'boss' }
const who = ['writer', 'boss', 'other', undefined]

/** Permissions that each of {@link who} has, FULL_CONTROL aside. */
function allowed(acl: Acl, ignorePublic = false): string[] {
  return who.map((canonicalId) =>
    permissions
      .filter(
        (permission) => permission !== 'FULL_CONTROL' && aclAllows(acl, { permission, canonicalId, ignorePublic }),
      )
      .join(' '),
  )
}

const all = 'READ WRITE READ_ACP WRITE_ACP'

test('cannedAcl() grants what its name says', () => {
  const expected: Readonly<Partial<Record<CannedAcl, readonly string[]>>> = {
    private: [all, '', '', ''],
    'public-read': [all, 'READ', 'READ', 'READ'],
    'public-read-write': [all, 'READ WRITE', 'READ WRITE', 'READ WRITE'],
    'authenticated-read': [all, 'READ', 'READ', ''],
    'bucket-owner-read': [all, 'READ', '', ''],
    'bucket-owner-full-control': [all, all, '', ''],
    'log-delivery-write': [all, '', '', ''],
  }
  for (const [name, permitted] of Object.entries(expected)) {
    const acl = cannedAcl(name as CannedAcl, owners)
    assert.deepEqual(allowed(acl), permitted, name)
    assert.equal(isPublicAcl(acl), /public|authenticated/.test(name), name)
    assert.deepEqual(allowed(acl, true).slice(2), ['', ''], name)
  }
})

test('cannedAcl() puts groups before users', () => {
  assert.deepEqual(
    cannedAcl('public-read-write', owners).grants.map(({ grantee }) => grantee.kind),
    ['group', 'group', 'user'],
  )
  assert.equal(cannedAcl('bucket-owner-read', { ownerId: 'boss', bucketOwnerId: 'boss' }).grants.length, 1)
})

test('aclAllows() gives exactly what was granted', () => {
  for (const granted of permissions) {
    const acl = aclOf('writer', [userGrant('other', granted)])
    const expected = granted === 'FULL_CONTROL' ? all : granted
    assert.deepEqual(allowed(acl), ['', '', expected, ''])
    assert.ok(!isPublicAcl(acl) && !isPrivateAcl(acl))
  }
})

test('aclOf() drops doubles, bounds the list, and puts groups first', () => {
  const group = { grantee: { kind: 'group', group: 'AllUsers' }, permission: 'READ' } as const
  const acl = aclOf('a', [userGrant('b', 'READ'), group, userGrant('b', 'READ'), userGrant('b', 'WRITE')])
  assert.deepEqual(acl.grants, [group, userGrant('b', 'READ'), userGrant('b', 'WRITE')])
  const many = Array.from({ length: 101 }, (_, index) => userGrant(`user ${index}`, 'READ'))
  assert.equal(aclOf('a', many.slice(0, 100)).grants.length, 100)
  assert.throws(
    () => aclOf('a', many),
    (error) => error instanceof S3Error && error.code === 'MalformedACLError',
  )
})

test('isPrivateAcl() is true of nothing but the owner’s grants', () => {
  assert.ok(isPrivateAcl(cannedAcl('private', owners)))
  assert.ok(isPrivateAcl(aclOf('a', [])))
  assert.ok(!isPrivateAcl(cannedAcl('public-read', owners)))
  assert.ok(!isPrivateAcl(aclOf('a', [userGrant('b', 'READ')])))
})

test('parseCannedAcl() and groupOfUri() know S3’s names alone', () => {
  const refuses = (run: () => unknown) =>
    assert.throws(run, (error) => error instanceof S3Error && error.code === 'InvalidArgument')
  assert.equal(parseCannedAcl('public-read'), 'public-read')
  refuses(() => parseCannedAcl('public'))
  refuses(() => parseCannedAcl('toString'))
  for (const group of ['AllUsers', 'AuthenticatedUsers', 'LogDelivery'] as const) {
    assert.equal(groupOfUri(uriOfGroup(group)), group)
  }
  refuses(() => groupOfUri('http://example.com/AllUsers'))
})

test('a grant to log delivery makes nothing public', () => {
  const permission: Permission = 'READ'
  const acl = aclOf('a', [{ grantee: { kind: 'group', group: 'LogDelivery' }, permission }])
  assert.ok(!isPublicAcl(acl))
  assert.ok(!aclAllows(acl, { permission, canonicalId: undefined, ignorePublic: false }))
  assert.ok(!aclAllows(acl, { permission, canonicalId: 'b', ignorePublic: false }))
})

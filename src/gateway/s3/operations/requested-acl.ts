/** From the ACL that a request asks for to one that names accounts of this cluster. @module */
import type { S3Services } from '../door/s3-call.ts'
import type { S3Request } from '../request/s3-request.ts'
import { type Acl, aclOf, cannedAcl, type Grant } from '../rules/access/acl.ts'
import type { BucketAccess } from '../rules/access/authorize.ts'
import { type NamedGrant, type RequestedAcl, requestedAcl } from '../rules/access/grant-headers.ts'
import { checkObjectAclRequest, ownerOfNewObject } from '../rules/access/object-ownership.ts'
import { checkNewAcl } from '../rules/access/public-access-block.ts'
import { S3Error } from '../rules/s3-error.ts'

/** @throws {S3Error} `InvalidArgument`, `UnresolvableGrantByEmailAddress`, `MalformedACLError` */
export function resolvedAcl(
  requested: RequestedAcl,
  {
    accounts,
    ownerId,
    bucketOwnerId,
  }: { readonly accounts: S3Services['accounts']; readonly ownerId: string; readonly bucketOwnerId: string },
): Acl {
  if (requested.kind === 'canned') return cannedAcl(requested.name, { ownerId, bucketOwnerId })
  return aclOf(
    ownerId,
    requested.grants.map((grant) => resolvedGrant(grant, accounts)),
  )
}

export function resolvedGrant({ grantee, permission }: NamedGrant, accounts: S3Services['accounts']): Grant {
  switch (grantee.kind) {
    case 'group':
      return { grantee, permission }
    case 'id':
      if (accounts.findById(grantee.id) === undefined) {
        throw new S3Error('InvalidArgument', 'Invalid id', {
          details: { ArgumentName: 'CanonicalUser/ID', ArgumentValue: grantee.id.slice(0, 128) },
        })
      }
      return { grantee: { kind: 'user', canonicalId: grantee.id }, permission }
    case 'email': {
      const account = accounts.findByEmail(grantee.emailAddress)
      if (account === undefined) {
        throw new S3Error(
          'UnresolvableGrantByEmailAddress',
          'The e-mail address you provided does not match any account on record.',
        )
      }
      return { grantee: { kind: 'user', canonicalId: account.id }, permission }
    }
  }
}

export interface NewOwnership {
  readonly owner: string
  /** Undefined: private. */
  readonly acl: Acl | undefined
}

/**
 * Who owns an object that is about to be written, and under which list.
 * @throws {S3Error} `AccessControlListNotSupported`, `AccessDenied` (public lists are blocked), and as {@link resolvedAcl}
 */
export function newOwnership(
  request: S3Request,
  {
    accounts,
    bucket,
    writerId,
  }: {
    readonly accounts: S3Services['accounts']
    readonly bucket: BucketAccess
    readonly writerId: string | undefined
  },
): NewOwnership {
  const requested = requestedAcl(request.headers.record())
  checkObjectAclRequest(bucket.ownership, requested)
  const owner = ownerOfNewObject(bucket.ownership, { writerId, bucketOwnerId: bucket.ownerId, requested })
  if (requested === undefined || bucket.ownership === 'BucketOwnerEnforced') return { owner, acl: undefined }
  const acl = resolvedAcl(requested, { accounts, ownerId: owner, bucketOwnerId: bucket.ownerId })
  checkNewAcl(bucket.publicAccessBlock, acl)
  return { owner, acl }
}

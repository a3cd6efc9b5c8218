/**
 * May this request go on? One answer from everything that has a say: the policies of the user, the policy and the list of
 * the bucket, the list of the object, ownership, and the public access block. With the reason, for `explain-deny`.
 *
 * An explicit deny wins. After that one allow suffices, and without one the answer is no:
 * - a policy of the user (only an administrator attaches those);
 * - the bucket's policy, unless it is public and the block confines it to the bucket's owner;
 * - a list, unless ownership turns lists off;
 * - ownership itself, for a user who has no policies: those say all that such a user may.
 *
 * The bucket's owner can always mend the bucket's policy, whatever that says: nobody is locked out for good.
 * @module
 */
import { evaluatePolicies, type PolicyRequest, type PolicyVerdict } from '../policy/evaluate.ts'
import type { Identity, Policy } from '../policy/policy.ts'
import { isPublicPolicy } from '../policy/policy-status.ts'
import { type Acl, aclAllows, type Permission } from './acl.ts'
import type { ObjectOwnership } from './object-ownership.ts'
import type { PublicAccessBlock } from './public-access-block.ts'

export interface BucketAccess {
  /** Canonical id. */
  readonly ownerId: string
  readonly acl: Acl
  readonly policy: Policy | undefined
  readonly ownership: ObjectOwnership
  readonly publicAccessBlock: PublicAccessBlock
}

/** Of the object or upload that the request is about, if it is there. */
export interface ObjectAccess {
  readonly ownerId: string
  readonly acl: Acl
}

export interface AccessRequest extends PolicyRequest {
  /** The administrator of the cluster: bound by explicit denies alone. */
  readonly isRoot: boolean
  /** Policies attached to the user. */
  readonly userPolicies: readonly Policy[]
}

export type AccessReason =
  | 'root'
  | 'owner'
  | 'user-policy'
  | 'bucket-policy'
  | 'bucket-acl'
  | 'object-acl'
  /** No rule allows it. */
  | 'nothing-allows'
  /** A public policy allows it, and `RestrictPublicBuckets` is set. */
  | 'public-policy-restricted'

export interface AccessDecision {
  readonly isAllowed: boolean
  readonly reason: AccessReason
  /** The statement of a policy that decided. */
  readonly statement?: string | undefined
  /** The policy it stands in, where that has an id: a user's is known by its name. */
  readonly policy?: string | undefined
}

/** What a list of the bucket gives to somebody else than its owner. */
const bucketPermissions: ReadonlyMap<string, Permission> = new Map([
  ['s3:ListBucket', 'READ'],
  ['s3:ListBucketVersions', 'READ'],
  ['s3:ListBucketMultipartUploads', 'READ'],
  ['s3:PutObject', 'WRITE'],
  ['s3:DeleteObject', 'WRITE'],
  ['s3:GetBucketAcl', 'READ_ACP'],
  ['s3:PutBucketAcl', 'WRITE_ACP'],
])

const objectPermissions: ReadonlyMap<string, Permission> = new Map([
  ['s3:GetObject', 'READ'],
  ['s3:GetObjectVersion', 'READ'],
  ['s3:GetObjectAttributes', 'READ'],
  ['s3:GetObjectVersionAttributes', 'READ'],
  ['s3:GetObjectAcl', 'READ_ACP'],
  ['s3:GetObjectVersionAcl', 'READ_ACP'],
  ['s3:PutObjectAcl', 'WRITE_ACP'],
  ['s3:PutObjectVersionAcl', 'WRITE_ACP'],
])

/** What the owner of an object may do with it in a bucket of somebody else; the bucket's owner then may not. */
const ownersOfObjects = new Set([
  ...objectPermissions.keys(),
  's3:GetObjectTagging',
  's3:GetObjectVersionTagging',
  's3:PutObjectTagging',
  's3:PutObjectVersionTagging',
])

/** What whoever began an upload may do with it, beside the bucket's owner. */
const ownersOfUploads = new Set(['s3:AbortMultipartUpload', 's3:ListMultipartUploadParts'])

const policyActions = new Set(['s3:GetBucketPolicy', 's3:PutBucketPolicy', 's3:DeleteBucketPolicy'])

/** @param object undefined: the request is about the bucket, or the object is not there */
export function authorize(request: AccessRequest, bucket: BucketAccess, object?: ObjectAccess): AccessDecision {
  const { identity, isRoot, userPolicies, action } = request
  const isBucketOwner = identity !== undefined && identity.canonicalId === bucket.ownerId
  const byUser = evaluatePolicies(userPolicies, request)
  if (byUser.effect === 'deny') return decided(false, 'user-policy', byUser)
  const byBucket: PolicyVerdict =
    bucket.policy === undefined ? { effect: 'none' } : evaluatePolicies([bucket.policy], request)
  const canMendPolicy = (isBucketOwner || isRoot) && policyActions.has(action)
  if (byBucket.effect === 'deny' && !canMendPolicy) return decided(false, 'bucket-policy', byBucket)

  if (isRoot) return { isAllowed: true, reason: 'root' }
  if (byUser.effect === 'allow') return decided(true, 'user-policy', byUser)
  if (userPolicies.length === 0 && isOwner(identity, { action, bucket, object })) {
    return { isAllowed: true, reason: 'owner' }
  }
  const isRestricted = isRestrictedPolicy(bucket) && !isBucketOwner
  if (byBucket.effect === 'allow' && !isRestricted) return decided(true, 'bucket-policy', byBucket)
  const list = listThatAllows(request, bucket, object)
  if (list !== undefined) return { isAllowed: true, reason: list }
  return byBucket.effect === 'allow'
    ? decided(false, 'public-policy-restricted', byBucket)
    : { isAllowed: false, reason: 'nothing-allows' }
}

function isOwner(
  identity: Identity | undefined,
  about: { readonly action: string; readonly bucket: BucketAccess; readonly object: ObjectAccess | undefined },
): boolean {
  if (identity === undefined) return false
  const { action, bucket, object } = about
  const { canonicalId } = identity
  if (object === undefined || bucket.ownership === 'BucketOwnerEnforced') return canonicalId === bucket.ownerId
  if (ownersOfObjects.has(action)) return canonicalId === object.ownerId
  return canonicalId === bucket.ownerId || (ownersOfUploads.has(action) && canonicalId === object.ownerId)
}

function listThatAllows(
  { identity, action, userPolicies }: AccessRequest,
  { acl, ownership, publicAccessBlock }: BucketAccess,
  object: ObjectAccess | undefined,
): 'bucket-acl' | 'object-acl' | undefined {
  if (ownership === 'BucketOwnerEnforced') return undefined
  const canonicalId = identity?.canonicalId
  const allows = (list: Acl, permission: Permission | undefined) => {
    // An owner's grant is ownership once more.
    const isOwnership = userPolicies.length > 0 && list.ownerId === canonicalId
    const wanted = {
      canonicalId: isOwnership ? undefined : canonicalId,
      ignorePublic: publicAccessBlock.ignorePublicAcls,
    }
    return permission !== undefined && aclAllows(list, { ...wanted, permission })
  }
  if (allows(acl, bucketPermissions.get(action))) return 'bucket-acl'
  return object !== undefined && allows(object.acl, objectPermissions.get(action)) ? 'object-acl' : undefined
}

function isRestrictedPolicy({ policy, publicAccessBlock }: BucketAccess): boolean {
  return publicAccessBlock.restrictPublicBuckets && policy !== undefined && isPublicPolicy(policy)
}

function decided(isAllowed: boolean, reason: AccessReason, { statement, policy }: PolicyVerdict): AccessDecision {
  return {
    ...{ isAllowed, reason },
    ...(statement !== undefined && { statement }),
    ...(policy?.id !== undefined && { policy: policy.id }),
  }
}

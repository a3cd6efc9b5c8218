/**
 * Access control lists: who may read or write a bucket or an object, or its list. Canned lists, and what a list says.
 *
 * Groups stand before users in every list that is made here, so that two lists with the same grants read the same.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html
 * @module
 */
import { S3Error } from '../s3-error.ts'

export type Permission = 'READ' | 'WRITE' | 'READ_ACP' | 'WRITE_ACP' | 'FULL_CONTROL'
export type Group = 'AllUsers' | 'AuthenticatedUsers' | 'LogDelivery'
export type Grantee =
  | { readonly kind: 'user'; readonly canonicalId: string }
  | { readonly kind: 'group'; readonly group: Group }

export interface Grant {
  readonly grantee: Grantee
  readonly permission: Permission
}

export interface Acl {
  /** Canonical id. */
  readonly ownerId: string
  readonly grants: readonly Grant[]
}

export const permissions: readonly Permission[] = ['READ', 'WRITE', 'READ_ACP', 'WRITE_ACP', 'FULL_CONTROL']
/** What S3 allows in one list. */
export const aclMaxGrants = 100

const groupUris: Readonly<Record<Group, string>> = {
  AllUsers: 'http://acs.amazonaws.com/groups/global/AllUsers',
  AuthenticatedUsers: 'http://acs.amazonaws.com/groups/global/AuthenticatedUsers',
  LogDelivery: 'http://acs.amazonaws.com/groups/s3/LogDelivery',
}

export function uriOfGroup(group: Group): string {
  return groupUris[group]
}

/** @throws {S3Error} `InvalidArgument` */
export function groupOfUri(uri: string): Group {
  const group = (Object.keys(groupUris) as Group[]).find((name) => groupUris[name] === uri)
  if (group !== undefined) return group
  throw new S3Error('InvalidArgument', 'Invalid group uri', { details: { ArgumentName: 'uri', ArgumentValue: uri } })
}

/** Which grants a canned list makes, beside the owner's `FULL_CONTROL`. */
const cannedGroups = {
  private: [],
  'public-read': [['AllUsers', 'READ']],
  'public-read-write': [
    ['AllUsers', 'READ'],
    ['AllUsers', 'WRITE'],
  ],
  'authenticated-read': [['AuthenticatedUsers', 'READ']],
  'log-delivery-write': [
    ['LogDelivery', 'READ_ACP'],
    ['LogDelivery', 'WRITE'],
  ],
  'aws-exec-read': [],
  'bucket-owner-read': [],
  'bucket-owner-full-control': [],
} as const satisfies Record<string, readonly (readonly [Group, Permission])[]>

export type CannedAcl = keyof typeof cannedGroups

/**
 * The name of a canned list, as `x-amz-acl` has it.
 * @throws {S3Error} `InvalidArgument`
 */
export function parseCannedAcl(name: string): CannedAcl {
  if (Object.hasOwn(cannedGroups, name)) return name as CannedAcl
  throw new S3Error('InvalidArgument', 'The canned ACL is not one of S3.', {
    details: { ArgumentName: 'x-amz-acl', ArgumentValue: name },
  })
}

/** The list that a canned name stands for. For a bucket, the owner is the bucket's. */
export function cannedAcl(name: CannedAcl, owners: { readonly ownerId: string; readonly bucketOwnerId: string }): Acl {
  const { ownerId, bucketOwnerId } = owners
  const grants: Grant[] = cannedGroups[name].map(([group, permission]) => ({
    grantee: { kind: 'group', group },
    permission,
  }))
  grants.push(userGrant(ownerId, 'FULL_CONTROL'))
  if (bucketOwnerId !== ownerId) {
    if (name === 'bucket-owner-read') grants.push(userGrant(bucketOwnerId, 'READ'))
    if (name === 'bucket-owner-full-control') grants.push(userGrant(bucketOwnerId, 'FULL_CONTROL'))
  }
  return { ownerId, grants }
}

/**
 * A list of grants that a client sent: bounded, without doubles, groups first.
 * @throws {S3Error} `MalformedACLError`: more than 100 grants
 */
export function aclOf(ownerId: string, grants: readonly Grant[]): Acl {
  if (grants.length > aclMaxGrants) throw new S3Error('MalformedACLError', `An ACL has at most ${aclMaxGrants} grants`)
  const distinct = new Map(grants.map((grant) => [JSON.stringify([grant.grantee, grant.permission]), grant]))
  const all = [...distinct.values()]
  const isGroup = ({ grantee }: Grant) => grantee.kind === 'group'
  return { ownerId, grants: [...all.filter(isGroup), ...all.filter((grant) => !isGroup(grant))] }
}

export function userGrant(canonicalId: string, permission: Permission): Grant {
  return { grantee: { kind: 'user', canonicalId }, permission }
}

/**
 * Whether the list grants the permission.
 * @param canonicalId undefined: nobody signed the request
 * @param ignorePublic leaves out what is granted to anybody (`IgnorePublicAcls`)
 */
export function aclAllows(
  { grants }: Acl,
  wanted: { readonly permission: Permission; readonly canonicalId: string | undefined; readonly ignorePublic: boolean },
): boolean {
  const { permission, canonicalId, ignorePublic } = wanted
  return grants.some(
    (grant) =>
      (grant.permission === permission || grant.permission === 'FULL_CONTROL') &&
      !(ignorePublic && isPublicGrant(grant)) &&
      includes(grant.grantee, canonicalId),
  )
}

/** Whether the list grants anything to anybody. Users of this cluster as a whole count as anybody. */
export function isPublicAcl({ grants }: Acl): boolean {
  return grants.some(isPublicGrant)
}

/** Whether the list is what `private` gives: nobody but the owner is granted anything. */
export function isPrivateAcl({ ownerId, grants }: Acl): boolean {
  return grants.every(({ grantee }) => grantee.kind === 'user' && grantee.canonicalId === ownerId)
}

function isPublicGrant({ grantee }: Grant): boolean {
  return grantee.kind === 'group' && grantee.group !== 'LogDelivery'
}

function includes(grantee: Grantee, canonicalId: string | undefined): boolean {
  if (grantee.kind === 'user') return grantee.canonicalId === canonicalId
  if (grantee.group === 'AllUsers') return true
  return grantee.group === 'AuthenticatedUsers' && canonicalId !== undefined
}

/**
 * The four switches against public access. Two refuse what would make something public, two make what is public already
 * have no effect.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
 * @module
 */
import type { Policy } from '../policy/policy.ts'
import { isPublicPolicy } from '../policy/policy-status.ts'
import { S3Error } from '../s3-error.ts'
import { type Acl, isPublicAcl } from './acl.ts'

export interface PublicAccessBlock {
  /** Refuses a request that sets a public list. */
  readonly blockPublicAcls: boolean
  /** Leaves public grants out when a list is read. */
  readonly ignorePublicAcls: boolean
  /** Refuses a public policy. */
  readonly blockPublicPolicy: boolean
  /** Under a public policy, lets in only the bucket's owner. */
  readonly restrictPublicBuckets: boolean
}

/** What a bucket gets unless it or the server says otherwise. */
export const blockAllPublicAccess: PublicAccessBlock = {
  blockPublicAcls: true,
  ignorePublicAcls: true,
  blockPublicPolicy: true,
  restrictPublicBuckets: true,
}

export const allowPublicAccess: PublicAccessBlock = {
  blockPublicAcls: false,
  ignorePublicAcls: false,
  blockPublicPolicy: false,
  restrictPublicBuckets: false,
}

/** @throws {S3Error} `AccessDenied` */
export function checkNewAcl({ blockPublicAcls }: PublicAccessBlock, acl: Acl): void {
  if (!blockPublicAcls || !isPublicAcl(acl)) return
  throw new S3Error('AccessDenied', 'Access Denied: public ACLs are blocked by the BlockPublicAcls setting.')
}

/** @throws {S3Error} `AccessDenied` */
export function checkNewPolicy({ blockPublicPolicy }: PublicAccessBlock, policy: Policy): void {
  if (!blockPublicPolicy || !isPublicPolicy(policy)) return
  throw new S3Error('AccessDenied', 'Access Denied: public policies are blocked by the BlockPublicPolicy setting.')
}

/** What `PolicyStatus` says of a bucket: whether its policy or its list is open to anybody, and is let be so. */
export function isPublicBucket(bucket: {
  readonly policy: Policy | undefined
  readonly acl: Acl
  readonly publicAccessBlock: PublicAccessBlock
}): boolean {
  const { policy, acl, publicAccessBlock } = bucket
  const isOpenByPolicy = policy !== undefined && !publicAccessBlock.restrictPublicBuckets && isPublicPolicy(policy)
  return isOpenByPolicy || (!publicAccessBlock.ignorePublicAcls && isPublicAcl(acl))
}

/**
 * Object ownership: who owns what is written into a bucket, and whether lists count at all.
 *
 * `BucketOwnerEnforced` (the safe one): everything belongs to the bucket's owner, and no list is read or set.
 * `BucketOwnerPreferred`: what comes with `bucket-owner-full-control` does. `ObjectWriter`: whoever writes it owns it.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html
 * @module
 */
import { S3Error } from '../s3-error.ts'
import { type Acl, isPrivateAcl } from './acl.ts'
import type { RequestedAcl } from './grant-headers.ts'

const ownerships = ['BucketOwnerEnforced', 'BucketOwnerPreferred', 'ObjectWriter'] as const
export type ObjectOwnership = (typeof ownerships)[number]

/**
 * The one rule of `OwnershipControls`, or the value of `x-amz-object-ownership`.
 * @throws {S3Error} `MalformedXML`
 */
export function parseObjectOwnership(text: string): ObjectOwnership {
  const ownership = ownerships.find((name) => name === text)
  if (ownership !== undefined) return ownership
  throw new S3Error('MalformedXML', `Object ownership must be one of ${ownerships.join(', ')}`)
}

/**
 * Holds a request that writes an object to the bucket's ownership.
 * @throws {S3Error} `AccessControlListNotSupported`: lists are off, and the request sets another than the one it would get
 */
export function checkObjectAclRequest(ownership: ObjectOwnership, requested: RequestedAcl | undefined): void {
  if (ownership !== 'BucketOwnerEnforced' || requested === undefined) return
  if (requested.kind === 'canned' && requested.name === 'bucket-owner-full-control') return
  throw aclsAreOff()
}

/**
 * Holds PutBucketAcl and PutObjectAcl to the bucket's ownership.
 * @throws {S3Error} `AccessControlListNotSupported`
 */
export function checkAclChange(ownership: ObjectOwnership): void {
  if (ownership === 'BucketOwnerEnforced') throw aclsAreOff()
}

/**
 * Holds a change of ownership to the bucket's list, which would stop to count.
 * @throws {S3Error} `InvalidBucketAclWithObjectOwnership`
 */
export function checkOwnershipChange(next: ObjectOwnership, bucketAcl: Acl): void {
  if (next !== 'BucketOwnerEnforced' || isPrivateAcl(bucketAcl)) return
  throw new S3Error(
    'InvalidBucketAclWithObjectOwnership',
    "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
  )
}

/** Who will own an object that `writerId` writes; an anonymous writer gives it to the bucket's owner. */
export function ownerOfNewObject(
  ownership: ObjectOwnership,
  write: {
    readonly writerId: string | undefined
    readonly bucketOwnerId: string
    readonly requested: RequestedAcl | undefined
  },
): string {
  const { writerId, bucketOwnerId, requested } = write
  if (writerId === undefined || ownership === 'BucketOwnerEnforced') return bucketOwnerId
  const isGivenAway = requested?.kind === 'canned' && requested.name === 'bucket-owner-full-control'
  return ownership === 'BucketOwnerPreferred' && isGivenAway ? bucketOwnerId : writerId
}

function aclsAreOff(): S3Error {
  return new S3Error('AccessControlListNotSupported', 'The bucket does not allow ACLs')
}

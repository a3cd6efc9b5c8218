/**
 * Who may do what: asked once a request before anything is done, and once more for each key of a body and each source of a copy.
 * The rules decide (`rules/access/authorize.ts`); here they are given what they ask about.
 * @module
 */
import type { Account } from '../auth/accounts.ts'
import type { Acl } from '../rules/access/acl.ts'
import { cannedAcl } from '../rules/access/acl.ts'
import { authorize, type ObjectAccess } from '../rules/access/authorize.ts'
import type { Identity } from '../rules/policy/policy.ts'
import { requestContext } from '../rules/policy/request-context.ts'
import { S3Error } from '../rules/s3-error.ts'
import { bucketAccess } from '../store/bucket-settings.ts'
import type { Bucket } from '../store/buckets.ts'
import type { ObjectInfo } from '../store/object-record.ts'
import { noSuchKey } from '../store/objects.ts'
import type { S3Call } from './s3-call.ts'

export interface AccessSubject {
  /** `s3:GetObject` */
  readonly action: string
  readonly bucket: Bucket
  readonly key?: string | undefined
  /** Of the object or upload that is there. */
  readonly object?: ObjectAccess | undefined
  readonly existingTags?: Readonly<Record<string, string>> | undefined
  readonly requestTags?: Readonly<Record<string, string>> | undefined
  /** That the request does not name, but stands for. */
  readonly prefix?: string | undefined
}

/** @throws {S3Error} `AccessDenied` */
export function checkAccess(call: S3Call, subject: AccessSubject): void {
  if (!mayAccess(call, subject)) throw accessDenied()
}

export function mayAccess(call: S3Call, subject: AccessSubject): boolean {
  const { services, caller, request, sourceIp } = call
  const { action, bucket, key, object, existingTags, requestTags, prefix } = subject
  const { account } = caller
  const identity = account === undefined ? undefined : identityOf(account)
  const context = requestContext({
    ...{
      identity,
      headers: request.headers.record(),
      // As the operation reads it: of a name that was sent twice, the rules and the listing must see the same value.
      query: prefix === undefined ? request.query : standIn(request.query, { prefix }),
      sourceIp,
    },
    isSecure: false,
    timeMs: services.env.clock.wallMs(),
    ...(existingTags === undefined ? {} : { existingTags: new Map(Object.entries(existingTags)) }),
    ...(requestTags === undefined ? {} : { requestTags: new Map(Object.entries(requestTags)) }),
  })
  const resource = `arn:aws:s3:::${bucket.name}${key === undefined ? '' : `/${key}`}`
  const asked = { identity, action, resource, context, isRoot: account?.isRoot === true, userPolicies: [] }
  return authorize(asked, bucketAccess(bucket, services.bucketDefaults, services.accounts.owner(undefined).id), object)
    .isAllowed
}

/** The query with one value that the request does not name, but stands for. */
function standIn(query: S3Call['request']['query'], { prefix }: { readonly prefix: string }) {
  return { get: (name: string) => (name === 'prefix' ? prefix : query.get(name)) }
}

/** What the rules need to know of an object that is there. */
export function objectAccess({ record, acl }: ObjectInfo, bucketOwnerId: string): ObjectAccess {
  const ownerId = record.owner ?? bucketOwnerId
  return { ownerId, acl: acl ?? privateAcl(ownerId) }
}

export function privateAcl(ownerId: string): Acl {
  return cannedAcl('private', { ownerId, bucketOwnerId: ownerId })
}

/** That a key is not there is told only to who may list it. */
export function missingKey(call: S3Call, { bucket, key }: { readonly bucket: Bucket; readonly key: string }): S3Error {
  return mayAccess(call, { action: 's3:ListBucket', bucket, prefix: key }) ? noSuchKey(key) : accessDenied()
}

export function accessDenied(): S3Error {
  return new S3Error('AccessDenied', 'Access Denied')
}

function identityOf({ id, displayName }: Account): Identity {
  return { accountId: id, userName: displayName, arn: `arn:aws:iam::${id}:user/${displayName}`, canonicalId: id }
}

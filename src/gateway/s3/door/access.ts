/**
 * Who may do what: asked once a request before anything is done, and once more for each key of a body and each source of a copy.
 * The rules decide (`rules/access/authorize.ts`); here they are given what they ask about.
 * @module
 */
import type { Account } from '../auth/accounts.ts'
import type { Acl } from '../rules/access/acl.ts'
import { cannedAcl } from '../rules/access/acl.ts'
import { authorize, type ObjectAccess } from '../rules/access/authorize.ts'
import type { Context } from '../rules/policy/conditions.ts'
import { evaluatePolicies } from '../rules/policy/evaluate.ts'
import type { Identity } from '../rules/policy/policy.ts'
import { type RequestFacts, requestContext } from '../rules/policy/request-context.ts'
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

const noContext: Context = new Map()

/** @throws {S3Error} `AccessDenied` */
export function checkAccess(call: S3Call, subject: AccessSubject): void {
  if (mayAccess(call, subject)) return
  call.trail.isRefused = true
  throw accessDenied()
}

/**
 * The bucket belongs to whom the request expects, if it says whom.
 * @throws {S3Error} `AccessDenied`
 */
export function checkOwner(
  { services, request }: S3Call,
  bucket: Bucket,
  { header }: { readonly header: 'x-amz-expected-bucket-owner' | 'x-amz-source-expected-bucket-owner' },
): void {
  const expected = request.headers.get(header)
  if (expected !== undefined && expected !== ownerOf(services, bucket)) throw accessDenied()
}

function ownerOf({ bucketDefaults, accounts }: S3Call['services'], bucket: Bucket): string {
  return bucketAccess(bucket, bucketDefaults, accounts.owner(undefined).id).ownerId
}

export function mayAccess(call: S3Call, subject: AccessSubject): boolean {
  const { services, caller, request, trail } = call
  const { action, bucket, key, object, existingTags, requestTags, prefix } = subject
  const { account } = caller
  const access = bucketAccess(bucket, services.bucketDefaults, services.accounts.owner(undefined).id)
  const userPolicies = account?.policies ?? []
  // Only conditions of policies ask for it: without any, its 25 facts were 7 µs of each request.
  const context =
    userPolicies.length === 0 && access.policy === undefined
      ? noContext
      : requestContext({
          ...factsOf(call),
          // As the operation reads it: of a name that was sent twice, the rules and the listing must see the same value.
          query: prefix === undefined ? request.query : standIn(request.query, { prefix }),
          ...(existingTags === undefined ? {} : { existingTags: new Map(Object.entries(existingTags)) }),
          ...(requestTags === undefined ? {} : { requestTags: new Map(Object.entries(requestTags)) }),
        })
  const identity = account === undefined ? undefined : identityOf(account)
  const resource = `arn:aws:s3:::${bucket.name}${key === undefined ? '' : `/${key}`}`
  const asked = { identity, action, resource, context, isRoot: account?.isRoot === true, userPolicies }
  const decision = authorize(asked, access, object)
  if (!decision.isAllowed) trail.note({ action, resource, decision })
  return decision.isAllowed
}

/**
 * What concerns no bucket that is there: only the policies of the user have a say, if there are any.
 * @returns whether one of them allows it
 * @throws {S3Error} `AccessDenied`: one denies it, or there are some and none allows it
 */
export function checkServiceAccess(
  call: S3Call,
  { action, resource }: { readonly action: string; readonly resource: string },
): boolean {
  const { account } = call.caller
  const policies = account?.policies ?? []
  if (account === undefined || policies.length === 0) return false
  const asked = { identity: identityOf(account), action, resource, context: requestContext(factsOf(call)) }
  const { effect, statement, policy } = evaluatePolicies(policies, asked)
  if (effect === 'allow') return true
  const reason = effect === 'deny' ? 'user-policy' : 'nothing-allows'
  call.trail.note({ action, resource, decision: { isAllowed: false, reason, statement, policy: policy?.id } })
  throw accessDenied()
}

function factsOf({ caller, request, sourceIp, isSecure, services }: S3Call): RequestFacts {
  const { account, authType, signatureVersion } = caller
  return {
    ...{ sourceIp, isSecure, authType, signatureVersion, query: request.query },
    identity: account === undefined ? undefined : identityOf(account),
    headers: request.headers.record(),
    timeMs: services.env.clock.wallMs(),
  }
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

/** That a key is not there is told only to who may list it, and may not be kept from reading it by a statement. */
export function missingKey(call: S3Call, { bucket, key }: { readonly bucket: Bucket; readonly key: string }): S3Error {
  if (call.trail.isForbidden) return accessDenied()
  return mayAccess(call, { action: 's3:ListBucket', bucket, prefix: key }) ? noSuchKey(key) : accessDenied()
}

export function accessDenied(): S3Error {
  return new S3Error('AccessDenied', 'Access Denied')
}

function identityOf({ id, userName }: Account): Identity {
  return { accountId: id, userName, arn: `arn:aws:iam::${id}:user/${userName}`, canonicalId: id }
}

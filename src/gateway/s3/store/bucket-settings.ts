/**
 * What a bucket was told by its documents: who may reach it, and how. Documents were checked when they were put; a policy is parsed
 * again when it is read, and kept while it stays the same.
 * @module
 */
import type { NotificationRule } from '../../../base/notification-rule.ts'
import { RecentMap } from '../../../base/recent-map.ts'
import type { LogTarget } from '../notify/log-line.ts'
import type { Acl } from '../rules/access/acl.ts'
import { cannedAcl } from '../rules/access/acl.ts'
import type { BucketAccess } from '../rules/access/authorize.ts'
import { type ObjectOwnership, parseObjectOwnership } from '../rules/access/object-ownership.ts'
import type { PublicAccessBlock } from '../rules/access/public-access-block.ts'
import type { CorsRule } from '../rules/cors.ts'
import { parsePolicy } from '../rules/policy/parse-policy.ts'
import type { Policy } from '../rules/policy/policy.ts'
import type { Bucket } from './buckets.ts'

/** What a bucket has that was told nothing. */
export interface BucketDefaults {
  readonly ownership: ObjectOwnership
  readonly publicAccessBlock: PublicAccessBlock
}

export const documentNames = {
  acl: 'acl',
  cors: 'cors',
  encryption: 'encryption',
  logging: 'logging',
  notification: 'notification',
  ownership: 'ownership',
  policy: 'policy',
  publicAccessBlock: 'public-access-block',
  tags: 'tags',
} as const

const policies = new RecentMap<string, Policy>(256)

/** @param rootId the owner of buckets that name none */
export function bucketAccess(bucket: Bucket, defaults: BucketDefaults, rootId: string): BucketAccess {
  const ownerId = bucket.ownerId ?? rootId
  const { documents } = bucket
  const acl = documents.get(documentNames.acl)
  const policy = documents.get(documentNames.policy)
  const block = documents.get(documentNames.publicAccessBlock)
  const ownership = documents.get(documentNames.ownership)
  return {
    ownerId,
    acl: acl === undefined ? cannedAcl('private', { ownerId, bucketOwnerId: ownerId }) : (JSON.parse(acl) as Acl),
    policy: policy === undefined ? undefined : parsedPolicy(bucket.name, policy),
    ownership: ownership === undefined ? defaults.ownership : parseObjectOwnership(ownership),
    publicAccessBlock: block === undefined ? defaults.publicAccessBlock : (JSON.parse(block) as PublicAccessBlock),
  }
}

export function corsRulesOf({ documents }: Bucket): readonly CorsRule[] | undefined {
  const text = documents.get(documentNames.cors)
  return text === undefined ? undefined : (JSON.parse(text) as CorsRule[])
}

export function notificationRulesOf({ documents }: Bucket): readonly NotificationRule[] {
  const text = documents.get(documentNames.notification)
  return text === undefined ? [] : (JSON.parse(text) as NotificationRule[])
}

export function loggingOf({ documents }: Bucket): LogTarget | undefined {
  const text = documents.get(documentNames.logging)
  return text === undefined ? undefined : (JSON.parse(text) as LogTarget)
}

function parsedPolicy(bucket: string, text: string): Policy {
  const key = `${bucket}\n${text}`
  const known = policies.get(key)
  if (known !== undefined) return known
  const policy = parsePolicy(text, { bucket })
  policies.set(key, policy)
  return policy
}

/**
 * What a bucket was told by its documents: who may reach it, and how. Documents were checked when they were put; a policy is parsed
 * again when it is read, and kept while it stays the same.
 * @module
 */
import type { NotificationRule } from '../../../base/notification-rule.ts'
import { RecentMap } from '../../../base/recent-map.ts'
import type { LogTarget } from '../notify/log-target.ts'
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

/** Parsed once for a bucket as it was read: what a gateway knows of it serves the requests of a second. */
const accessOf = new WeakMap<Bucket, { readonly defaults: BucketDefaults; readonly access: BucketAccess }>()
const parsedOf = new WeakMap<Bucket['documents'], Map<string, unknown>>()

/** @param rootId the owner of buckets that name none: the same for all of a cluster */
export function bucketAccess(bucket: Bucket, defaults: BucketDefaults, rootId: string): BucketAccess {
  const known = accessOf.get(bucket)
  if (known !== undefined && known.defaults === defaults && known.access.ownerId === (bucket.ownerId ?? rootId)) {
    return known.access
  }
  const access = readAccess(bucket, defaults, rootId)
  accessOf.set(bucket, { defaults, access })
  return access
}

function readAccess(bucket: Bucket, defaults: BucketDefaults, rootId: string): BucketAccess {
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

/** A document of a bucket. @returns not to be changed; undefined: the bucket has none */
export function parsedDocument<T>(
  { documents }: Pick<Bucket, 'documents'>,
  name: string,
  parse: (text: string) => T,
): T | undefined {
  const text = documents.get(name)
  if (text === undefined) return undefined
  let parsed = parsedOf.get(documents)
  if (parsed === undefined) {
    parsed = new Map()
    parsedOf.set(documents, parsed)
  }
  if (!parsed.has(name)) parsed.set(name, parse(text))
  return parsed.get(name) as T
}

export function corsRulesOf(bucket: Bucket): readonly CorsRule[] | undefined {
  return parsedDocument(bucket, documentNames.cors, (text) => JSON.parse(text) as CorsRule[])
}

export function notificationRulesOf(bucket: Bucket): readonly NotificationRule[] {
  return parsedDocument(bucket, documentNames.notification, (text) => JSON.parse(text) as NotificationRule[]) ?? []
}

export function loggingOf(bucket: Bucket): LogTarget | undefined {
  return parsedDocument(bucket, documentNames.logging, (text) => JSON.parse(text) as LogTarget)
}

const policies = new RecentMap<string, Policy>(256)

function parsedPolicy(bucket: string, text: string): Policy {
  const key = `${bucket}\n${text}`
  const known = policies.get(key)
  if (known !== undefined) return known
  const policy = parsePolicy(text, { bucket })
  policies.set(key, policy)
  return policy
}

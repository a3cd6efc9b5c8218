/**
 * The facts of a request that conditions can ask for, by the names that IAM and S3 give them. A fact that a request does
 * not have is absent, so that `Null` and `IfExists` see that.
 *
 * `sourceIp` is the socket's peer, unless the operator trusts a proxy: never a header as such.
 * @see https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html#amazons3-policy-keys
 * @module
 */

import { splitCopySource } from '../copy-source.ts'
import { type Headers, headerOf } from '../headers.ts'
import { formatIsoTime } from '../timestamps.ts'
import { type Context, conditionKey } from './conditions.ts'
import type { Identity } from './policy.ts'

export interface RequestFacts {
  readonly identity: Identity | undefined
  /** Names in lower case. */
  readonly headers: Headers
  /** Decoded. Where a name was sent twice it must give the value that the operation goes by, or policies are fooled. */
  readonly query: { get(name: string): string | undefined }
  readonly sourceIp: string
  readonly isSecure: boolean
  /** Since 1970. */
  readonly timeMs: number
  readonly authType?: 'REST-HEADER' | 'REST-QUERY-STRING' | 'POST' | undefined
  readonly signatureVersion?: 'AWS' | 'AWS4-HMAC-SHA256' | undefined
  /** Of the object as it is stored. */
  readonly existingTags?: ReadonlyMap<string, string>
  /** That the request sets. */
  readonly requestTags?: ReadonlyMap<string, string>
  /** Further facts, by key: retention, ownership, the region of a new bucket. */
  readonly more?: ReadonlyMap<string, string>
}

/** Headers that are facts of S3 under their own name. */
const factHeaders = `x-amz-acl x-amz-grant-read x-amz-grant-write x-amz-grant-read-acp x-amz-grant-write-acp
  x-amz-grant-full-control x-amz-metadata-directive x-amz-server-side-encryption
  x-amz-server-side-encryption-aws-kms-key-id x-amz-server-side-encryption-customer-algorithm x-amz-storage-class
  x-amz-content-sha256 x-amz-website-redirect-location x-amz-object-ownership if-match if-none-match`.split(/\s+/)
const factQueries = ['prefix', 'delimiter', 'max-keys']

export function requestContext(facts: RequestFacts): Context {
  const context = new Map<string, readonly string[]>()
  const set = (key: string, value: string | undefined) => {
    if (value !== undefined) context.set(conditionKey(key), [value])
  }
  const header = (name: string) => headerOf(facts.headers, name)
  set('aws:SourceIp', facts.sourceIp)
  set('aws:SecureTransport', String(facts.isSecure))
  set('aws:CurrentTime', formatIsoTime(facts.timeMs))
  set('aws:EpochTime', String(Math.floor(facts.timeMs / 1000)))
  set('aws:Referer', header('referer'))
  set('aws:UserAgent', header('user-agent'))
  set('aws:PrincipalType', facts.identity === undefined ? 'Anonymous' : 'User')
  set('aws:username', facts.identity?.userName)
  set('aws:userid', facts.identity?.canonicalId)
  set('aws:PrincipalArn', facts.identity?.arn)
  set('aws:PrincipalAccount', facts.identity?.accountId)
  set('s3:authType', facts.authType)
  set('s3:signatureversion', facts.signatureVersion)
  for (const name of factHeaders) set(`s3:${name}`, header(name))
  for (const name of factQueries) set(`s3:${name}`, facts.query.get(name))
  set('s3:VersionId', facts.query.get('versionId'))
  const copySource = header('x-amz-copy-source')
  if (copySource !== undefined) set('s3:x-amz-copy-source', splitCopySource(copySource).path)
  for (const [key, value] of facts.existingTags ?? []) set(`s3:ExistingObjectTag/${key}`, value)
  for (const [key, value] of facts.requestTags ?? []) set(`s3:RequestObjectTag/${key}`, value)
  if (facts.requestTags !== undefined)
    context.set(conditionKey('s3:RequestObjectTagKeys'), [...facts.requestTags.keys()])
  for (const [key, value] of facts.more ?? []) set(key, value)
  return context
}

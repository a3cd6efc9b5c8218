/** Buckets themselves: made, told of, listed and removed. @module */
import { isAshlarError } from '../../../base/errors.ts'
import type { Account } from '../auth/accounts.ts'
import { accessDenied, checkServiceAccess } from '../door/access.ts'
import { type S3Answer, xmlAnswer } from '../door/s3-answer.ts'
import { type BucketCall, isRoot, type S3Call } from '../door/s3-call.ts'
import { type RequestedAcl, requestedAcl } from '../rules/access/grant-headers.ts'
import { checkOwnershipChange, type ObjectOwnership, parseObjectOwnership } from '../rules/access/object-ownership.ts'
import { checkNewAcl } from '../rules/access/public-access-block.ts'
import { checkBucketName } from '../rules/bucket-name.ts'
import { invalidArgument, S3Error } from '../rules/s3-error.ts'
import { checkTags, type Tag } from '../rules/tags.ts'
import { formatIsoTime } from '../rules/timestamps.ts'
import { type BucketDefaults, documentNames } from '../store/bucket-settings.ts'
import { malformedXml, parseXml, type XmlElement } from '../xml/parse-xml.ts'
import { element, leaf, type Xml, xmlDocument, xmlList } from '../xml/write-xml.ts'
import { accountXml } from './answer-parts.ts'
import { tagsDocument, tagsOf } from './bucket-settings-operations.ts'
import { resolvedAcl } from './requested-acl.ts'

const configurationBytes = 64 * 1024
const mostBuckets = 10_000
/** Owns nothing. */
const anonymous: Account = { id: '', userName: '', displayName: '', isRoot: false }

export async function listBuckets(call: S3Call): Promise<S3Answer> {
  const { services, request, caller, signal } = call
  const { account = anonymous } = caller
  // A user whose policies let it list buckets sees all of them, one without policies its own.
  const seesAll = isRoot(account) || checkServiceAccess(call, { action: 's3:ListAllMyBuckets', resource: '*' })
  const { query } = request
  const prefix = query.get('prefix') ?? ''
  const maxBuckets = maxBucketsOf(query.get('max-buckets'))
  const token = query.get('continuation-token')
  const after = token === undefined ? '' : `${Buffer.from(token, 'base64url').toString('utf8')}/`
  const shown: Xml[] = []
  let last = ''
  let hasMore = false
  for await (const bucket of services.buckets.list({ after, signal })) {
    if (!(seesAll || bucket.ownerId === account.id) || !bucket.name.startsWith(prefix)) continue
    hasMore = shown.length === maxBuckets
    if (hasMore) break
    last = bucket.name
    shown.push(
      element(
        'Bucket',
        leaf('Name', bucket.name),
        leaf('CreationDate', formatIsoTime(bucket.createdMs)),
        leaf('BucketRegion', services.region),
      ),
    )
  }
  return xmlAnswer(
    xmlDocument(
      'ListAllMyBucketsResult',
      accountXml('Owner', account),
      element('Buckets', xmlList(shown)),
      leaf('Prefix', query.get('prefix')),
      leaf('ContinuationToken', hasMore ? Buffer.from(last).toString('base64url') : undefined),
    ),
  )
}

function maxBucketsOf(text: string | undefined): number {
  if (text === undefined) return mostBuckets
  const count = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (count >= 1 && count <= mostBuckets) return count
  throw invalidArgument(`max-buckets is 1 to ${mostBuckets}.`, { name: 'max-buckets', value: text })
}

export async function createBucket(call: S3Call): Promise<S3Answer> {
  const { services, request, caller, signal, openBody } = call
  const name = request.bucket as string
  const { account } = caller
  if (account === undefined) throw accessDenied()
  checkServiceAccess(call, { action: 's3:CreateBucket', resource: `arn:aws:s3:::${name}` })
  checkBucketName(name)
  const headers = request.headers.record()
  const requested = requestedAcl(headers)
  const ownership = headers['x-amz-object-ownership'] ?? ownershipWith(requested, services.bucketDefaults)
  if (ownership !== undefined) parseObjectOwnership(ownership)
  const owners = { accounts: services.accounts, ownerId: account.id, bucketOwnerId: account.id }
  const acl = requested === undefined ? undefined : resolvedAcl(requested, owners)
  if (acl !== undefined) {
    checkNewAcl(services.bucketDefaults.publicAccessBlock, acl)
    checkOwnershipChange(parseObjectOwnership(ownership ?? services.bucketDefaults.ownership), acl)
  }
  const body = await openBody(configurationBytes).whole()
  const tags = body.length === 0 ? [] : checkConfiguration(parseXml(body), services.region)
  const documents = {
    ...(tags.length === 0 ? {} : { [documentNames.tags]: tagsDocument(checkTags(tags, 'bucket')) }),
    ...(acl === undefined ? {} : { [documentNames.acl]: JSON.stringify(acl) }),
    ...(ownership === undefined ? {} : { [documentNames.ownership]: ownership }),
  }
  const before = await services.buckets.find(name, { signal })
  if (before?.ownerId === account.id && services.region === 'us-east-1') {
    // The first region of all lets an owner make a bucket again, as it is.
    if (before.documents.get(documentNames.acl) === documents[documentNames.acl])
      return { status: 200, headers: { Location: `/${name}` } }
    throw new S3Error('BucketAlreadyExists', 'You already own this bucket, and it has another ACL.', {
      details: { BucketName: name },
    })
  }
  const hasObjectLock = headers['x-amz-bucket-object-lock-enabled']?.toLowerCase() === 'true'
  await services.buckets.create(name, { ownerId: account.id, documents, hasObjectLock, signal })
  return { status: 200, headers: { Location: `/${name}` } }
}

/**
 * Whoever makes a bucket `private` by a list may send lists with objects too (rclone before 1.61 does): where they do not count
 * otherwise, S3 makes it a bucket in which they do.
 */
function ownershipWith(requested: RequestedAcl | undefined, defaults: BucketDefaults): ObjectOwnership | undefined {
  const isPrivate = requested?.kind === 'canned' && requested.name === 'private'
  return isPrivate && defaults.ownership === 'BucketOwnerEnforced' ? 'BucketOwnerPreferred' : undefined
}

/** @returns the tags that it is made with */
function checkConfiguration(root: XmlElement, region: string): Tag[] {
  if (root.name !== 'CreateBucketConfiguration') throw malformedXml()
  if (root.child('Location') !== undefined || root.child('Bucket') !== undefined) {
    throw new S3Error('NotImplemented', 'There are no directory buckets.')
  }
  const constraint = root.textOf('LocationConstraint')
  const tags = root.child('Tags')
  if (constraint === undefined || constraint === '' || constraint === region) return tags ? tagsOf(tags) : []
  throw new S3Error('InvalidLocationConstraint', 'The specified location-constraint is not valid', {
    details: { LocationConstraint: constraint },
  })
}

export async function headBucket({ services }: BucketCall): Promise<S3Answer> {
  return { status: 200, headers: { 'x-amz-bucket-region': services.region, 'x-amz-access-point-alias': 'false' } }
}

export async function deleteBucket({ services, bucket, signal }: BucketCall): Promise<S3Answer> {
  await services.buckets.remove(bucket.name, { signal })
  return { status: 204 }
}

export async function getBucketLocation({ services }: BucketCall): Promise<S3Answer> {
  // The first region of all has an empty name here.
  const region = services.region === 'us-east-1' ? '' : services.region
  return xmlAnswer(xmlDocument('LocationConstraint', region as Xml))
}

/** Whether the error says that nothing has this path. */
export function isAbsent(error: unknown): boolean {
  return isAshlarError(error, 'not-found', 'not-a-directory', 'is-a-directory')
}

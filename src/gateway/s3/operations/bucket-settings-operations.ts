/** Documents of buckets: policy, public access block, ownership, tags and CORS, each put, told and removed. @module */
import { type S3Answer, xmlAnswer } from '../door/s3-answer.ts'
import type { BucketCall } from '../door/s3-call.ts'
import type { BucketAccess } from '../rules/access/authorize.ts'
import { checkOwnershipChange, parseObjectOwnership } from '../rules/access/object-ownership.ts'
import { checkNewPolicy, isPublicBucket, type PublicAccessBlock } from '../rules/access/public-access-block.ts'
import { checkCorsRules, type RawCorsRule } from '../rules/cors.ts'
import { parsePolicy, policyMaxBytes } from '../rules/policy/parse-policy.ts'
import { S3Error, type S3ErrorCode } from '../rules/s3-error.ts'
import { checkTags, type Tag } from '../rules/tags.ts'
import { bucketAccess, corsRulesOf, documentNames } from '../store/bucket-settings.ts'
import { malformedXml, parseXml, type XmlElement } from '../xml/parse-xml.ts'
import { element, leaf, type Xml, xmlDocument, xmlList } from '../xml/write-xml.ts'

const documentBytes = 64 * 1024

/** Everything that says who may reach the bucket. */
export function settingsOf({ services, bucket }: Pick<BucketCall, 'services' | 'bucket'>): BucketAccess {
  return bucketAccess(bucket, services.bucketDefaults, services.accounts.owner(undefined).id)
}

async function put({ services, bucket, signal }: BucketCall, name: string, text: string): Promise<S3Answer> {
  await services.buckets.putDocument(bucket.name, { name, text, signal })
  return { status: 200 }
}

function removing(name: string): (call: BucketCall) => Promise<S3Answer> {
  return async ({ services, bucket, signal }) => {
    await services.buckets.removeDocument(bucket.name, { name, signal })
    return { status: 204 }
  }
}

function documentOf({ bucket }: BucketCall, name: string, [code, message]: readonly [S3ErrorCode, string]): string {
  const text = bucket.documents.get(name)
  if (text !== undefined) return text
  throw new S3Error(code, message, { details: { BucketName: bucket.name } })
}

async function bodyXml({ openBody }: BucketCall, rootName: string): Promise<XmlElement> {
  const root = parseXml(await openBody(documentBytes).whole())
  if (root.name !== rootName) throw malformedXml()
  return root
}

const noPolicy = ['NoSuchBucketPolicy', 'The bucket policy does not exist'] as const

export async function getBucketPolicy(call: BucketCall): Promise<S3Answer> {
  return {
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: documentOf(call, documentNames.policy, noPolicy),
  }
}

export async function putBucketPolicy(call: BucketCall): Promise<S3Answer> {
  const text = (await call.openBody(policyMaxBytes * 2).whole()).toString('utf8')
  const policy = parsePolicy(text, { bucket: call.bucket.name })
  checkNewPolicy(settingsOf(call).publicAccessBlock, policy)
  await put(call, documentNames.policy, text)
  return { status: 204 }
}

export const deleteBucketPolicy = removing(documentNames.policy)

export async function getBucketPolicyStatus(call: BucketCall): Promise<S3Answer> {
  return xmlAnswer(xmlDocument('PolicyStatus', leaf('IsPublic', isPublicBucket(settingsOf(call)))))
}

const switches = {
  blockPublicAcls: 'BlockPublicAcls',
  ignorePublicAcls: 'IgnorePublicAcls',
  blockPublicPolicy: 'BlockPublicPolicy',
  restrictPublicBuckets: 'RestrictPublicBuckets',
} as const satisfies Record<keyof PublicAccessBlock, string>
const switchNames = Object.keys(switches) as (keyof PublicAccessBlock)[]

export async function getPublicAccessBlock(call: BucketCall): Promise<S3Answer> {
  const text = documentOf(call, documentNames.publicAccessBlock, [
    'NoSuchPublicAccessBlockConfiguration',
    'The public access block configuration was not found',
  ])
  const block = JSON.parse(text) as PublicAccessBlock
  return xmlAnswer(
    xmlDocument('PublicAccessBlockConfiguration', ...switchNames.map((name) => leaf(switches[name], block[name]))),
  )
}

export async function putPublicAccessBlock(call: BucketCall): Promise<S3Answer> {
  const root = await bodyXml(call, 'PublicAccessBlockConfiguration')
  const block = Object.fromEntries(
    switchNames.map((name) => [name, root.textOf(switches[name])?.trim().toLowerCase() === 'true']),
  )
  return await put(call, documentNames.publicAccessBlock, JSON.stringify(block))
}

export const deletePublicAccessBlock = removing(documentNames.publicAccessBlock)

export async function getBucketOwnershipControls(call: BucketCall): Promise<S3Answer> {
  const ownership = documentOf(call, documentNames.ownership, [
    'OwnershipControlsNotFoundError',
    'The bucket ownership controls were not found',
  ])
  return xmlAnswer(xmlDocument('OwnershipControls', element('Rule', leaf('ObjectOwnership', ownership))))
}

export async function putBucketOwnershipControls(call: BucketCall): Promise<S3Answer> {
  const root = await bodyXml(call, 'OwnershipControls')
  const [rule, another] = root.all('Rule')
  if (rule === undefined || another !== undefined) throw malformedXml()
  const ownership = parseObjectOwnership(rule.textOf('ObjectOwnership')?.trim() ?? '')
  checkOwnershipChange(ownership, settingsOf(call).acl)
  return await put(call, documentNames.ownership, ownership)
}

export const deleteBucketOwnershipControls = removing(documentNames.ownership)

export async function getBucketTagging(call: BucketCall): Promise<S3Answer> {
  const text = documentOf(call, documentNames.tags, ['NoSuchTagSet', 'The TagSet does not exist'])
  return tagsAnswer(JSON.parse(text) as Record<string, string>)
}

export async function putBucketTagging(call: BucketCall): Promise<S3Answer> {
  const tags = checkTags(listedTags(await bodyXml(call, 'Tagging')), 'bucket')
  await put(call, documentNames.tags, tagsDocument(tags))
  return { status: 204 }
}

export const deleteBucketTagging = removing(documentNames.tags)

export function tagsAnswer(tags: Readonly<Record<string, string>>): S3Answer {
  const list = Object.entries(tags).map(([key, value]) => element('Tag', leaf('Key', key), leaf('Value', value)))
  return xmlAnswer(xmlDocument('Tagging', element('TagSet', xmlList(list))))
}

/** @throws {S3Error} `MalformedXML` */
export function listedTags(root: XmlElement): Tag[] {
  const set = root.child('TagSet')
  if (root.name !== 'Tagging' || set === undefined) throw malformedXml()
  return tagsOf(set)
}

/** @throws {S3Error} `MalformedXML` */
export function tagsOf(set: XmlElement): Tag[] {
  return set.all('Tag').map((tag) => {
    const [key, value] = [tag.textOf('Key'), tag.textOf('Value')]
    if (key === undefined || value === undefined) throw malformedXml()
    return { key, value }
  })
}

export function tagsDocument(tags: ReadonlyMap<string, string>): string {
  return JSON.stringify(Object.fromEntries(tags))
}

export async function getBucketCors(call: BucketCall): Promise<S3Answer> {
  const rules = corsRulesOf(call.bucket)
  if (rules === undefined) {
    throw new S3Error('NoSuchCORSConfiguration', 'The CORS configuration does not exist', {
      details: { BucketName: call.bucket.name },
    })
  }
  const texts = (name: string, values: readonly string[]): Xml => xmlList(values.map((value) => leaf(name, value)))
  return xmlAnswer(
    xmlDocument(
      'CORSConfiguration',
      ...rules.map((rule) =>
        element(
          'CORSRule',
          leaf('ID', rule.id),
          texts('AllowedHeader', rule.allowedHeaders),
          texts('AllowedMethod', rule.allowedMethods),
          texts('AllowedOrigin', rule.allowedOrigins),
          texts('ExposeHeader', rule.exposeHeaders),
          leaf('MaxAgeSeconds', rule.maxAgeSeconds),
        ),
      ),
    ),
  )
}

export async function putBucketCors(call: BucketCall): Promise<S3Answer> {
  const root = await bodyXml(call, 'CORSConfiguration')
  const texts = (rule: XmlElement, name: string) => rule.all(name).map(({ text }) => text.trim())
  const rules = root.all('CORSRule').map((rule): RawCorsRule => {
    const [id, maxAgeSeconds] = [rule.textOf('ID'), rule.textOf('MaxAgeSeconds')?.trim()]
    return {
      allowedHeaders: texts(rule, 'AllowedHeader'),
      allowedMethods: texts(rule, 'AllowedMethod'),
      allowedOrigins: texts(rule, 'AllowedOrigin'),
      exposeHeaders: texts(rule, 'ExposeHeader'),
      ...(id === undefined ? {} : { id }),
      ...(maxAgeSeconds === undefined ? {} : { maxAgeSeconds }),
    }
  })
  return await put(call, documentNames.cors, JSON.stringify(checkCorsRules(rules)))
}

export const deleteBucketCors = removing(documentNames.cors)

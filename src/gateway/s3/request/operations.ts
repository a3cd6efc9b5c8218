/**
 * Which operation of S3 a request asks for: from its method, what it names, and its subresource.
 *
 * A subresource that is not known here is `NotImplemented`: it never falls through to the operation without it, which
 * would answer, or overwrite, an object where something else was asked for.
 * @module
 */
import { S3Error } from '../rules/s3-error.ts'
import type { S3Request } from './s3-request.ts'

const bucketReads = {
  accelerate: 'GetBucketAccelerateConfiguration',
  acl: 'GetBucketAcl',
  cors: 'GetBucketCors',
  encryption: 'GetBucketEncryption',
  lifecycle: 'GetBucketLifecycleConfiguration',
  location: 'GetBucketLocation',
  logging: 'GetBucketLogging',
  notification: 'GetBucketNotificationConfiguration',
  'object-lock': 'GetObjectLockConfiguration',
  ownershipControls: 'GetBucketOwnershipControls',
  policy: 'GetBucketPolicy',
  policyStatus: 'GetBucketPolicyStatus',
  publicAccessBlock: 'GetPublicAccessBlock',
  replication: 'GetBucketReplication',
  requestPayment: 'GetBucketRequestPayment',
  tagging: 'GetBucketTagging',
  uploads: 'ListMultipartUploads',
  versioning: 'GetBucketVersioning',
  versions: 'ListObjectVersions',
  website: 'GetBucketWebsite',
} as const

const bucketWrites = {
  accelerate: 'PutBucketAccelerateConfiguration',
  acl: 'PutBucketAcl',
  cors: 'PutBucketCors',
  encryption: 'PutBucketEncryption',
  lifecycle: 'PutBucketLifecycleConfiguration',
  logging: 'PutBucketLogging',
  notification: 'PutBucketNotificationConfiguration',
  'object-lock': 'PutObjectLockConfiguration',
  ownershipControls: 'PutBucketOwnershipControls',
  policy: 'PutBucketPolicy',
  publicAccessBlock: 'PutPublicAccessBlock',
  replication: 'PutBucketReplication',
  requestPayment: 'PutBucketRequestPayment',
  tagging: 'PutBucketTagging',
  versioning: 'PutBucketVersioning',
  website: 'PutBucketWebsite',
} as const

const bucketRemovals = {
  cors: 'DeleteBucketCors',
  encryption: 'DeleteBucketEncryption',
  lifecycle: 'DeleteBucketLifecycle',
  ownershipControls: 'DeleteBucketOwnershipControls',
  policy: 'DeleteBucketPolicy',
  publicAccessBlock: 'DeletePublicAccessBlock',
  replication: 'DeleteBucketReplication',
  tagging: 'DeleteBucketTagging',
  website: 'DeleteBucketWebsite',
} as const

const objectReads = {
  acl: 'GetObjectAcl',
  attributes: 'GetObjectAttributes',
  'legal-hold': 'GetObjectLegalHold',
  retention: 'GetObjectRetention',
  tagging: 'GetObjectTagging',
  uploadId: 'ListParts',
} as const

const objectWrites = {
  acl: 'PutObjectAcl',
  'legal-hold': 'PutObjectLegalHold',
  retention: 'PutObjectRetention',
  tagging: 'PutObjectTagging',
} as const

const objectRemovals = { tagging: 'DeleteObjectTagging', uploadId: 'AbortMultipartUpload' } as const
const objectPosts = { uploads: 'CreateMultipartUpload', uploadId: 'CompleteMultipartUpload' } as const

type Values<T> = T[keyof T]

export type OperationName =
  | Values<typeof bucketReads>
  | Values<typeof bucketWrites>
  | Values<typeof bucketRemovals>
  | Values<typeof objectReads>
  | Values<typeof objectWrites>
  | Values<typeof objectRemovals>
  | Values<typeof objectPosts>
  | 'ListBuckets'
  | 'ExplainDeny'
  | 'CreateBucket'
  | 'HeadBucket'
  | 'DeleteBucket'
  | 'ListObjects'
  | 'ListObjectsV2'
  | 'DeleteObjects'
  | 'PostObject'
  | 'GetObject'
  | 'HeadObject'
  | 'PutObject'
  | 'CopyObject'
  | 'DeleteObject'
  | 'UploadPart'
  | 'UploadPartCopy'
  | 'Preflight'

/** Parameters that narrow an operation and never choose one. Those of signatures and `response-*` besides. */
const modifiers = new Set(
  [
    'prefix delimiter marker max-keys encoding-type list-type start-after continuation-token fetch-owner key-marker',
    'version-id-marker upload-id-marker max-uploads max-parts part-number-marker max-buckets bucket-region partNumber',
    'versionId x-id AWSAccessKeyId Signature Expires allow-unordered',
  ].flatMap((line) => line.split(' ')),
)

/** @throws {S3Error} `NotImplemented`, `MethodNotAllowed` */
export function operationOf(request: S3Request): OperationName {
  if (request.method === 'OPTIONS') return 'Preflight'
  if (request.bucket === undefined) return serviceOperation(request)
  return request.key === undefined ? bucketOperation(request) : objectOperation(request)
}

function serviceOperation(request: S3Request): OperationName {
  if (request.method === 'GET') {
    return chosenSubresource(request, { 'explain-deny': 'ExplainDeny' as const }) ?? 'ListBuckets'
  }
  throw methodNotAllowed(request.method, 'SERVICE')
}

function bucketOperation(request: S3Request): OperationName {
  switch (request.method) {
    case 'GET':
      return (
        chosenSubresource(request, bucketReads) ??
        (request.query.get('list-type') === '2' ? 'ListObjectsV2' : 'ListObjects')
      )
    case 'HEAD':
      return chosenSubresource(request, {}) ?? 'HeadBucket'
    case 'PUT':
      return chosenSubresource(request, bucketWrites) ?? 'CreateBucket'
    case 'DELETE':
      return chosenSubresource(request, bucketRemovals) ?? 'DeleteBucket'
    case 'POST':
      return chosenSubresource(request, { delete: 'DeleteObjects' as const }) ?? 'PostObject'
    default:
      throw methodNotAllowed(request.method, 'BUCKET')
  }
}

function objectOperation(request: S3Request): OperationName {
  const isCopy = request.headers.has('x-amz-copy-source')
  switch (request.method) {
    case 'GET':
      return chosenSubresource(request, objectReads) ?? 'GetObject'
    case 'HEAD':
      return chosenSubresource(request, {}) ?? 'HeadObject'
    case 'PUT': {
      const part = isCopy ? ('UploadPartCopy' as const) : ('UploadPart' as const)
      const plain = isCopy ? 'CopyObject' : 'PutObject'
      return chosenSubresource(request, { ...objectWrites, uploadId: part }) ?? plain
    }
    case 'DELETE':
      return chosenSubresource(request, objectRemovals) ?? 'DeleteObject'
    case 'POST': {
      const operation = chosenSubresource(request, objectPosts)
      if (operation !== undefined) return operation
      throw methodNotAllowed(request.method, 'OBJECT')
    }
    default:
      throw methodNotAllowed(request.method, 'OBJECT')
  }
}

function chosenSubresource<T extends OperationName>(
  { query }: S3Request,
  known: Readonly<Record<string, T>>,
): T | undefined {
  let chosen: T | undefined
  for (const [name, value] of query.pairs) {
    const operation = Object.hasOwn(known, name) ? known[name] : undefined
    if (operation !== undefined) chosen ??= operation
    else if (value === '' ? !isModifier(name) : knownElsewhere.has(name)) throw notImplemented(name)
  }
  return chosen
}

function isModifier(name: string): boolean {
  return modifiers.has(name) || /^(?:x-amz-|response-)/i.test(name)
}

/** Subresources that choose another operation even with a value. */
const knownElsewhere = new Set([
  ...[bucketReads, bucketWrites, bucketRemovals, objectReads, objectWrites, objectPosts].flatMap((table) =>
    Object.keys(table),
  ),
  ...'analytics append intelligent-tiering inventory metadataTable metrics restore select session torrent'.split(' '),
])

function notImplemented(name: string): S3Error {
  return new S3Error(
    'NotImplemented',
    `A parameter you provided implies functionality that is not implemented: ${name}`,
  )
}

function methodNotAllowed(method: string, resourceType: string): S3Error {
  return new S3Error('MethodNotAllowed', 'The specified method is not allowed against this resource.', {
    details: { Method: method, ResourceType: resourceType },
  })
}

/**
 * The name of an operation in an access log: `REST.GET.OBJECT`, what tools that read S3's logs look for.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html
 * @module
 */

const prefix = /^(?:Get|Put|Delete)(?:Bucket|Object)?/

/** Where the operation's own name does not lead to it. */
const resources: Readonly<Record<string, string>> = {
  ...{ ListBuckets: 'SERVICE', CreateBucket: 'BUCKET', HeadBucket: 'BUCKET', DeleteBucket: 'BUCKET' },
  ...{ ListObjects: 'BUCKET', ListObjectsV2: 'BUCKET', ListObjectVersions: 'BUCKETVERSIONS' },
  ...{ GetBucketPolicy: 'BUCKETPOLICY', PutBucketPolicy: 'BUCKETPOLICY', DeleteBucketPolicy: 'BUCKETPOLICY' },
  ...{ GetBucketLogging: 'LOGGING_STATUS', PutBucketLogging: 'LOGGING_STATUS' },
  ...{ GetObject: 'OBJECT', HeadObject: 'OBJECT', PutObject: 'OBJECT', DeleteObject: 'OBJECT', PostObject: 'OBJECT' },
  ...{ CopyObject: 'OBJECT', UploadPart: 'PART', UploadPartCopy: 'PART', DeleteObjects: 'MULTI_OBJECT_DELETE' },
  ...{ CreateMultipartUpload: 'UPLOADS', ListMultipartUploads: 'UPLOADS' },
  ...{ CompleteMultipartUpload: 'UPLOAD', AbortMultipartUpload: 'UPLOAD', ListParts: 'UPLOAD' },
  ...{ GetObjectTagging: 'OBJECT_TAGGING', PutObjectTagging: 'OBJECT_TAGGING', DeleteObjectTagging: 'OBJECT_TAGGING' },
  ...{ GetObjectAttributes: 'OBJECT_ATTRIBUTES' },
  ...{ GetObjectRetention: 'OBJECT_LOCK_RETENTION', PutObjectRetention: 'OBJECT_LOCK_RETENTION' },
  ...{ GetObjectLegalHold: 'OBJECT_LOCK_LEGALHOLD', PutObjectLegalHold: 'OBJECT_LOCK_LEGALHOLD' },
  ...{
    GetObjectLockConfiguration: 'OBJECT_LOCK_CONFIGURATION',
    PutObjectLockConfiguration: 'OBJECT_LOCK_CONFIGURATION',
  },
  Preflight: 'PREFLIGHT',
}

/** @param operation as the door names it: `GetBucketPublicAccessBlock` is `REST.GET.PUBLIC_ACCESS_BLOCK` */
export function loggedOperation(operation: string, method: string): string {
  const verb = operation.endsWith('Copy') || operation === 'CopyObject' ? 'COPY' : method
  return `REST.${verb}.${resources[operation] ?? inCapitals(operation.replace(prefix, ''))}`
}

/** `LifecycleConfiguration` is `LIFECYCLE`. */
function inCapitals(name: string): string {
  return name
    .replace(/Configuration$/, '')
    .replace(/(?<=[a-z])(?=[A-Z])/g, '_')
    .toUpperCase()
}

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loggedOperation } from './logged-operation.ts'

test('loggedOperation() has the names of S3’s own logs', () => {
  for (const [method, operation, name] of [
    ['GET', 'GetObject', 'REST.GET.OBJECT'],
    ['PUT', 'CopyObject', 'REST.COPY.OBJECT'],
    ['PUT', 'UploadPartCopy', 'REST.COPY.PART'],
    ['PUT', 'UploadPart', 'REST.PUT.PART'],
    ['POST', 'CreateMultipartUpload', 'REST.POST.UPLOADS'],
    ['DELETE', 'AbortMultipartUpload', 'REST.DELETE.UPLOAD'],
    ['POST', 'DeleteObjects', 'REST.POST.MULTI_OBJECT_DELETE'],
    ['GET', 'ListObjectsV2', 'REST.GET.BUCKET'],
    ['GET', 'GetBucketLogging', 'REST.GET.LOGGING_STATUS'],
    ['PUT', 'PutBucketLifecycleConfiguration', 'REST.PUT.LIFECYCLE'],
    ['DELETE', 'DeleteBucketLifecycle', 'REST.DELETE.LIFECYCLE'],
    ['GET', 'GetBucketPolicyStatus', 'REST.GET.POLICY_STATUS'],
    ['GET', 'GetPublicAccessBlock', 'REST.GET.PUBLIC_ACCESS_BLOCK'],
    ['GET', 'GetBucketRequestPayment', 'REST.GET.REQUEST_PAYMENT'],
    ['GET', 'GetBucketTagging', 'REST.GET.TAGGING'],
    ['PUT', 'PutObjectTagging', 'REST.PUT.OBJECT_TAGGING'],
    ['PUT', 'PutObjectAcl', 'REST.PUT.ACL'],
    ['PUT', 'PutBucketAcl', 'REST.PUT.ACL'],
    ['GET', 'GetObjectRetention', 'REST.GET.OBJECT_LOCK_RETENTION'],
  ] as const) {
    assert.equal(loggedOperation(operation, method), name)
  }
})

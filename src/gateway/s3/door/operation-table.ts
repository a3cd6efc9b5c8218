/** Every operation that is there. What is routed and not in this table is `NotImplemented`. @module */

import { getBucketAcl, getObjectAcl, putBucketAcl, putObjectAcl } from '../operations/acl-operations.ts'
import { deleteBucketEncryption, getBucketEncryption, putBucketEncryption } from '../operations/bucket-encryption.ts'
import {
  createBucket,
  deleteBucket,
  getBucketLocation,
  headBucket,
  listBuckets,
} from '../operations/bucket-operations.ts'
import * as settings from '../operations/bucket-settings-operations.ts'
import { getBucketVersioning, putBucketVersioning } from '../operations/bucket-versioning.ts'
import { completeMultipartUpload } from '../operations/complete-upload.ts'
import { copyObject } from '../operations/copy-object.ts'
import { deleteObject, deleteObjects } from '../operations/delete-objects.ts'
import { explainDeny } from '../operations/explain-deny.ts'
import { deleteBucketLifecycle, getBucketLifecycle, putBucketLifecycle } from '../operations/lifecycle-operations.ts'
import { listObjects, listObjectsV2 } from '../operations/list-objects.ts'
import { listObjectVersions } from '../operations/list-versions.ts'
import {
  getBucketLogging,
  getBucketNotification,
  putBucketLogging,
  putBucketNotification,
} from '../operations/notification-operations.ts'
import { getObjectAttributes } from '../operations/object-attributes.ts'
import * as locks from '../operations/object-lock-operations.ts'
import { deleteObjectTagging, getObjectTagging, putObjectTagging } from '../operations/object-tagging.ts'
import { postObject } from '../operations/post-object.ts'
import { preflight } from '../operations/preflight.ts'
import { answerProbe, probedOperations } from '../operations/probe-answers.ts'
import { putObject } from '../operations/put-object.ts'
import { getObject, headObject } from '../operations/read-object.ts'
import {
  abortMultipartUpload,
  createMultipartUpload,
  listMultipartUploads,
  listParts,
} from '../operations/upload-operations.ts'
import { uploadPart, uploadPartCopy } from '../operations/upload-part.ts'
import type { OperationName } from '../request/operations.ts'
import type { BucketCall, ObjectCall, S3Call, S3Operation } from './s3-call.ts'

type Table<Call extends S3Call> = Partial<Record<OperationName, S3Operation<Call>>>

/** No bucket needs to be there. */
export const serviceOperations: Table<S3Call> = {
  CreateBucket: createBucket,
  ExplainDeny: explainDeny,
  ListBuckets: listBuckets,
  Preflight: preflight,
}

export const bucketOperations: Table<BucketCall> = {
  DeleteBucket: deleteBucket,
  DeleteObjects: deleteObjects,
  GetBucketLocation: getBucketLocation,
  GetBucketLogging: getBucketLogging,
  GetBucketNotificationConfiguration: getBucketNotification,
  PutBucketLogging: putBucketLogging,
  PutBucketNotificationConfiguration: putBucketNotification,
  HeadBucket: headBucket,
  ListMultipartUploads: listMultipartUploads,
  ListObjects: listObjects,
  ListObjectsV2: listObjectsV2,
  ListObjectVersions: listObjectVersions,
  ...Object.fromEntries(probedOperations.map((name) => [name, answerProbe])),
  DeleteBucketCors: settings.deleteBucketCors,
  DeleteBucketEncryption: deleteBucketEncryption,
  DeleteBucketOwnershipControls: settings.deleteBucketOwnershipControls,
  DeleteBucketPolicy: settings.deleteBucketPolicy,
  DeleteBucketTagging: settings.deleteBucketTagging,
  DeletePublicAccessBlock: settings.deletePublicAccessBlock,
  GetBucketAcl: getBucketAcl,
  GetBucketCors: settings.getBucketCors,
  GetBucketEncryption: getBucketEncryption,
  GetBucketOwnershipControls: settings.getBucketOwnershipControls,
  GetBucketPolicy: settings.getBucketPolicy,
  GetBucketPolicyStatus: settings.getBucketPolicyStatus,
  GetBucketTagging: settings.getBucketTagging,
  GetPublicAccessBlock: settings.getPublicAccessBlock,
  DeleteBucketLifecycle: deleteBucketLifecycle,
  GetBucketLifecycleConfiguration: getBucketLifecycle,
  GetBucketVersioning: getBucketVersioning,
  PutBucketLifecycleConfiguration: putBucketLifecycle,
  GetObjectLockConfiguration: locks.getObjectLockConfiguration,
  PutBucketVersioning: putBucketVersioning,
  PutObjectLockConfiguration: locks.putObjectLockConfiguration,
  PostObject: postObject,
  PutBucketAcl: putBucketAcl,
  PutBucketCors: settings.putBucketCors,
  PutBucketEncryption: putBucketEncryption,
  PutBucketOwnershipControls: settings.putBucketOwnershipControls,
  PutBucketPolicy: settings.putBucketPolicy,
  PutBucketTagging: settings.putBucketTagging,
  PutPublicAccessBlock: settings.putPublicAccessBlock,
}

export const objectOperations: Table<ObjectCall> = {
  AbortMultipartUpload: abortMultipartUpload,
  CompleteMultipartUpload: completeMultipartUpload,
  CopyObject: copyObject,
  CreateMultipartUpload: createMultipartUpload,
  DeleteObject: deleteObject,
  DeleteObjectTagging: deleteObjectTagging,
  GetObject: getObject,
  GetObjectAcl: getObjectAcl,
  GetObjectAttributes: getObjectAttributes,
  GetObjectTagging: getObjectTagging,
  GetObjectLegalHold: locks.getObjectLegalHold,
  GetObjectRetention: locks.getObjectRetention,
  PutObjectLegalHold: locks.putObjectLegalHold,
  PutObjectRetention: locks.putObjectRetention,
  HeadObject: headObject,
  ListParts: listParts,
  PutObject: putObject,
  PutObjectAcl: putObjectAcl,
  PutObjectTagging: putObjectTagging,
  UploadPart: uploadPart,
  UploadPartCopy: uploadPartCopy,
}

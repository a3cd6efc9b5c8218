/** Every operation that is there. What is routed and not in this table is `NotImplemented`. @module */
import {
  createBucket,
  deleteBucket,
  getBucketLocation,
  headBucket,
  listBuckets,
} from '../operations/bucket-operations.ts'
import { completeMultipartUpload } from '../operations/complete-upload.ts'
import { copyObject } from '../operations/copy-object.ts'
import { deleteObject, deleteObjects } from '../operations/delete-objects.ts'
import { listObjects, listObjectsV2, listObjectVersions } from '../operations/list-objects.ts'
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
export const serviceOperations: Table<S3Call> = { CreateBucket: createBucket, ListBuckets: listBuckets }

export const bucketOperations: Table<BucketCall> = {
  DeleteBucket: deleteBucket,
  DeleteObjects: deleteObjects,
  GetBucketLocation: getBucketLocation,
  HeadBucket: headBucket,
  ListMultipartUploads: listMultipartUploads,
  ListObjects: listObjects,
  ListObjectsV2: listObjectsV2,
  ListObjectVersions: listObjectVersions,
  ...Object.fromEntries(probedOperations.map((name) => [name, answerProbe])),
}

export const objectOperations: Table<ObjectCall> = {
  AbortMultipartUpload: abortMultipartUpload,
  CompleteMultipartUpload: completeMultipartUpload,
  CopyObject: copyObject,
  CreateMultipartUpload: createMultipartUpload,
  DeleteObject: deleteObject,
  GetObject: getObject,
  HeadObject: headObject,
  ListParts: listParts,
  PutObject: putObject,
  UploadPart: uploadPart,
  UploadPartCopy: uploadPartCopy,
}

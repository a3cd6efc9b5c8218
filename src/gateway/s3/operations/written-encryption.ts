/** The encryption that a new object gets: from the request, or from its bucket. @module */
import type { BucketCall } from '../door/s3-call.ts'
import { newEncryption, type OpenEncryption } from '../encryption/object-encryption.ts'
import {
  type DefaultEncryption,
  type RequestedEncryption,
  requestedEncryption,
} from '../encryption/requested-encryption.ts'
import { documentNames, parsedDocument } from '../store/bucket-settings.ts'
import type { Bucket } from '../store/buckets.ts'

/** Undefined: none was set. */
export function defaultEncryption(bucket: Bucket): DefaultEncryption | undefined {
  return parsedDocument(bucket, documentNames.encryption, (text) => JSON.parse(text) as DefaultEncryption)
}

type Call = Pick<BucketCall, 'services' | 'request' | 'bucket'>

/** @throws {S3Error} `InvalidArgument`, `NotImplemented` */
export function encryptionAsked({ services, request, bucket }: Call): RequestedEncryption | undefined {
  const { kmsKeyIds } = services.encryption
  return requestedEncryption(request.headers, { bucketDefault: defaultEncryption(bucket), kmsKeyIds })
}

/** Under a data key of its own. @throws as {@link encryptionAsked} */
export function writtenEncryption(call: Call): OpenEncryption | undefined {
  return newEncryption(encryptionAsked(call), call.services.encryption)
}

/**
 * Which names a bucket may have: those of S3's general purpose buckets, which are also DNS labels.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
 * @module
 */
import { S3Error } from './s3-error.ts'

const form = /^[a-z0-9](?:[a-z0-9]|[.-](?![.-])|-(?=-))*[a-z0-9]$/
const ipAddress = /^\d+\.\d+\.\d+\.\d+$/
const reservedPrefixes = ['xn--', 'sthree-', 'amzn-s3-demo-']
const reservedSuffixes = ['-s3alias', '--ol-s3', '.mrap', '--x-s3', '--table-s3']

/** Whether a bucket may be made with this name. */
export function isBucketName(name: string): boolean {
  return (
    name.length >= 3 &&
    name.length <= 63 &&
    form.test(name) &&
    !ipAddress.test(name) &&
    !reservedPrefixes.some((prefix) => name.startsWith(prefix)) &&
    !reservedSuffixes.some((suffix) => name.endsWith(suffix))
  )
}

/** @throws {S3Error} `InvalidBucketName` */
export function checkBucketName(name: string): void {
  if (isBucketName(name)) return
  throw new S3Error('InvalidBucketName', 'The specified bucket is not valid.', { details: { BucketName: name } })
}

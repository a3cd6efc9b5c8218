/** What is said of a body that ended too early. @module */
import { S3Error } from '../rules/s3-error.ts'

export function incompleteBody(cause?: unknown): S3Error {
  return new S3Error(
    'IncompleteBody',
    'You did not provide the number of bytes specified by the Content-Length HTTP header',
    { cause },
  )
}

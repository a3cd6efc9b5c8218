/**
 * What a bucket without configurations answers to whoever asks for them: each as S3 does for a bucket where nothing was set.
 * @module
 */
import { type S3Answer, xmlAnswer } from '../door/s3-answer.ts'
import type { BucketCall } from '../door/s3-call.ts'
import type { OperationName } from '../request/operations.ts'
import { S3Error, type S3ErrorCode } from '../rules/s3-error.ts'
import { leaf, xmlDocument } from '../xml/write-xml.ts'

const emptyDocuments: Partial<Record<OperationName, string>> = {
  GetBucketAccelerateConfiguration: 'AccelerateConfiguration',
}

const absences: Partial<Record<OperationName, readonly [S3ErrorCode, string]>> = {
  GetBucketLifecycleConfiguration: ['NoSuchLifecycleConfiguration', 'The lifecycle configuration does not exist'],
}

export async function answerProbe({ operation, bucket }: BucketCall): Promise<S3Answer> {
  const name = emptyDocuments[operation]
  if (name !== undefined) return xmlAnswer(xmlDocument(name))
  if (operation === 'GetBucketRequestPayment') {
    return xmlAnswer(xmlDocument('RequestPaymentConfiguration', leaf('Payer', 'BucketOwner')))
  }
  const [code, message] = absences[operation] ?? (['NotImplemented', 'This is not implemented.'] as const)
  throw new S3Error(code, message, { details: { BucketName: bucket.name } })
}

export const probedOperations = [
  ...Object.keys(emptyDocuments),
  ...Object.keys(absences),
  'GetBucketRequestPayment',
] as readonly OperationName[]

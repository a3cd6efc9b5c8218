/**
 * What a bucket without configurations answers to whoever asks for them: each as S3 does for a bucket where nothing was set.
 * @module
 */
import { type S3Answer, xmlAnswer } from '../door/s3-answer.ts'
import type { BucketCall } from '../door/s3-call.ts'
import type { OperationName } from '../request/operations.ts'
import { S3Error } from '../rules/s3-error.ts'
import { leaf, xmlDocument } from '../xml/write-xml.ts'

const emptyDocuments: Partial<Record<OperationName, string>> = {
  GetBucketAccelerateConfiguration: 'AccelerateConfiguration',
}

export async function answerProbe({ operation, bucket }: BucketCall): Promise<S3Answer> {
  const name = emptyDocuments[operation]
  if (name !== undefined) return xmlAnswer(xmlDocument(name))
  if (operation === 'GetBucketRequestPayment') {
    return xmlAnswer(xmlDocument('RequestPaymentConfiguration', leaf('Payer', 'BucketOwner')))
  }
  throw new S3Error('NotImplemented', 'This is not implemented.', { details: { BucketName: bucket.name } })
}

export const probedOperations = [...Object.keys(emptyDocuments), 'GetBucketRequestPayment'] as readonly OperationName[]

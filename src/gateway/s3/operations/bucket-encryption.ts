/** The encryption that a bucket gives to objects whose writers ask for none: put, told and removed. @module */
import { type S3Answer, xmlAnswer } from '../door/s3-answer.ts'
import type { BucketCall } from '../door/s3-call.ts'
import { type DefaultEncryption, knownKmsKey } from '../encryption/requested-encryption.ts'
import { S3Error } from '../rules/s3-error.ts'
import { documentNames } from '../store/bucket-settings.ts'
import { malformedXml, parseXml } from '../xml/parse-xml.ts'
import { element, leaf, xmlDocument } from '../xml/write-xml.ts'
import { defaultEncryption } from './written-encryption.ts'

const documentBytes = 64 * 1024
const rootName = 'ServerSideEncryptionConfiguration'

export async function getBucketEncryption({ bucket }: BucketCall): Promise<S3Answer> {
  const found = defaultEncryption(bucket)
  if (found === undefined) {
    throw new S3Error(
      'ServerSideEncryptionConfigurationNotFoundError',
      'The server side encryption configuration was not found',
      { details: { BucketName: bucket.name } },
    )
  }
  return xmlAnswer(
    xmlDocument(
      rootName,
      element(
        'Rule',
        element(
          'ApplyServerSideEncryptionByDefault',
          leaf('SSEAlgorithm', found.mode),
          leaf('KMSMasterKeyID', found.mode === 'aws:kms' ? found.kmsKeyId : undefined),
        ),
        leaf('BucketKeyEnabled', false),
      ),
    ),
  )
}

export async function putBucketEncryption({ services, bucket, openBody, signal }: BucketCall): Promise<S3Answer> {
  const root = parseXml(await openBody(documentBytes).whole())
  const rules = root.all('Rule')
  const byDefault = rules[0]?.child('ApplyServerSideEncryptionByDefault')
  if (root.name !== rootName || rules.length !== 1 || byDefault === undefined) throw malformedXml()
  const algorithm = byDefault.textOf('SSEAlgorithm')?.trim()
  const keyId = byDefault.textOf('KMSMasterKeyID')?.trim()
  const chosen = chosenDefault(algorithm, keyId, services.encryption)
  if (services.encryption.ring.newest === undefined) {
    throw new S3Error('NotImplemented', 'This cluster has no key to encrypt under.')
  }
  await services.buckets.putDocument(bucket.name, {
    name: documentNames.encryption,
    text: JSON.stringify(chosen),
    signal,
  })
  return { status: 200 }
}

function chosenDefault(
  algorithm: string | undefined,
  keyId: string | undefined,
  { kmsKeyIds }: BucketCall['services']['encryption'],
): DefaultEncryption {
  if (algorithm === 'AES256') {
    if (keyId === undefined || keyId === '') return { mode: algorithm }
    throw new S3Error(
      'InvalidArgument',
      'a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms',
    )
  }
  if (algorithm === 'aws:kms') return { mode: algorithm, kmsKeyId: knownKmsKey(keyId, kmsKeyIds) }
  if (algorithm === 'aws:kms:dsse')
    throw new S3Error('NotImplemented', `Encryption by ${algorithm} is not implemented.`)
  throw malformedXml()
}

export async function deleteBucketEncryption({ services, bucket, signal }: BucketCall): Promise<S3Answer> {
  await services.buckets.removeDocument(bucket.name, { name: documentNames.encryption, signal })
  return { status: 204 }
}

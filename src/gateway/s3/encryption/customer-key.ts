/**
 * The key that a customer sends along (SSE-C): checked against its MD5, used, and forgotten. It is never kept, and no message holds it.
 * @module
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { RequestHeaders } from '../request/request-headers.ts'
import { S3Error } from '../rules/s3-error.ts'
import { keyBytes } from './stream-key.ts'

export interface CustomerKey {
  readonly key: Buffer
  /** Base64, as answers repeat it. */
  readonly keyMd5: string
}

/** Which object of a request the headers speak of. */
export type KeyOf = 'object' | 'copy-source'

const prefixes: Readonly<Record<KeyOf, string>> = {
  object: 'x-amz-server-side-encryption-customer-',
  'copy-source': 'x-amz-copy-source-server-side-encryption-customer-',
}
const headersOf = { object: namesOf('object'), 'copy-source': namesOf('copy-source') }

function namesOf(of: KeyOf) {
  const prefix = prefixes[of]
  return { algorithm: `${prefix}algorithm`, key: `${prefix}key`, keyMd5: `${prefix}key-md5` }
}

/** Undefined: no header speaks of one. @throws {S3Error} `InvalidArgument`, `InvalidEncryptionAlgorithmError` */
export function customerKeyOf(headers: RequestHeaders, of: KeyOf = 'object'): CustomerKey | undefined {
  const names = headersOf[of]
  const algorithm = headers.get(names.algorithm)
  const keyText = headers.get(names.key)
  const keyMd5 = headers.get(names.keyMd5)
  if (algorithm === undefined && keyText === undefined && keyMd5 === undefined) return undefined
  if (algorithm === undefined) throw refused('must provide a valid encryption algorithm.')
  if (algorithm !== 'AES256') {
    throw new S3Error(
      'InvalidEncryptionAlgorithmError',
      'The encryption request you specified is not valid. The valid value is AES256.',
    )
  }
  if (keyText === undefined) throw refused('must provide an appropriate secret key.')
  if (keyMd5 === undefined) throw refused('must provide the client calculated MD5 of the secret key.')
  const key = Buffer.from(keyText, 'base64')
  if (key.length !== keyBytes || key.toString('base64') !== keyText) {
    throw new S3Error('InvalidArgument', 'The secret key was invalid for the specified algorithm.')
  }
  const given = Buffer.from(keyMd5)
  const computed = Buffer.from(createHash('md5').update(key).digest('base64'))
  if (given.length !== computed.length || !timingSafeEqual(given, computed)) {
    throw new S3Error('InvalidArgument', 'The calculated MD5 hash of the key did not match the hash that was provided.')
  }
  return { key, keyMd5 }
}

function refused(state: string): S3Error {
  return new S3Error(
    'InvalidArgument',
    `Requests specifying Server Side Encryption with Customer provided keys ${state}`,
  )
}

/** Which encryption a write asks for: by its headers, else by the bucket's default. @module */
import type { RequestHeaders } from '../request/request-headers.ts'
import { S3Error } from '../rules/s3-error.ts'
import { type CustomerKey, customerKeyOf } from './customer-key.ts'

export type RequestedEncryption =
  | { readonly mode: 'AES256' }
  | { readonly mode: 'aws:kms'; readonly kmsKeyId: string }
  | ({ readonly mode: 'customer' } & CustomerKey)

/** What a bucket does with objects whose writer asked for nothing. */
export type DefaultEncryption = Exclude<RequestedEncryption, { readonly mode: 'customer' }>

const modeHeader = 'x-amz-server-side-encryption'
const kmsPrefix = 'x-amz-server-side-encryption-aws-kms-'
const contextHeader = 'x-amz-server-side-encryption-context'

export interface RequestedOptions {
  readonly bucketDefault: DefaultEncryption | undefined
  /** Names that keys have here. None: there is no key service. */
  readonly kmsKeyIds: readonly string[]
}

/** @throws {S3Error} `InvalidArgument`, `NotImplemented` */
export function requestedEncryption(
  headers: RequestHeaders,
  { bucketDefault, kmsKeyIds }: RequestedOptions,
): RequestedEncryption | undefined {
  const customerKey = customerKeyOf(headers)
  const mode = headers.get(modeHeader)
  const kmsKeyId = headers.get(`${kmsPrefix}key-id`)
  if (customerKey !== undefined) {
    if (mode !== undefined || kmsKeyId !== undefined) {
      throw refused(
        'Server Side Encryption with Customer provided key is incompatible with the encryption method specified',
        mode,
      )
    }
    return { mode: 'customer', ...customerKey }
  }
  if (kmsKeyId !== undefined && mode !== 'aws:kms') {
    throw refused('The encryption method specified is not supported with a key of a key service', mode)
  }
  if (mode === undefined) return bucketDefault
  if (mode === 'AES256') return { mode }
  if (mode === 'aws:kms') return { mode, kmsKeyId: checkKmsKey(kmsKeyId, { kmsKeyIds, headers }) }
  if (mode === 'aws:kms:dsse') throw new S3Error('NotImplemented', `Encryption by ${mode} is not implemented.`)
  throw refused('The encryption method specified is not supported', mode)
}

function checkKmsKey(
  kmsKeyId: string | undefined,
  { kmsKeyIds, headers }: { readonly kmsKeyIds: readonly string[]; readonly headers: RequestHeaders },
): string {
  if (headers.has(contextHeader)) {
    throw new S3Error('NotImplemented', 'An encryption context is not implemented.', {
      details: { Header: contextHeader },
    })
  }
  return knownKmsKey(kmsKeyId, kmsKeyIds)
}

/** @throws {S3Error} `NotImplemented` — no key service here; `InvalidArgument` — not one of its keys */
export function knownKmsKey(kmsKeyId: string | undefined, kmsKeyIds: readonly string[]): string {
  if (kmsKeyIds.length === 0) {
    throw new S3Error('NotImplemented', 'Encryption by aws:kms needs named keys, and this gateway was given none.')
  }
  if (kmsKeyId !== undefined && kmsKeyIds.includes(kmsKeyId)) return kmsKeyId
  throw new S3Error('InvalidArgument', 'The key service has no key of this name.', {
    details: { ArgumentName: `${kmsPrefix}key-id` },
  })
}

/** Reads never ask for one. @throws {S3Error} `InvalidArgument` */
export function refuseRequestedOnRead(headers: RequestHeaders): void {
  if (headers.has(modeHeader))
    throw refused('x-amz-server-side-encryption header is not supported for this operation.', headers.get(modeHeader))
}

function refused(message: string, mode: string | undefined): S3Error {
  return new S3Error('InvalidArgument', message, {
    details: { ArgumentName: modeHeader, ...(mode === undefined ? {} : { ArgumentValue: mode.slice(0, 64) }) },
  })
}

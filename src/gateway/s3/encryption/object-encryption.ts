/**
 * The encryption of an object: what of it is kept, how a new one is made, and how one that is there is opened again.
 *
 *     AES256     the data key is wrapped under a key of the cluster
 *     aws:kms    … under a key that has a name; it is derived from one of the cluster
 *     customer   … under the key that comes with each request (SSE-C)
 *
 * Parts of an upload share the upload's data key: each is a stream of its own (`frames.ts`), so they need nothing else in common.
 * @module
 */
import { createHmac } from 'node:crypto'
import { AshlarError } from '../../../base/errors.ts'
import type { RequestHeaders } from '../request/request-headers.ts'
import { S3Error } from '../rules/s3-error.ts'
import { customerKeyOf, type KeyOf } from './customer-key.ts'
import { unwrapDataKey, wrapDataKey } from './data-key.ts'
import { type KeyRing, namedKey } from './key-ring.ts'
import type { RequestedEncryption } from './requested-encryption.ts'
import { keyBytes } from './stream-key.ts'

/** What is kept of it. */
export interface StoredEncryption {
  readonly mode: 'AES256' | 'aws:kms' | 'customer'
  /** Base64; see `data-key.ts`. */
  readonly wrappedKey: string
  /** Of the cluster's key; undefined: the customer has it. */
  readonly ringKeyId?: string | undefined
  /** Of `aws:kms`. */
  readonly kmsKeyId?: string | undefined
}

/** With an object: its size before it was encrypted. */
export interface ObjectEncryption extends StoredEncryption {
  readonly sizeBytes: number
}

/** In use: never kept, never logged. */
export interface OpenEncryption {
  readonly stored: StoredEncryption
  readonly dataKey: Buffer
  /** Of `customer`: what answers repeat. */
  readonly keyMd5?: string | undefined
}

export interface EncryptionServices {
  readonly ring: KeyRing
  /** Makes cryptographic randomness. */
  readonly random: (length: number) => Uint8Array
}

/** Under a new data key. @throws {S3Error} `NotImplemented` — the cluster has no key */
export function newEncryption(
  requested: RequestedEncryption | undefined,
  services: EncryptionServices,
): OpenEncryption | undefined {
  return requested && wrapped(Buffer.from(services.random(keyBytes)), requested, services)
}

/** The same data key, and so the same bytes, in the way that is asked for. */
export function rewrapped(
  { dataKey }: OpenEncryption,
  requested: RequestedEncryption,
  services: EncryptionServices,
): OpenEncryption {
  return wrapped(dataKey, requested, services)
}

function wrapped(
  dataKey: Buffer,
  requested: RequestedEncryption,
  { ring, random }: EncryptionServices,
): OpenEncryption {
  if (requested.mode === 'customer') {
    const { key, keyMd5 } = requested
    return { stored: { mode: 'customer', wrappedKey: wrapDataKey(dataKey, key, random) }, dataKey, keyMd5 }
  }
  const { newest } = ring
  if (newest === undefined) {
    throw new S3Error(
      'NotImplemented',
      'This cluster has no key to encrypt under: give it one, or encrypt with your own.',
    )
  }
  const { mode } = requested
  const key = mode === 'aws:kms' ? namedKey(newest.key, requested.kmsKeyId) : newest.key
  const named = mode === 'aws:kms' ? { kmsKeyId: requested.kmsKeyId } : {}
  return { stored: { mode, wrappedKey: wrapDataKey(dataKey, key, random), ringKeyId: newest.id, ...named }, dataKey }
}

/**
 * @param stored of an object or an upload that is there; undefined: it is not encrypted
 * @throws {S3Error} `InvalidRequest` — a key is missing, not the right one, or sent where none is needed
 * @throws {AshlarError} `corrupt` — the cluster's key is gone, or what was wrapped under it is damaged
 */
export function openEncryption(
  stored: StoredEncryption | undefined,
  { headers, of = 'object', ring }: { readonly headers: RequestHeaders; readonly of?: KeyOf; readonly ring: KeyRing },
): OpenEncryption | undefined {
  const customerKey = customerKeyOf(headers, of)
  if (stored?.mode !== 'customer') {
    if (customerKey !== undefined) {
      throw new S3Error('InvalidRequest', 'The encryption parameters are not applicable to this object.')
    }
    return stored && openedByCluster(stored, ring)
  }
  if (customerKey === undefined) {
    throw new S3Error(
      'InvalidRequest',
      'The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.',
    )
  }
  const dataKey = unwrapDataKey(stored.wrappedKey, customerKey.key)
  if (dataKey === undefined) {
    throw new S3Error('InvalidRequest', 'The provided encryption parameters did not match the ones used originally.')
  }
  return { stored, dataKey, keyMd5: customerKey.keyMd5 }
}

function openedByCluster(stored: StoredEncryption, ring: KeyRing): OpenEncryption {
  const ringKey = ring.find(stored.ringKeyId)
  if (ringKey === undefined) {
    throw new AshlarError(
      'corrupt',
      `Cannot open the object: it was encrypted under key ${stored.ringKeyId} of the cluster, which this gateway does not have`,
    )
  }
  const key = stored.kmsKeyId === undefined ? ringKey : namedKey(ringKey, stored.kmsKeyId)
  const dataKey = unwrapDataKey(stored.wrappedKey, key)
  if (dataKey === undefined) {
    throw new AshlarError('corrupt', 'Cannot open the object: its wrapped key is not what the cluster wrapped')
  }
  return { stored, dataKey }
}

/**
 * Of bytes with this MD5. Under a customer's key it is no MD5 of theirs: whoever reads the metadata must not be able to tell whether
 * the object holds what he guesses.
 */
export function eTagOf(md5: string, encryption: OpenEncryption | undefined): string {
  if (encryption?.stored.mode !== 'customer') return md5
  return createHmac('sha256', encryption.dataKey).update(`etag ${md5}`).digest('hex').slice(0, 32)
}

/** What answers say of it. */
export function encryptionHeaders(
  encryption: Pick<OpenEncryption, 'stored' | 'keyMd5'> | undefined,
): Record<string, string> {
  if (encryption === undefined) return {}
  const { stored, keyMd5 } = encryption
  if (stored.mode === 'customer') {
    return {
      'x-amz-server-side-encryption-customer-algorithm': 'AES256',
      ...(keyMd5 === undefined ? {} : { 'x-amz-server-side-encryption-customer-key-md5': keyMd5 }),
    }
  }
  return {
    'x-amz-server-side-encryption': stored.mode,
    ...(stored.kmsKeyId === undefined ? {} : { 'x-amz-server-side-encryption-aws-kms-key-id': stored.kmsKeyId }),
  }
}

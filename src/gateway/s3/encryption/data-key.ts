/**
 * Data keys: one of an object, random, kept beside it only wrapped under another key, the customer's or the cluster's.
 *
 *     wrapped: 16 random bytes (salt), AES-256-GCM of the data key, its tag
 *
 * What wraps is derived from that other key and the salt, so it is used once: no nonce comes twice, however many objects a
 * customer encrypts under one key. A wrong key does not open it: nothing of the key needs to be kept to know it again.
 * @module
 */
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import { keyBytes } from './stream-key.ts'

const saltBytes = 16
const tagBytes = 16
const wrappedBytes = saltBytes + keyBytes + tagBytes
const nonce = Buffer.alloc(12)

/** @returns base64 */
export function wrapDataKey(dataKey: Uint8Array, key: Uint8Array, random: (length: number) => Uint8Array): string {
  const salt = random(saltBytes)
  const cipher = createCipheriv('aes-256-gcm', wrappingKey(key, salt), nonce)
  return Buffer.concat([salt, cipher.update(dataKey), cipher.final(), cipher.getAuthTag()]).toString('base64')
}

/** Undefined: it was not wrapped under this key. */
export function unwrapDataKey(wrapped: string, key: Uint8Array): Buffer | undefined {
  const bytes = Buffer.from(wrapped, 'base64')
  if (bytes.length !== wrappedBytes) return undefined
  const decipher = createDecipheriv('aes-256-gcm', wrappingKey(key, bytes.subarray(0, saltBytes)), nonce, {
    authTagLength: tagBytes,
  })
  decipher.setAuthTag(bytes.subarray(saltBytes + keyBytes))
  const dataKey = decipher.update(bytes.subarray(saltBytes, saltBytes + keyBytes))
  try {
    decipher.final()
  } catch {
    // The tag says so: another key.
    return undefined
  }
  return dataKey
}

function wrappingKey(key: Uint8Array, salt: Uint8Array): Buffer {
  return Buffer.from(hkdfSync('sha256', key, salt, 'ashlar s3 data key', keyBytes))
}

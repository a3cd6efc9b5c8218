/**
 * Secrets of users at rest: sealed with AES-256-GCM under a key that only holders of the root secret can make, each bound to
 * its access key id. So no disk, snapshot or trash of the cluster holds one in the clear, and one that was moved to another
 * id does not open.
 *
 *     version 1 | nonce 12 | tag 16 | ciphertext      in base64
 * @module
 */
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import { assert } from '../../../base/assert.ts'

const version = 1
const nonceBytes = 12
const tagBytes = 16
const headBytes = 1 + nonceBytes + tagBytes
const cipher = 'aes-256-gcm'

export class SecretSeal {
  readonly #key: Buffer

  /** @param purpose what is sealed; seals of different purposes do not open each other */
  constructor(rootSecret: string, purpose: string) {
    assert(rootSecret.length > 0)
    this.#key = Buffer.from(hkdfSync('sha256', rootSecret, '', `ashlar s3 ${purpose}`, 32))
  }

  /** @param nonce 12 random bytes, never used twice */
  seal(secret: string, { owner, nonce }: { readonly owner: string; readonly nonce: Uint8Array }): string {
    assert(nonce.length === nonceBytes)
    const sealing = createCipheriv(cipher, this.#key, nonce).setAAD(Buffer.from(owner))
    const text = Buffer.concat([sealing.update(secret, 'utf8'), sealing.final()])
    return Buffer.concat([Buffer.of(version), nonce, sealing.getAuthTag(), text]).toString('base64')
  }

  /** Undefined: it was sealed under another root secret, for another owner, or was changed since. */
  open(sealed: string, { owner }: { readonly owner: string }): string | undefined {
    const bytes = Buffer.from(sealed, 'base64')
    if (bytes.length < headBytes || bytes[0] !== version) return undefined
    const opening = createDecipheriv(cipher, this.#key, bytes.subarray(1, 1 + nonceBytes), { authTagLength: tagBytes })
    opening.setAAD(Buffer.from(owner)).setAuthTag(bytes.subarray(1 + nonceBytes, headBytes))
    const text = opening.update(bytes.subarray(headBytes))
    try {
      return Buffer.concat([text, opening.final()]).toString('utf8')
    } catch {
      // The tag is wrong: that is the answer, and its cause is nothing more.
      return undefined
    }
  }
}

/**
 * The cluster's key encryption keys: gateways hold them, chunk servers never do, and the metadata holds only what they wrapped.
 * New data keys are wrapped under the first; older ones stay, so that what was wrapped under them opens.
 * @module
 */
import { createHash, hkdfSync } from 'node:crypto'
import { assert } from '../../../base/assert.ts'
import { keyBytes } from './stream-key.ts'

interface RingKey {
  /** Names the key, and tells nothing of it. */
  readonly id: string
  readonly key: Buffer
}

export class KeyRing {
  readonly #keys: readonly RingKey[]

  /** @param keys 32 bytes each, the newest first */
  constructor(keys: readonly Buffer[]) {
    assert(keys.every(({ length }) => length === keyBytes))
    this.#keys = keys.map((key) => ({ id: idOf(key), key }))
  }

  /** Undefined: there is none, and the cluster encrypts nothing by itself. */
  get newest(): RingKey | undefined {
    return this.#keys[0]
  }

  find(id: string | undefined): Buffer | undefined {
    return this.#keys.find((key) => key.id === id)?.key
  }
}

/** Of a key that has a name of its own (`aws:kms`): from one of the ring's. */
export function namedKey(key: Buffer, name: string): Buffer {
  return Buffer.from(hkdfSync('sha256', key, '', `ashlar s3 named key ${name}`, keyBytes))
}

function idOf(key: Buffer): string {
  return createHash('sha256').update('ashlar s3 key id').update(key).digest('hex').slice(0, 16)
}

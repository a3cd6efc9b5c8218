/**
 * HMAC-SHA-256 (RFC 2104) for many short messages under one key.
 *
 * Both blocks of the key are kept ready, and the two hashes are one-shot ones with text for a result: those allocate no memory
 * of their own. Measured on 72 bytes: 1.2 µs, where `createHmac` takes 3.6 and leaves three buffers to the collector.
 * Only for messages up to {@link macMessageMaxBytes}; nothing is kept of a message after the call.
 * @module
 */
import { hash, timingSafeEqual } from 'node:crypto'
import { assert } from './assert.ts'

/** Of SHA-256. */
const blockBytes = 64
const hashBytes = 32
export const macMessageMaxBytes = 1024
/** In UTF-16 units: none of so many takes more than {@link macMessageMaxBytes} in UTF-8. */
export const macTextMaxLength = Math.floor(macMessageMaxBytes / 3)

export class MacKey {
  /** The inner block of the key, then room for a message. */
  readonly #inner = Buffer.alloc(blockBytes + macMessageMaxBytes)
  /** The outer block of the key, then room for the inner hash. */
  readonly #outer = Buffer.alloc(blockBytes + hashBytes)
  readonly #mac = Buffer.alloc(hashBytes)

  /** @param key at most 64 bytes */
  constructor(key: Uint8Array) {
    assert(key.length <= blockBytes, 'a MAC key is longer than a block')
    for (let at = 0; at < blockBytes; at++) {
      const byte = key[at] ?? 0
      this.#inner[at] = byte ^ 0x36
      this.#outer[at] = byte ^ 0x5c
    }
  }

  /** The first `macBytes` (at most 32) of the message's MAC. */
  sign(message: Uint8Array, macBytes: number): Buffer {
    this.#compute(message)
    return Buffer.from(this.#mac.subarray(0, macBytes))
  }

  /** Whether `mac` is the beginning of the message's MAC, in constant time. The caller demands its length. */
  matches(message: Uint8Array, mac: Uint8Array): boolean {
    assert(mac.length > 0 && mac.length <= hashBytes, 'a MAC of this length does not exist')
    this.#compute(message)
    return timingSafeEqual(mac, this.#mac.subarray(0, mac.length))
  }

  /** The MAC of a text in UTF-8, in hex. */
  signText(text: string): string {
    assert(text.length <= macTextMaxLength, 'a text is too long for this MAC')
    this.#hashInner(this.#inner.write(text, blockBytes))
    return hash('sha256', this.#outer, 'hex')
  }

  #compute(message: Uint8Array): void {
    assert(message.length <= macMessageMaxBytes, 'a message is too long for this MAC')
    this.#inner.set(message, blockBytes)
    this.#hashInner(message.length)
    this.#mac.write(hash('sha256', this.#outer, 'latin1'), 'latin1')
  }

  #hashInner(messageBytes: number): void {
    const inner = hash('sha256', this.#inner.subarray(0, blockBytes + messageBytes), 'latin1')
    this.#outer.write(inner, blockBytes, 'latin1')
  }
}

const keys = new WeakMap<Uint8Array, MacKey>()

/** The {@link MacKey} of these very bytes, which never change. */
export function macKeyOf(key: Uint8Array): MacKey {
  let known = keys.get(key)
  if (known === undefined) {
    known = new MacKey(key)
    keys.set(key, known)
  }
  return known
}

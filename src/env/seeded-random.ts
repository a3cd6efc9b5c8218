/**
 * Randomness that replays: xoshiro128** over a state that SplitMix32 spreads from a 32-bit seed. One seed, one
 * sequence, on every machine. Never for keys, tokens or nonces of a real cluster.
 * @see https://prng.di.unimi.it/
 * @module
 */
import { assert } from '../base/assert.ts'
import type { Random } from './random.ts'
import { randomFrom } from './random-draws.ts'

export interface SeededRandom extends Random {
  /**
   * An independent sequence named `name`, which depends on the seed and the name alone: to draw more, or less,
   * from one stream changes nothing in another.
   */
  stream(name: string): SeededRandom
}

/** @param seed unsigned, 32 bits */
export function seededRandom(seed: number): SeededRandom {
  assert(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32, `seed ${seed} is not an unsigned 32-bit integer`)
  const uint32 = xoshiro128(seed)
  const random = randomFrom({
    uint32,
    bytes: (length) => {
      const bytes = Buffer.alloc(length)
      for (let at = 0; at < length; at += 4)
        bytes.writeUIntLE(uint32() % 256 ** Math.min(4, length - at), at, Math.min(4, length - at))
      return bytes
    },
  })
  return { ...random, stream: (name) => seededRandom(seedOfStream(seed, name)) }
}

/** FNV-1a over the seed and the name, then mixed. */
function seedOfStream(seed: number, name: string): number {
  let hash = 0x811c9dc5 ^ seed
  for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 0x01000193)
  return mix(hash)
}

function mix(value: number): number {
  let mixed = value
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
  return (mixed ^ (mixed >>> 15)) >>> 0
}

function xoshiro128(seed: number): () => number {
  let counter = seed
  const spread = () => {
    counter = (counter + 0x9e3779b9) | 0
    return mix(counter) | 0
  }
  let [a, b, c, d] = [spread(), spread(), spread(), spread()]
  return () => {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0
    const shifted = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= shifted
    d = rotate(d, 11)
    return result
  }
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}

/**
 * Cryptographic randomness. Numbers are drawn from a pool that is filled 4 KiB at a time; bytes, which become keys
 * and nonces, always come fresh from the operating system's generator.
 * @module
 */
import type { Random } from './random.ts'
import { randomFrom } from './random-draws.ts'

export function createNodeRandom(): Random {
  const pool = new Uint32Array(1024)
  let next = pool.length
  return randomFrom({
    uint32: () => {
      if (next === pool.length) {
        nodeCrypto().randomFillSync(pool)
        next = 0
      }
      return pool[next++] as number
    },
    bytes: (length) => nodeCrypto().randomBytes(length),
  })
}

/** Not imported: a process that draws nothing, as `ashlar up`, would pay 5 ms of CPU for it. */
function nodeCrypto(): typeof import('node:crypto') {
  return process.getBuiltinModule('node:crypto')
}

/**
 * Plain bytes to an encrypted stream, as they come: nothing is held back, and memory is one piece.
 * @module
 */
import { type CipherGCM, createCipheriv } from 'node:crypto'
import { endMemory } from '../../../base/end-memory.ts'
import { frameBytes, newHeader, nonceOf } from './frames.ts'
import { streamKey } from './stream-key.ts'

export interface SealOptions {
  readonly dataKey: Uint8Array
  /** Makes cryptographic randomness. */
  readonly random: (length: number) => Uint8Array
}

/** As `frames.ts` has it. Each piece is the consumer's only until it asks for the next: its memory may be gone then. */
export async function* sealStream(
  pieces: AsyncIterable<Uint8Array>,
  { dataKey, random }: SealOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const header = newHeader(random)
  const key = streamKey(dataKey, header)
  yield header
  let frame = 0
  let cipher = newCipher(key, frame)
  let room = frameBytes
  for await (const piece of pieces) {
    for (let rest = piece; rest.length > 0; ) {
      const taken = rest.subarray(0, room)
      rest = rest.subarray(taken.length)
      const sealed = cipher.update(taken)
      yield sealed
      endMemory(sealed)
      room -= taken.length
      if (room > 0) continue
      yield ended(cipher)
      cipher = newCipher(key, ++frame)
      room = frameBytes
    }
  }
  yield ended(cipher)
}

function newCipher(key: Buffer, frame: number): CipherGCM {
  return createCipheriv('aes-256-gcm', key, nonceOf(frame))
}

function ended(cipher: CipherGCM): Buffer {
  cipher.final()
  return cipher.getAuthTag()
}

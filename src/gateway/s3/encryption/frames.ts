/**
 * How an encrypted stream is laid out, and where a range of its plain bytes lies.
 *
 *     header: "ASE1", the frame's plain bytes as a power of two, three zeros, 24 random bytes          32 bytes
 *     frame 0, 1, …: AES-256-GCM of 64 KiB each, its tag behind it; nonce: the frame's number
 *     the last frame: what is left, 0 to 64 KiB less 1 byte
 *
 * The stream's key is derived from a data key and the whole header (`stream-key.ts`), so it is used for one stream only and no nonce
 * comes twice under it. A frame in another place has another number and does not open; neither does one of another stream. The last
 * frame, and only it, is short, even where that makes it empty: a stream that was cut anywhere does not end right.
 * @module
 */
import { assert } from '../../../base/assert.ts'

const frameBits = 16
/** Plain bytes of a frame. */
export const frameBytes = 1 << frameBits
export const tagBytes = 16
export const headerBytes = 32
const saltBytes = 24
/** A frame on disk. */
export const sealedFrameBytes = frameBytes + tagBytes
const magic = Buffer.from('ASE1', 'latin1')

/** Of a stream with so many plain bytes. */
export function sealedSize(plainBytes: number): number {
  return headerBytes + plainBytes + tagBytes * (Math.floor(plainBytes / frameBytes) + 1)
}

/** @param random makes cryptographic randomness */
export function newHeader(random: (length: number) => Uint8Array): Buffer {
  return Buffer.concat([magic, Buffer.from([frameBits, 0, 0, 0]), random(saltBytes)])
}

export function isHeader(bytes: Uint8Array): boolean {
  const { length } = bytes
  return length === headerBytes && magic.equals(bytes.subarray(0, 4)) && bytes[4] === frameBits
}

export function nonceOf(frame: number): Buffer {
  assert(frame >= 0 && frame < 2 ** 32, `frame ${frame}`)
  const nonce = Buffer.alloc(12)
  nonce.writeUInt32BE(frame, 8)
  return nonce
}

/** Where to read for a range of a stream's plain bytes. */
export interface FrameSpan {
  readonly firstFrame: number
  /** Of the stream: of the first frame, and behind the last one. */
  readonly sealedStart: number
  readonly sealedEnd: number
  /** Plain bytes before the range in the first frame. */
  readonly skipBytes: number
}

/** @param range not empty, or the whole of an empty stream; one that ends with the stream has its last frame too, empty or not */
export function frameSpan(
  { start, end }: { readonly start: number; readonly end: number },
  plainBytes: number,
): FrameSpan {
  assert(start >= 0 && start <= end && end <= plainBytes)
  const firstFrame = Math.floor(start / frameBytes)
  const framesEnd = end === plainBytes ? Math.floor(plainBytes / frameBytes) + 1 : Math.ceil(end / frameBytes)
  return {
    firstFrame,
    sealedStart: headerBytes + firstFrame * sealedFrameBytes,
    sealedEnd: Math.min(sealedSize(plainBytes), headerBytes + framesEnd * sealedFrameBytes),
    skipBytes: start - firstFrame * frameBytes,
  }
}

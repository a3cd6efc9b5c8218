/**
 * Files for the rounds of healing: their bytes tell which file, version and place they are of, and cost one copy to make, so that
 * what is measured is the cluster.
 * @module
 */
import { seededRandom } from '../../../src/env/seeded-random.ts'

export interface Version {
  readonly path: string
  /** Rises with each rewriting. */
  readonly version: number
  readonly length: number
}

const headerBytes = 16
const offsets = 8 * 2 ** 20
export const longestFileBytes = 8 * 2 ** 20
/** Read from an offset that belongs to the version: twice the same, so that every offset has enough bytes behind it. */
const pool = twice(Buffer.from(seededRandom(7).bytes(offsets)))

/** One file of twenty is large, and these hold what the small ones leave of `bytes`. */
export function lengthsOf(files: number, bytes: number): readonly number[] {
  const random = seededRandom(files)
  const lengths = Array.from({ length: files }, () => headerBytes + random.below(32 * 1024))
  const large = lengths
    .keys()
    .filter((index) => index % 20 === 7)
    .toArray()
  const smallBytes = lengths.reduce((sum, length) => sum + length, 0)
  const each = Math.floor((bytes - smallBytes) / Math.max(1, large.length))
  for (const index of large) lengths[index] = Math.min(longestFileBytes, Math.max(64 * 1024, each))
  return lengths
}

export function bytesOf(wanted: Version): Buffer {
  const offset = offsetOf(wanted)
  const bytes = Buffer.allocUnsafe(wanted.length)
  pool.copy(bytes, 0, offset, offset + wanted.length)
  headerOf(wanted).copy(bytes)
  return bytes
}

export function isOf(found: Buffer, wanted: Version): boolean {
  if (found.length !== wanted.length) return false
  const offset = offsetOf(wanted)
  const rest = pool.subarray(offset + headerBytes, offset + wanted.length)
  return found.subarray(0, headerBytes).equals(headerOf(wanted)) && found.subarray(headerBytes).equals(rest)
}

/** The first bytes of the version, by which a record in a segment is found. */
export function headerOf({ path, version, length }: Version): Buffer {
  const header = Buffer.alloc(headerBytes)
  header.writeUInt32LE(hashOf(path), 0)
  header.writeUInt32LE(hashOf(`${path}#${version}`), 4)
  header.writeUInt32LE(version, 8)
  header.writeUInt32LE(length, 12)
  return header
}

function offsetOf({ path, version }: Version): number {
  return hashOf(`${version}@${path}`) % offsets
}

function hashOf(text: string): number {
  let hash = 2_166_136_261
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 16_777_619)
  return hash >>> 0
}

function twice(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, bytes])
}

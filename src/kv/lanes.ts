/**
 * Vectors of counters: little-endian unsigned 64-bit lanes, each modulo 2^64. What `Transaction.add` adds up.
 * @module
 */
import { assert } from '../base/assert.ts'

const laneBytes = 8

/** The sum, lane by lane, as a new buffer; the shorter vector counts as padded with zero lanes. */
export function addLanes(left: Uint8Array, right: Uint8Array): Buffer {
  assertLanes(left)
  assertLanes(right)
  const [longer, shorter] = left.length >= right.length ? [left, right] : [right, left]
  const sum = Buffer.from(longer)
  const addend = Buffer.from(shorter.buffer, shorter.byteOffset, shorter.length)
  for (let at = 0; at < shorter.length; at += laneBytes) {
    const low = sum.readUInt32LE(at) + addend.readUInt32LE(at)
    const carry = low > 0xffffffff ? 1 : 0
    const high = sum.readUInt32LE(at + 4) + addend.readUInt32LE(at + 4) + carry
    sum.writeUInt32LE(low >>> 0, at)
    sum.writeUInt32LE(high >>> 0, at + 4)
  }
  return sum
}

/** Whether every lane is zero: such a vector is not stored. */
export function allZero(lanes: Uint8Array): boolean {
  return lanes.every((byte) => byte === 0)
}

export function assertLanes(lanes: Uint8Array): void {
  assert(lanes.length > 0 && lanes.length % laneBytes === 0, 'not a vector of 64-bit lanes')
}

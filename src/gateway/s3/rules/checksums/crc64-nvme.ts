/**
 * CRC-64/NVME, the checksum that newer S3 clients send by default, and its combination over a concatenation.
 *
 * Slicing by 16 with two 32-bit halves, since BigInt costs some 100 ns a byte; 32 KiB of tables. Measured, in turn on one
 * core: 800 MiB/s, where MD5, which every upload pays too, takes 620, a WebAssembly library 960 and the AWS SDK's own
 * code 210. So a library would buy nothing that an upload could feel. It runs where MD5 runs.
 * @see NVM Express NVM Command Set Specification 1.0, section 5.2.1.3.4
 * @module
 */
import { shifterOf } from '../../../../base/crc-shift.ts'

/** 64 bits as two unsigned halves; in a crc, bit 63 is the coefficient of x^0. */
export interface Crc64 {
  readonly high: number
  readonly low: number
}

/** 0xad93d23594c93659, reflected. */
const polynomial: Crc64 = { high: 0x9a6c9329, low: 0xac4bc9b5 }
const slices = 16

/** In this bit order: x^0, x^1 and x^8. */
const one: Crc64 = { high: 0x80000000, low: 0 }
const x: Crc64 = { high: 0x40000000, low: 0 }
const xTo8: Crc64 = { high: 0x00800000, low: 0 }

const shiftOf = shifterOf({ one, x, multiply })

/** Entry `256·s + b`: what the byte `b` contributes when `s` more bytes follow it. */
const { highs, lows } = (() => {
  const highs = new Uint32Array(slices * 256)
  const lows = new Uint32Array(slices * 256)
  for (let byte = 0; byte < 256; byte++) {
    const crc = multiply(xTo8, { high: 0, low: byte })
    highs[byte] = crc.high
    lows[byte] = crc.low
  }
  for (let at = 256; at < slices * 256; at++) {
    const high = highs[at - 256] as number
    const low = lows[at - 256] as number
    highs[at] = (high >>> 8) ^ (highs[low & 255] as number)
    lows[at] = ((low >>> 8) | (high << 24)) ^ (lows[low & 255] as number)
  }
  return { highs, lows }
})()

/** The crc of bytes that come in pieces. */
export class Crc64NvmeHasher {
  /** Signed, as all in the loop: one unsigned start makes V8 keep the state as a double, at half the speed. */
  #high = -1
  #low = -1

  /** Takes `bytes` into the crc; they are free again on return. */
  update(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const end = bytes.byteLength
    let high = this.#high
    let low = this.#low
    let at = 0
    for (; at + slices <= end; at += slices) {
      const a = view.getUint32(at, true) ^ low
      const b = view.getUint32(at + 4, true) ^ high
      const c = view.getUint32(at + 8, true)
      const d = view.getUint32(at + 12, true)
      const i0 = 3840 + (a & 255)
      const i1 = 3584 + ((a >>> 8) & 255)
      const i2 = 3328 + ((a >>> 16) & 255)
      const i3 = 3072 + (a >>> 24)
      const i4 = 2816 + (b & 255)
      const i5 = 2560 + ((b >>> 8) & 255)
      const i6 = 2304 + ((b >>> 16) & 255)
      const i7 = 2048 + (b >>> 24)
      const i8 = 1792 + (c & 255)
      const i9 = 1536 + ((c >>> 8) & 255)
      const i10 = 1280 + ((c >>> 16) & 255)
      const i11 = 1024 + (c >>> 24)
      const i12 = 768 + (d & 255)
      const i13 = 512 + ((d >>> 8) & 255)
      const i14 = 256 + ((d >>> 16) & 255)
      const i15 = d >>> 24
      low =
        (lows[i0] as number) ^
        (lows[i1] as number) ^
        (lows[i2] as number) ^
        (lows[i3] as number) ^
        (lows[i4] as number) ^
        (lows[i5] as number) ^
        (lows[i6] as number) ^
        (lows[i7] as number) ^
        (lows[i8] as number) ^
        (lows[i9] as number) ^
        (lows[i10] as number) ^
        (lows[i11] as number) ^
        (lows[i12] as number) ^
        (lows[i13] as number) ^
        (lows[i14] as number) ^
        (lows[i15] as number)
      high =
        (highs[i0] as number) ^
        (highs[i1] as number) ^
        (highs[i2] as number) ^
        (highs[i3] as number) ^
        (highs[i4] as number) ^
        (highs[i5] as number) ^
        (highs[i6] as number) ^
        (highs[i7] as number) ^
        (highs[i8] as number) ^
        (highs[i9] as number) ^
        (highs[i10] as number) ^
        (highs[i11] as number) ^
        (highs[i12] as number) ^
        (highs[i13] as number) ^
        (highs[i14] as number) ^
        (highs[i15] as number)
    }
    for (; at < end; at++) {
      const index = (low ^ view.getUint8(at)) & 255
      low = ((low >>> 8) | (high << 24)) ^ (lows[index] as number)
      high = (high >>> 8) ^ (highs[index] as number)
    }
    this.#high = high
    this.#low = low
  }

  /** The crc so far; more may follow. */
  crc(): Crc64 {
    return { high: ~this.#high >>> 0, low: ~this.#low >>> 0 }
  }
}

/** The crc of A‖B from crc(A), crc(B) and the length of B in bytes. */
export function combineCrc64(crcA: Crc64, crcB: Crc64, lengthBBytes: number): Crc64 {
  const shifted = multiply(shiftOf(lengthBBytes), crcA)
  return { high: (shifted.high ^ crcB.high) >>> 0, low: (shifted.low ^ crcB.low) >>> 0 }
}

/** a·b modulo the polynomial. */
function multiply(a: Crc64, b: Crc64): Crc64 {
  let high = 0
  let low = 0
  let factorHigh = b.high
  let factorLow = b.low
  for (let bit = 0; bit < 64; bit++) {
    const word = bit < 32 ? a.high : a.low
    const isSet = -((word >>> (31 - (bit & 31))) & 1)
    high ^= factorHigh & isSet
    low ^= factorLow & isSet
    const carry = -(factorLow & 1)
    factorLow = ((factorLow >>> 1) | (factorHigh << 31)) ^ (polynomial.low & carry)
    factorHigh = (factorHigh >>> 1) ^ (polynomial.high & carry)
  }
  return { high: high >>> 0, low: low >>> 0 }
}

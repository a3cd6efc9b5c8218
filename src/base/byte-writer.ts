/**
 * Writes numbers and bytes into one growing buffer. Integers are big-endian; varints are LEB128 of a safe integer.
 * @module
 */
import { assert } from './assert.ts'

export class ByteWriter {
  #buffer: Buffer
  #length = 0

  constructor(initialBytes = 256) {
    this.#buffer = Buffer.allocUnsafe(initialBytes)
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length
  }

  /** A view of what was written; it is the writer's own memory until the writer is dropped. */
  finish(): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }

  u8(value: number): void {
    this.#room(1)
    this.#buffer[this.#length++] = value
  }

  u16(value: number): void {
    this.#room(2)
    this.#length = this.#buffer.writeUInt16BE(value, this.#length)
  }

  u32(value: number): void {
    this.#room(4)
    this.#length = this.#buffer.writeUInt32BE(value >>> 0, this.#length)
  }

  /** A safe integer as 64 bits. */
  u64(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, 'not an unsigned safe integer')
    this.u32(Math.floor(value / 2 ** 32))
    this.u32(value % 2 ** 32)
  }

  varint(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, 'not an unsigned safe integer')
    this.#room(8)
    const buffer = this.#buffer
    let at = this.#length
    let rest = value
    // Past 31 bits only division keeps all of them.
    while (rest > 0x7fffffff) {
      buffer[at++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    while (rest >= 0x80) {
      buffer[at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    buffer[at++] = rest
    this.#length = at
  }

  bytes(value: Uint8Array): void {
    this.#room(value.length)
    this.#buffer.set(value, this.#length)
    this.#length += value.length
  }

  /** The bytes of `source` from `from` up to `to`: few are copied faster here than by a call. */
  copyOf(source: Uint8Array, from: number, to: number): void {
    const length = to - from
    this.#room(length)
    const buffer = this.#buffer
    if (length > 32) buffer.set(source.subarray(from, to), this.#length)
    else for (let index = 0; index < length; index++) buffer[this.#length + index] = source[from + index] as number
    this.#length += length
  }

  /** The bytes that hex digits spell. @returns how many they are: fewer than half the digits where one is none */
  hex(digits: string): number {
    this.#room(digits.length / 2)
    const written = this.#buffer.write(digits, this.#length, 'hex')
    this.#length += written
    return written
  }

  /** As UTF-8. A lone surrogate becomes U+FFFD: where that would alias two names, refuse it before. */
  text(value: string): void {
    const length = Buffer.byteLength(value)
    this.#room(length)
    this.#buffer.write(value, this.#length)
    this.#length += length
  }

  /** What is written up to {@link endDelimited} gets its length in bytes as a varint before it. @returns for that */
  beginDelimited(): number {
    this.u8(0)
    return this.#length
  }

  /** @param start what {@link beginDelimited} gave */
  endDelimited(start: number): void {
    const length = this.#length - start
    if (length < 0x80) {
      this.#buffer[start - 1] = length
      return
    }
    let prefixBytes = 1
    for (let rest = length; rest >= 0x80; rest = Math.floor(rest / 0x80)) prefixBytes++
    this.#room(prefixBytes - 1)
    this.#buffer.copyWithin(start - 1 + prefixBytes, start, this.#length)
    this.#length = start - 1
    this.varint(length)
    this.#length = start - 1 + prefixBytes + length
  }

  #room(bytes: number): void {
    const needed = this.#length + bytes
    if (needed <= this.#buffer.length) return
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2))
    this.#buffer.copy(grown, 0, 0, this.#length)
    this.#buffer = grown
  }
}

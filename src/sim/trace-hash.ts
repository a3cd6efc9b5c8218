/**
 * A running hash over everything that happens in a run: two runs with the same hash went the same way. Not fit for
 * anything but that. About 10 ns a number.
 * @module
 */
import { crc32 } from '../base/crc.ts'

export class TraceHash {
  #high = 0x9e3779b9 | 0
  #low = 0x85ebca6b | 0
  readonly #float = new Float64Array(1)
  readonly #halves = new Uint32Array(this.#float.buffer)

  /** @param value as 32 bits */
  integer(value: number): void {
    let low = Math.imul(this.#low ^ value, 0x21f0aaad)
    low ^= low >>> 15
    const high = Math.imul(this.#high ^ low, 0x735a2d97)
    this.#low = low
    this.#high = high ^ (high >>> 13)
  }

  number(value: number): void {
    this.#float[0] = value
    this.integer(this.#halves[0] as number)
    this.integer(this.#halves[1] as number)
  }

  bytes(bytes: Uint8Array): void {
    this.integer(bytes.byteLength)
    this.integer(crc32(bytes))
  }

  text(text: string): void {
    this.bytes(Buffer.from(text))
  }

  /** 16 hex digits. */
  get hex(): string {
    return [this.#high, this.#low].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('')
  }
}

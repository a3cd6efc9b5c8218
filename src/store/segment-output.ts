/** Writes a segment from its beginning, a MiB at a time: for compaction. @module */
import { limits } from '../base/limits.ts'
import type { File } from '../env/disk.ts'
import { encodeRecordHead, recordHeadBytes, recordHeadMaxBytes, type SegmentRecord } from './segment-format.ts'

/** The largest record fits. */
export const stagingBytes = limits.chunkFileMinBytes + recordHeadMaxBytes

export class SegmentOutput {
  readonly #file: File
  readonly #seed: number
  readonly #staging = Buffer.allocUnsafeSlow(stagingBytes)
  #staged = 0
  #written = 0

  constructor(file: File, seed: number) {
    this.#file = file
    this.#seed = seed
  }

  get endBytes(): number {
    return this.#written + this.#staged
  }

  async copy(record: SegmentRecord, payload: Buffer): Promise<void> {
    const length = recordHeadBytes(record) + payload.length
    if (this.#staged + length > this.#staging.length) await this.flush()
    await this.write(encodeRecordHead(record, { seed: this.#seed, offset: this.endBytes }))
    await this.write(payload)
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#staging.set(bytes, this.#staged)
    this.#staged += bytes.length
  }

  async flush(): Promise<void> {
    if (this.#staged === 0) return
    await this.#file.write([this.#staging.subarray(0, this.#staged)], this.#written)
    this.#written += this.#staged
    this.#staged = 0
  }
}

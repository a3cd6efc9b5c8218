/**
 * Room kept aside on the disk of the metadata, as a file full of bytes: when the disk is full it is given up, so that
 * deletes can still be recorded.
 *
 * States: `absent` → (fill) → `held` → (release) → `absent`. A file of the right length that a crash left is `held` again.
 * Its bytes are written, not just its length, since a sparse file keeps no room. They are not zeros only, for file systems
 * that compress.
 * @module
 */
import { crc32 } from '../base/crc.ts'
import { isAshlarError } from '../base/errors.ts'
import type { Disk, File } from '../env/disk.ts'

const stepBytes = 256 * 1024

export class DiskReserve {
  readonly #disk: Disk
  readonly #path: string
  readonly #sizeBytes: number
  #held = false

  constructor(options: { readonly disk: Disk; readonly path: string; readonly sizeBytes: number }) {
    this.#disk = options.disk
    this.#path = options.path
    this.#sizeBytes = options.sizeBytes
  }

  get held(): boolean {
    return this.#held
  }

  /** Takes the room, unless it is held. @returns whether it is held now: false when the disk has none. Other errors are thrown. */
  async fill(): Promise<boolean> {
    if (this.#held) return true
    try {
      const file = await this.#disk.open(this.#path, { mode: 'append-or-create' })
      try {
        await this.#write(file)
      } finally {
        await file.close()
      }
      this.#held = true
    } catch (error) {
      if (!isAshlarError(error, 'no-space')) throw error
      // What was written so far must not take the last room away from the metadata itself.
      await this.#remove()
    }
    return this.#held
  }

  /** Gives the room back to the disk. Idempotent. */
  async release(): Promise<void> {
    await this.#remove()
    this.#held = false
  }

  async #write(file: File): Promise<void> {
    const length = await file.lengthBytes()
    if (length > this.#sizeBytes) await file.truncate(this.#sizeBytes)
    for (let at = length; at < this.#sizeBytes; at += stepBytes) {
      await file.write([noise(Math.min(stepBytes, this.#sizeBytes - at), at)], at)
    }
    await file.sync()
  }

  async #remove(): Promise<void> {
    try {
      await this.#disk.remove(this.#path)
    } catch (error) {
      if (!isAshlarError(error, 'not-found')) throw error
    }
  }
}

/** Bytes that do not compress to nothing: checksums of a counter. */
function noise(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length)
  const counter = Buffer.alloc(8)
  for (let at = 0; at + 4 <= length; at += 512) {
    counter.writeDoubleBE(seed + at)
    bytes.writeUInt32BE(crc32(counter), at)
  }
  return bytes
}

/**
 * Room kept aside on the disk of the metadata, as a file full of bytes: when the disk is full it is given up, so that
 * deletes can still be recorded.
 *
 * States: `absent` → (fill) → `held` → (release) → `absent`. A file of the right length that a crash left is `held` again.
 * Its bytes are written, not just its length, since a sparse file keeps no room. They look random, for file systems that
 * compress; one piece of them again and again, since making 32 MiB would cost a start 20 ms.
 * @module
 */
import { createHash } from 'node:crypto'
import { isAshlarError } from '../base/errors.ts'
import type { Disk, File } from '../env/disk.ts'

const stepBytes = 1024 * 1024

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
    if (length < this.#sizeBytes) {
      const piece = noise(Math.min(stepBytes, this.#sizeBytes - length))
      const pieces: Buffer[] = []
      for (let at = length; at < this.#sizeBytes; at += piece.length)
        pieces.push(piece.subarray(0, this.#sizeBytes - at))
      // In one call: at a start this thread would wait its turn again for each.
      await file.write(pieces, length)
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

/** Bytes that do not compress, the same at each start. */
function noise(length: number): Buffer {
  return createHash('shake256', { outputLength: length }).update('ashlar reserve').digest()
}

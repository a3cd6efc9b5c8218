/**
 * A file that holds some room, so that deletes, compaction and the index still work when the disk is full (promise
 * P8). It is given up when they find no room, and taken again as soon as there is some.
 * @module
 */
import { isAshlarError } from '../base/errors.ts'
import type { Disk } from '../env/disk.ts'
import type { Fence } from './fence.ts'

const pieceBytes = 1024 * 1024

export class SpaceReserve {
  readonly #disk: Disk
  readonly #path: string
  readonly #sizeBytes: number
  readonly #fence: Fence
  #isHeld = false

  constructor(disk: Disk, options: { readonly path: string; readonly sizeBytes: number; readonly fence: Fence }) {
    this.#disk = disk
    this.#path = options.path
    this.#sizeBytes = options.sizeBytes
    this.#fence = options.fence
  }

  get isHeld(): boolean {
    return this.#isHeld
  }

  /** Takes the room, if it is not held and there is any. */
  async ensure(): Promise<void> {
    if (this.#isHeld || this.#sizeBytes === 0 || this.#fence.isUp) return
    this.#isHeld = true
    try {
      const file = await this.#disk.open(this.#path, { mode: 'append-or-create' })
      try {
        const piece = Buffer.alloc(Math.min(pieceBytes, this.#sizeBytes))
        const length = await file.lengthBytes()
        const pieces: Buffer[] = []
        for (let at = length; at < this.#sizeBytes; at += piece.length)
          pieces.push(piece.subarray(0, this.#sizeBytes - at))
        if (pieces.length > 0) await file.write(pieces, length)
      } finally {
        await file.close()
      }
    } catch (error) {
      this.#isHeld = false
      // What was written of it still helps; the rest is tried again when there is room.
      if (!isAshlarError(error, 'no-space', 'busy')) throw error
    }
  }

  /** Gives the room to whoever asks for it next. */
  async release(): Promise<void> {
    this.#isHeld = false
    try {
      await this.#disk.remove(this.#path)
    } catch (error) {
      if (!isAshlarError(error, 'not-found')) throw error
    }
  }
}

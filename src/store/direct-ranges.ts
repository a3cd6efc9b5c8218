/**
 * Reads any range of a file past the page cache: direct I/O takes whole pages only, and records of a segment begin anywhere.
 *
 * For verifying, which must test the medium and not the memory. One buffer serves all, in turns: who verifies is in no hurry,
 * and with a buffer of its own it cannot wait for one that somebody holds who waits for it.
 * @module
 */
import { type AlignedBuffer, type Disk, type File, pageBytes } from '../env/disk.ts'
import { KeyedLock } from './keyed-lock.ts'

/** What reading a replica needs of its file. */
export type ReadableFile = Pick<File, 'read' | 'direct'>

const bufferBytes = 256 * 1024

export class DirectRanges {
  readonly #disk: Disk
  readonly #turns = new KeyedLock<'buffer'>()
  #buffer: AlignedBuffer | undefined

  constructor(disk: Disk) {
    this.#disk = disk
  }

  /** The file as one that takes any range. One without direct I/O is that already. */
  of(file: File): ReadableFile {
    if (!file.direct) return file
    return { direct: false, read: (target, position) => this.#read(file, { target, position }) }
  }

  /** @returns bytes read: fewer than asked for only at the end of the file */
  async #read(file: File, range: { readonly target: Uint8Array; readonly position: number }): Promise<number> {
    const { target, position } = range
    return await this.#turns.run('buffer', async () => {
      this.#buffer ??= this.#disk.alignedBuffer(bufferBytes)
      const buffer = this.#buffer
      let count = 0
      while (count < target.length) {
        const skip = (position + count) % pageBytes
        const wanted = Math.min(buffer.length, pageBytes * Math.ceil((skip + target.length - count) / pageBytes))
        const found = await file.read(buffer.subarray(0, wanted), position + count - skip)
        const piece = buffer.subarray(skip, Math.max(skip, Math.min(found, skip + target.length - count)))
        target.set(piece, count)
        count += piece.length
        if (found < wanted) break
      }
      return count
    })
  }
}

/**
 * Small files, read and replaced whole, on any disk's own operations.
 *
 * A replacement writes `<path>.tmp`, syncs it, renames it over `path` and syncs the directory: a crash leaves the old
 * or the new bytes, and perhaps the temporary file, which the next replacement of that path removes.
 * @module
 */
import { dirname } from 'node:path'
import { AshlarError, isAshlarError } from '../base/errors.ts'
import type { Disk } from './disk.ts'
import { nameNotSynced } from './errno.ts'

type SmallFileDisk = Pick<Disk, 'open' | 'remove' | 'rename' | 'syncDirectory'>

/** @throws {AshlarError} `too-large` — more than `maxBytes` */
export async function readSmallFile(disk: SmallFileDisk, path: string, maxBytes: number): Promise<Buffer> {
  const file = await disk.open(path, { mode: 'read' })
  try {
    const lengthBytes = await file.lengthBytes()
    if (lengthBytes > maxBytes) {
      throw new AshlarError('too-large', `Cannot read ${path}: it has ${lengthBytes} bytes, ${maxBytes} are allowed`)
    }
    const bytes = Buffer.allocUnsafe(lengthBytes)
    return bytes.subarray(0, await file.read(bytes, 0))
  } finally {
    await file.close()
  }
}

/** Replaces small files; two replacements of one path, which share its temporary name, go one after the other. */
export class SmallFileWriter {
  readonly #disk: SmallFileDisk
  readonly #underWay = new Map<string, Promise<void>>()

  constructor(disk: SmallFileDisk) {
    this.#disk = disk
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    const write = this.#after(this.#underWay.get(path), path, bytes)
    this.#underWay.set(path, write)
    try {
      await write
    } finally {
      if (this.#underWay.get(path) === write) this.#underWay.delete(path)
    }
  }

  async #after(before: Promise<void> | undefined, path: string, bytes: Uint8Array): Promise<void> {
    // Whether the one before failed is told to its own caller.
    await before?.catch(() => undefined)
    const temporary = `${path}.tmp`
    await this.#removeIfThere(temporary)
    const file = await this.#disk.open(temporary, { mode: 'create' })
    try {
      try {
        await file.write([bytes], 0)
        await file.sync()
      } finally {
        await file.close()
      }
      await this.#disk.rename(temporary, path)
    } catch (error) {
      await this.#removeIfThere(temporary)
      throw error
    }
    await this.#syncName(dirname(path))
  }

  async #syncName(folder: string): Promise<void> {
    try {
      await this.#disk.syncDirectory(folder)
    } catch (error) {
      throw nameNotSynced(error, folder)
    }
  }

  async #removeIfThere(path: string): Promise<void> {
    try {
      await this.#disk.remove(path)
    } catch (error) {
      if (!isAshlarError(error, 'not-found')) throw error
    }
  }
}

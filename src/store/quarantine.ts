/**
 * The quarantine: where damaged replicas are set aside. Nothing here is ever deleted by the store, since the damage
 * may be the disk's, the memory's or our own, and the bytes may be the last copy.
 * @module
 */
import { isAshlarError } from '../base/errors.ts'
import type { ChunkId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Disk, File } from '../env/disk.ts'
import type { Log } from '../env/log.ts'
import type { StoreLayout } from './store-layout.ts'

export class Quarantine {
  readonly #disk: Disk
  readonly #layout: StoreLayout
  readonly #log: Log
  readonly #listeners: ((id: ChunkId) => void)[] = []
  #count = 0
  #sizeBytes = 0

  constructor(options: { readonly disk: Disk; readonly layout: StoreLayout; readonly log: Log }) {
    this.#disk = options.disk
    this.#layout = options.layout
    this.#log = options.log
  }

  get count(): number {
    return this.#count
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  onQuarantine(listener: (id: ChunkId) => void): void {
    this.#listeners.push(listener)
  }

  /** Counts what lies there from before. */
  async load(): Promise<void> {
    for (const name of await this.#disk.list(this.#layout.quarantine)) {
      const { lengthBytes } = await this.#disk.info(`${this.#layout.quarantine}/${name}`)
      this.#count++
      this.#sizeBytes += lengthBytes
    }
  }

  /**
   * Moves a file aside, durably but for the sync of the folder that it leaves, which is the caller's.
   * @returns false: there was no such file
   */
  async moveFile(path: string, name: string): Promise<boolean> {
    try {
      const { lengthBytes } = await this.#disk.info(path)
      await this.#disk.rename(path, `${this.#layout.quarantine}/${name}`)
      await this.#disk.syncDirectory(this.#layout.quarantine)
      this.#count++
      this.#sizeBytes += lengthBytes
      return true
    } catch (error) {
      if (isAshlarError(error, 'not-found')) return false
      throw error
    }
  }

  /** Copies a part of a file aside, as far as it can be read. One that was copied before is left as it is. */
  async copyRange(
    file: File,
    range: { readonly offset: number; readonly lengthBytes: number; readonly name: string },
  ): Promise<void> {
    const { offset, lengthBytes, name } = range
    const path = `${this.#layout.quarantine}/${name}`
    if (await this.#exists(path)) return
    const temporary = `${this.#layout.temporary}/${name}`
    // What an attempt left that failed, on a full disk say, is in nobody's way.
    if (await this.#exists(temporary)) await this.#disk.remove(temporary)
    const copy = await this.#disk.open(temporary, { mode: 'create' })
    try {
      const piece = Buffer.allocUnsafe(Math.min(lengthBytes, limits.chunkFileMinBytes))
      for (let at = 0; at < lengthBytes; at += piece.length) {
        const target = piece.subarray(0, Math.min(piece.length, lengthBytes - at))
        const count = await this.#readWhatCan(file, target, offset + at)
        await copy.write([target.subarray(0, count)], at)
        if (count < target.length) break
      }
      await copy.sync()
    } finally {
      await copy.close()
    }
    await this.#disk.rename(temporary, path)
    await this.#disk.syncDirectory(this.#layout.quarantine)
    this.#count++
    this.#sizeBytes += lengthBytes
  }

  /** A place that the medium cannot read is damage, and the reason to be here: the copy ends before it. */
  async #readWhatCan(file: File, target: Uint8Array, position: number): Promise<number> {
    try {
      return await file.read(target, position)
    } catch (error) {
      if (!isAshlarError(error, 'disk-failed')) throw error
      this.#log.warn('a damaged replica could not be read to its end', { error: String(error) })
      return 0
    }
  }

  /** Tells that `id` has no good replica here. */
  report(id: ChunkId, what: string): void {
    this.#log.warn('replica was put into quarantine', { chunk: id, what })
    for (const listener of this.#listeners) listener(id)
  }

  async #exists(path: string): Promise<boolean> {
    try {
      await this.#disk.info(path)
      return true
    } catch (error) {
      if (isAshlarError(error, 'not-found')) return false
      throw error
    }
  }
}

/**
 * Open files for reading, shared by readers and kept for a while: opening one costs more than reading a block of it.
 * Bounded: at most `maxIdle` are kept that nobody uses, least recently used ones are closed first.
 * @module
 */
import { assert } from '../base/assert.ts'
import type { Disk, File } from '../env/disk.ts'

export interface FileHandle {
  readonly file: File
  /** Exactly once. */
  release(): void
}

interface Entry {
  readonly path: string
  readonly opening: Promise<File>
  users: number
  /** The path means another file by now: close when the last user is done. */
  forgotten: boolean
}

export class FileHandles {
  readonly #disk: Disk
  readonly #maxIdle: number
  readonly #entries = new Map<string, Entry>()
  readonly #closing = new Set<Promise<void>>()

  constructor(disk: Disk, options: { readonly maxIdle: number }) {
    this.#disk = disk
    this.#maxIdle = options.maxIdle
  }

  /** @throws {AshlarError} `not-found`; `busy` — out of file descriptors */
  async acquire(path: string): Promise<FileHandle> {
    let entry = this.#entries.get(path)
    if (entry === undefined)
      entry = { path, opening: this.#disk.open(path, { mode: 'read' }), users: 0, forgotten: false }
    // Also moves it to the young end.
    this.#entries.delete(path)
    this.#entries.set(path, entry)
    entry.users++
    const held = entry
    try {
      const file = await held.opening
      let released = false
      return {
        file,
        release: () => {
          assert(!released, 'a file handle was released twice')
          released = true
          this.#done(held)
        },
      }
    } catch (error) {
      held.users--
      if (this.#entries.get(path) === held) this.#entries.delete(path)
      throw error
    }
  }

  /** The name at `path` was removed or replaced: later users open it anew. */
  forget(path: string): void {
    const entry = this.#entries.get(path)
    if (entry === undefined) return
    this.#entries.delete(path)
    entry.forgotten = true
    if (entry.users === 0) this.#close(entry)
  }

  async close(): Promise<void> {
    for (const path of [...this.#entries.keys()]) this.forget(path)
    await Promise.all(this.#closing)
  }

  #done(entry: Entry): void {
    entry.users--
    if (entry.users > 0) return
    if (entry.forgotten) {
      this.#close(entry)
      return
    }
    if (this.#entries.size <= this.#maxIdle) return
    for (const [path, other] of this.#entries) {
      if (other.users > 0) continue
      this.#entries.delete(path)
      this.#close(other)
      if (this.#entries.size <= this.#maxIdle) return
    }
  }

  #close(entry: Entry): void {
    const closing = entry.opening
      .then((file) => file.close())
      // It was opened for reading: there is nothing that a failed close could lose.
      .catch(() => undefined)
      .finally(() => this.#closing.delete(closing))
    this.#closing.add(closing)
  }
}

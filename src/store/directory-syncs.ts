/**
 * Syncs of directories, shared: whoever asks while a sync of the same directory runs waits for the next one, which
 * serves all of them. So a hundred commits into one directory cost a few syncs. Directories that the store makes as it
 * goes are made durable here too.
 * @module
 */

import { RecentMap } from '../base/recent-map.ts'
import type { Disk } from '../env/disk.ts'
import { nameNotSynced } from '../env/errno.ts'
import type { Fence } from './fence.ts'

export class DirectorySyncs {
  readonly #disk: Disk
  readonly #fence: Fence
  readonly #running = new Map<string, Promise<void>>()
  readonly #ensured = new RecentMap<string, Promise<void>>(4096)
  readonly #next = new Map<string, Promise<void>>()

  constructor(disk: Disk, fence: Fence) {
    this.#disk = disk
    this.#fence = fence
  }

  /** Resolves when all names that changed before the call are durable. */
  sync(path: string): Promise<void> {
    const next = this.#next.get(path)
    if (next !== undefined) return next
    const running = this.#running.get(path)
    if (running === undefined) return this.#start(path)
    const queued = this.#after(running, path)
    this.#next.set(path, queued)
    return queued
  }

  /**
   * Makes `path` (`<root>/a/b`) and sees that each name down from `root` is durable, once per process: a folder that
   * is there may have been made by a process that died before it synced the name.
   */
  async ensure(root: string, path: string): Promise<void> {
    const known = this.#ensured.get(path)
    if (known !== undefined) return await known
    const ensuring = this.#make(root, path)
    this.#ensured.set(path, ensuring)
    try {
      await ensuring
    } catch (error) {
      this.#ensured.delete(path)
      throw error
    }
  }

  async #make(root: string, path: string): Promise<void> {
    await this.#fence.guard(() => this.#disk.makeDirectory(path))
    for (let at = path; at.length > root.length; ) {
      at = at.slice(0, at.lastIndexOf('/'))
      await this.sync(at)
    }
  }

  async #after(running: Promise<void>, path: string): Promise<void> {
    // A failure of the running sync has raised the fence, and start() below meets it.
    await running.catch(() => undefined)
    this.#next.delete(path)
    await this.#start(path)
  }

  async #syncNames(path: string): Promise<void> {
    try {
      await this.#disk.syncDirectory(path)
    } catch (error) {
      throw nameNotSynced(error, path)
    }
  }

  #start(path: string): Promise<void> {
    const sync = this.#fence
      .guard(() => this.#syncNames(path))
      .finally(() => {
        if (this.#running.get(path) === sync) this.#running.delete(path)
      })
    this.#running.set(path, sync)
    return sync
  }
}

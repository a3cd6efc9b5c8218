/**
 * A disk in memory, for tests and simulation. It forgets at {@link MemoryDisk.crash} exactly what no sync had made
 * durable, or more kindly what its caller chooses; it can be full, slow and faulty.
 *
 * Every operation takes effect in a later turn than the call, so that a buffer changed too early is seen as changed.
 * Room is counted in whole pages of the files' lengths; names and directories are free.
 * @module
 */
import type { Disk } from './disk.ts'
import { type DiskFault, MemoryDiskCore, type MemoryDiskOptions } from './memory-disk-core.ts'
import { MemoryMount } from './memory-mount.ts'
import type { UnsyncedChange } from './memory-tree.ts'

export type { DiskFault, DiskOperation, MemoryDiskOptions } from './memory-disk-core.ts'
export type { UnsyncedChange } from './memory-tree.ts'

/** A {@link Disk} that always works on the present state, with controls. */
export interface MemoryDisk extends Disk {
  /**
   * Cuts the power: what was not synced is gone, open files, locks and mounts are dead (`closed`), operations under
   * way never happen.
   * @param keeps chooses what survives although it was not synced; default: nothing does. `() => true` is the death
   * of the process alone.
   */
  crash(keeps?: (change: UnsyncedChange) => boolean): void
  /** The same disk for one process: it is dead after the next crash, so that nothing of a dead process writes on. */
  mount(): Disk
  setFault(fault: DiskFault | undefined): void
  /** Makes every operation take so long. */
  setDelay(delayMs: number): void
  /** What is stored already stays. */
  setCapacity(capacityBytes: number): void
  readonly usedBytes: number
}

export function createMemoryDisk(options: MemoryDiskOptions): MemoryDisk {
  return new ControlledDisk(new MemoryDiskCore(options))
}

class ControlledDisk extends MemoryMount implements MemoryDisk {
  readonly #core: MemoryDiskCore

  constructor(core: MemoryDiskCore) {
    super(core)
    this.#core = core
  }

  crash(keeps: (change: UnsyncedChange) => boolean = () => false): void {
    this.#core.crash(keeps)
  }

  mount(): Disk {
    return new MemoryMount(this.#core, this.#core.life)
  }

  setFault(fault: DiskFault | undefined): void {
    this.#core.fault = fault
  }

  setDelay(delayMs: number): void {
    this.#core.delayMs = delayMs
  }

  setCapacity(capacityBytes: number): void {
    this.#core.capacityBytes = capacityBytes
  }

  get usedBytes(): number {
    return this.#core.usedBytes
  }
}

/**
 * A disk in memory, for tests and simulation. It forgets at {@link MemoryDisk.crash} exactly what no sync had made
 * durable, or more kindly what its caller chooses; it can be full, slow and faulty.
 *
 * Every operation takes effect in a later turn than the call, so that a buffer changed too early is seen as changed.
 * Room is counted in whole pages of the files' lengths; names and directories are free.
 * @module
 */
import type { Disk } from './disk.ts'
import { type DiskFault, type DiskPace, MemoryDiskCore, type MemoryDiskOptions } from './memory-disk-core.ts'
import { MemoryMount } from './memory-mount.ts'
import type { UnsyncedChange } from './memory-tree.ts'

export type { DiskFault, DiskOperation, DiskPace, MemoryDiskOptions } from './memory-disk-core.ts'
export type { UnsyncedChange } from './memory-tree.ts'

export interface StoredFile {
  readonly path: string
  readonly lengthBytes: number
}

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
  mount(options?: { readonly pace?: DiskPace }): Disk
  /** Ends the processes alone, as SIGKILL does: all that the disk was told stays, synced or not; mounts, files and locks are dead. */
  endProcesses(): void
  /** Whether syncs answer without making anything durable. */
  setLying(lies: boolean): void
  /** Sends writes elsewhere: @param misplace returns the position at which a write really lands */
  setMisplacing(misplace: ((path: string, position: number) => number) | undefined): void
  /** Every file, in the order of its path. */
  files(): readonly StoredFile[]
  /** Flips a stored bit behind everyone's back, durably. */
  flipBit(path: string, position: number, bit: number): void
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

  mount({ pace }: { readonly pace?: DiskPace } = {}): Disk {
    return new MemoryMount(this.#core, { life: this.#core.life, pace })
  }

  endProcesses(): void {
    this.#core.endProcesses()
  }

  setLying(lies: boolean): void {
    this.#core.liesOnSync = lies
  }

  setMisplacing(misplace: ((path: string, position: number) => number) | undefined): void {
    this.#core.misplace = misplace
  }

  files(): readonly StoredFile[] {
    return this.#core.tree.files()
  }

  flipBit(path: string, position: number, bit: number): void {
    const node = this.#core.tree.find(path)
    if (node.kind === 'file') node.image.flipBit(position, bit)
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

/**
 * What the operations and the controls of a disk in memory share: its tree, its room, its locks, and the lives that
 * its crashes divide.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import type { Clock } from './clock.ts'
import { pageBytes } from './disk.ts'
import { diskError } from './errno.ts'
import type { FileOperation } from './memory-file.ts'
import { type DirectoryNode, errno, type FileNode, MemoryTree, type UnsyncedChange } from './memory-tree.ts'

export type DiskOperation =
  | FileOperation
  | 'open'
  | 'list'
  | 'info'
  | 'make-directory'
  | 'rename'
  | 'remove'
  | 'sync-directory'
  | 'space'
  | 'lock'

/** Returns the error with which an operation is to fail, before it has any effect. `readSmall` and `writeSmall` consist of others. */
export type DiskFault = (operation: DiskOperation, path: string) => AshlarError | undefined

/** Decides when an operation takes effect: calls `go`, in a later turn than it was called itself, or never. */
export type DiskPace = (operation: DiskOperation, sizeBytes: number, go: () => void) => void

export interface MemoryDiskOptions {
  readonly clock: Clock
  /** Default: 1 TiB. */
  readonly capacityBytes?: number
  /** The number of the device: disks with the same number count as one disk. Default 1. */
  readonly device?: number
  readonly fault?: DiskFault
}

export interface OperateOptions<T> {
  readonly life: number
  readonly pace: DiskPace | undefined
  /** Read or written; 0 for the others. */
  readonly sizeBytes: number
  readonly work: () => T
}

export class MemoryDiskCore {
  readonly clock: Clock
  readonly device: number
  readonly tree = new MemoryTree((file) => this.resize(file, 0))
  /** Who holds each lock, by path. */
  readonly holders = new Map<string, string>()
  capacityBytes: number
  usedBytes = 0
  fault: DiskFault | undefined
  delayMs = 0
  /** Syncs answer, and make nothing durable. */
  liesOnSync = false
  /** Where a write really goes; undefined: where it should. */
  misplace: ((path: string, position: number) => number) | undefined
  /** Rises with every crash: what began before it is dead. */
  life = 0

  constructor({ clock, capacityBytes = 2 ** 40, device = 1, fault }: MemoryDiskOptions) {
    this.clock = clock
    this.capacityBytes = capacityBytes
    this.device = device
    this.fault = fault
  }

  /** Runs `work` in a later turn, unless a fault or a crash comes before it. */
  async operate<T>(
    operation: DiskOperation,
    path: string,
    { life, pace, sizeBytes, work }: OperateOptions<T>,
  ): Promise<T> {
    await new Promise<void>((resolve) => {
      if (pace !== undefined) pace(operation, sizeBytes, resolve)
      else if (this.delayMs > 0) this.clock.after(this.delayMs, resolve)
      else this.clock.soon(resolve)
    })
    if (life !== this.life) throw new AshlarError('closed', `Cannot ${operation} ${path}: the power was cut`)
    const fault = this.fault?.(operation, path)
    if (fault !== undefined) throw fault
    try {
      return work()
    } catch (error) {
      throw diskError(error, { doing: operation, path })
    }
  }

  /** @throws ENOSPC, without any change */
  resize(file: FileNode, lengthBytes: number): void {
    const allocatedBytes = wholePages(lengthBytes)
    const moreBytes = allocatedBytes - file.allocatedBytes
    if (moreBytes > 0 && this.usedBytes + moreBytes > this.capacityBytes) throw errno('ENOSPC')
    file.allocatedBytes = allocatedBytes
    this.usedBytes += moreBytes
  }

  syncFile(file: FileNode): void {
    if (!this.liesOnSync) file.image.sync()
  }

  syncDirectory(directory: DirectoryNode): void {
    if (!this.liesOnSync) this.tree.sync(directory)
  }

  /** Ends the processes alone: what the disk was told stays as it is, synced or not. */
  endProcesses(): void {
    this.life++
    this.holders.clear()
    this.tree.closeHandles()
  }

  crash(keeps: (change: UnsyncedChange) => boolean): void {
    this.life++
    this.holders.clear()
    this.usedBytes = 0
    for (const file of this.tree.crash(keeps)) {
      const allocatedBytes = wholePages(file.image.lengthBytes)
      file.allocatedBytes = allocatedBytes
      this.usedBytes += allocatedBytes
    }
  }
}

export function wholePages(lengthBytes: number): number {
  return Math.ceil(lengthBytes / pageBytes) * pageBytes
}

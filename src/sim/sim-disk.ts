/**
 * The disk of one machine: a {@link MemoryDisk} whose operations take drawn times, and which fails on order.
 *
 * A power cut keeps what was synced and, of the rest, a drawn legal subset of sectors, lengths and names. The end of a
 * process alone keeps everything, but makes nothing durable.
 * @module
 */
import { assert } from '../base/assert.ts'
import type { AshlarError } from '../base/errors.ts'
import type { Clock } from '../env/clock.ts'
import { type Disk, pageBytes } from '../env/disk.ts'
import { diskError } from '../env/errno.ts'
import { createMemoryDisk, type DiskOperation, type MemoryDisk, type StoredFile } from '../env/memory-disk.ts'
import type { Random } from '../env/random.ts'
import type { Scheduler } from './scheduler.ts'
import type { SimProcess } from './sim-process.ts'

const capacityBytes = 2 ** 40
const bytesPerMs = 512 * 1024
/** Of everything but a sync: the cache of the operating system answers. */
const promptMs = 0.02
/** One operation in so many takes up to twenty times as long. */
const lateOneIn = 100

export class SimDisk {
  readonly #scheduler: Scheduler
  readonly #random: Random
  readonly #blank: () => MemoryDisk
  #memory: MemoryDisk
  readonly #syncMs: number
  readonly #errors = new Set<{ readonly operations: readonly string[]; readonly chance: number }>()
  /** One for each fault that makes it slow now. */
  readonly #slowness: number[] = []
  #stalls = 0
  #fills = 0
  #lies = 0
  #failNextSync: ((path: string) => boolean) | undefined
  /** Operations that a stall holds back. */
  #stalled: (() => void)[] = []

  constructor(
    scheduler: Scheduler,
    {
      wallMs,
      random,
      syncMs,
      device,
    }: {
      readonly wallMs: () => number
      readonly random: Random
      /** Of a typical sync. */
      readonly syncMs: number
      readonly device: number
    },
  ) {
    this.#scheduler = scheduler
    this.#random = random
    this.#syncMs = syncMs
    const clock: Clock = {
      monotonicMs: () => scheduler.nowMs,
      wallMs,
      after: () => unpaced(),
      soon: () => unpaced(),
    }
    this.#blank = () =>
      createMemoryDisk({ clock, device, capacityBytes, fault: (operation, path) => this.#failure(operation, path) })
    this.#memory = this.#blank()
  }

  /** An empty one is in its place from now on. Nothing may have it mounted. */
  replace(): void {
    this.#memory = this.#blank()
  }

  get usedBytes(): number {
    return this.#memory.usedBytes
  }

  files(): readonly StoredFile[] {
    return this.#memory.files()
  }

  /** The next sync of a file that `chooses` fails, once. */
  failNextSync(chooses: ((path: string) => boolean) | undefined): void {
    this.#failNextSync = chooses
  }

  /** For one process: it dies with it. Without one: for who looks at the disk from outside. */
  mount(owner: SimProcess | undefined): Disk {
    return this.#memory.mount({ pace: (operation, sizeBytes, go) => this.#pace(owner, { operation, sizeBytes }, go) })
  }

  endProcesses(): void {
    this.#stalled = []
    this.#memory.endProcesses()
  }

  losePower(): void {
    this.#stalled = []
    // Often all or nothing survives: a disk that was idle for long, or one that has just been told everything.
    const share = this.#random.weighted([0, 0.5, 0.9, 1], () => 1)
    this.#memory.crash(() => this.#random.fraction() < share)
  }

  /** @returns ends it */
  failWith(operations: readonly ('read' | 'write' | 'sync')[], chance: number): () => void {
    const error = { operations, chance }
    this.#errors.add(error)
    return () => this.#errors.delete(error)
  }

  /** Not one more page fits. @returns ends it */
  fill(): () => void {
    this.#fills++
    this.#memory.setCapacity(this.#memory.usedBytes)
    return () => {
      if (--this.#fills === 0) this.#memory.setCapacity(capacityBytes)
    }
  }

  /** @returns ends it */
  slowDown(factor: number): () => void {
    this.#slowness.push(factor)
    return () => {
      this.#slowness.splice(this.#slowness.indexOf(factor), 1)
    }
  }

  /** @returns ends it */
  stall(): () => void {
    this.#stalls++
    return () => {
      if (--this.#stalls > 0) return
      const stalled = this.#stalled
      this.#stalled = []
      for (const go of stalled) go()
    }
  }

  /** @returns ends it */
  lie(): () => void {
    this.#memory.setLying(++this.#lies > 0)
    return () => this.#memory.setLying(--this.#lies > 0)
  }

  /** The next write of data lands one page beside where it should. */
  misplaceNextWrite(): void {
    this.#memory.setMisplacing((_, position) => {
      this.#memory.setMisplacing(undefined)
      return position + pageBytes
    })
  }

  /** Flips a drawn bit in a file that `chooses`. @returns the file; undefined: there is none */
  flipBit(chooses: (file: StoredFile) => boolean): string | undefined {
    const files = this.files().filter((file) => file.lengthBytes > 0 && chooses(file))
    if (files.length === 0) return undefined
    const { path, lengthBytes } = this.#random.weighted(files, (file) => file.lengthBytes)
    this.#memory.flipBit(path, this.#random.below(lengthBytes), this.#random.below(8))
    return path
  }

  #pace(
    owner: SimProcess | undefined,
    { operation, sizeBytes }: { readonly operation: DiskOperation; readonly sizeBytes: number },
    go: () => void,
  ): void {
    const isSync = operation === 'sync' || operation === 'sync-directory'
    let delayMs = (isSync ? this.#syncMs : promptMs) * (0.5 + this.#random.fraction()) + sizeBytes / bytesPerMs
    if (this.#random.fraction() * lateOneIn < 1) delayMs *= 20 * this.#random.fraction()
    const start = () => {
      this.#scheduler.schedule(delayMs * Math.max(1, ...this.#slowness), 'disk', owner, go)
    }
    if (this.#stalls > 0) this.#stalled.push(start)
    else start()
  }

  #failure(operation: DiskOperation, path: string): AshlarError | undefined {
    if (operation === 'sync' && this.#failNextSync?.(path) === true) {
      this.#failNextSync = undefined
      return ioError(operation, path)
    }
    for (const { operations, chance } of this.#errors) {
      const kind = operation === 'sync-directory' ? 'sync' : operation
      if (!operations.includes(kind) || this.#random.fraction() >= chance) continue
      return ioError(operation, path)
    }
    return undefined
  }
}

function ioError(doing: DiskOperation, path: string): AshlarError {
  return diskError(Object.assign(new Error('EIO'), { code: 'EIO' }), { doing, path })
}

function unpaced(): never {
  assert(false, 'every operation comes through a mount, which paces it')
}

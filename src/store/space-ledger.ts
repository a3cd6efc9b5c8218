/**
 * The room of a store: what is used, reserved and still free, to the byte.
 *
 * Two things limit it. The *capacity* counts chunk bytes and is exact: used + reserved never passes it. The *disk
 * beneath* has the marks of promise P8: a write is refused only when the disk is both fuller than the fraction and
 * has less free than the bytes ("whichever comes later"). Without a declared capacity, the servers that share the
 * disk get equal parts of what is free.
 * @module
 */
import { assert } from '../base/assert.ts'
import { AshlarError } from '../base/errors.ts'
import { diskMarks } from '../base/limits.ts'
import { formatSize } from '../base/sizes.ts'
import type { DiskSpace } from '../env/disk.ts'
import type { SpaceUse } from './chunk-store.ts'

export interface DiskMark {
  readonly usedFraction: number
  readonly freeBytes: number
}

export interface SpaceLedgerOptions {
  /** Undefined: a part of what the disk has free. */
  readonly capacityBytes: number | undefined
  /** How many servers share the disk. */
  readonly shareOf: number
  readonly mark?: DiskMark
}

/** Room that a write has declared. */
export interface Reservation {
  /** The write became a chunk. */
  use(): void
  /** The write ended; idempotent, and does nothing after `use`. */
  release(): void
}

/** What may still be written to a disk before `mark` refuses. */
export function roomBeneath({ totalBytes, freeBytes }: DiskSpace, mark: DiskMark): number {
  const untilFraction = Math.floor(totalBytes * mark.usedFraction) - (totalBytes - freeBytes)
  const untilFree = freeBytes - mark.freeBytes
  return Math.max(0, Math.min(freeBytes, Math.max(untilFraction, untilFree)))
}

export class SpaceLedger {
  readonly #mark: DiskMark
  readonly #shareOf: number
  #capacityBytes: number | undefined
  #usedBytes = 0
  #reservedBytes = 0
  #roomBytes = 0
  /** Bytes written since the disk was last measured. */
  #writtenBytes = 0

  constructor({ capacityBytes, shareOf, mark = diskMarks.write }: SpaceLedgerOptions) {
    assert(Number.isInteger(shareOf) && shareOf >= 1, 'a disk is shared by at least one server')
    this.#capacityBytes = capacityBytes
    this.#shareOf = shareOf
    this.#mark = mark
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  get reservedBytes(): number {
    return this.#reservedBytes
  }

  get writtenSinceMeasuredBytes(): number {
    return this.#writtenBytes
  }

  /** Takes in a fresh measurement of the disk beneath. */
  measured(space: DiskSpace): void {
    this.#roomBytes = roomBeneath(space, this.#mark)
    this.#writtenBytes = 0
  }

  /** Sets what the store holds, when it was opened. */
  startWith(usedBytes: number): void {
    this.#usedBytes = usedBytes
  }

  /** @throws {AshlarError} `invalid-argument` — less than what is used and reserved */
  setCapacity(capacityBytes: number): void {
    const held = this.#usedBytes + this.#reservedBytes
    if (capacityBytes < held) {
      throw new AshlarError(
        'invalid-argument',
        `Cannot set the capacity to ${formatSize(capacityBytes)}: ${formatSize(held)} are in use; move chunks away first`,
      )
    }
    this.#capacityBytes = capacityBytes
  }

  /** @throws {AshlarError} `no-space`; nothing is reserved then */
  reserve(length: number, use: () => SpaceUse): Reservation {
    if (length <= this.freeBytes()) {
      this.#reservedBytes += length
      return this.#reservation(length)
    }
    const now = use()
    const why = now.refusal === 'disk-full' ? 'the disk beneath is full' : `${formatSize(now.freeBytes)} are free`
    throw new AshlarError('no-space', `Cannot store ${formatSize(length)}: ${why}`, { details: { ...now } })
  }

  free(length: number): void {
    assert(length <= this.#usedBytes, 'more was freed than was used')
    this.#usedBytes -= length
  }

  roomBytes(): number {
    return Math.max(0, this.#roomBytes - this.#writtenBytes - this.#reservedBytes)
  }

  capacityBytes(): number {
    return (
      this.#capacityBytes ??
      this.#usedBytes + Math.floor(Math.max(0, this.#roomBytes - this.#writtenBytes) / this.#shareOf)
    )
  }

  freeBytes(): number {
    const withinCapacity = this.capacityBytes() - this.#usedBytes - this.#reservedBytes
    return Math.max(0, Math.min(withinCapacity, this.roomBytes()))
  }

  refusal(): 'capacity' | 'disk-full' | undefined {
    if (this.roomBytes() === 0) return 'disk-full'
    return this.freeBytes() === 0 ? 'capacity' : undefined
  }

  #reservation(length: number): Reservation {
    let isHeld = true
    const end = () => {
      const wasHeld = isHeld
      isHeld = false
      if (wasHeld) this.#reservedBytes -= length
      return wasHeld
    }
    return {
      use: () => {
        assert(end(), 'a reservation was used after it ended')
        this.#usedBytes += length
        this.#writtenBytes += length
      },
      release: () => {
        end()
      },
    }
  }
}

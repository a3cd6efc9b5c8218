/**
 * Page-aligned buffers for direct I/O: pooled, since making one is slow, and bounded, since streams are many.
 *
 * A few sizes: a block for small reads, a MiB for streams. Waiters are served in order, so that no stream starves
 * another, and at most `maxWaiting` wait.
 * Invariants: lent and kept bytes together stay within the budget. A buffer comes back only through its lease, which
 * its holder releases when the kernel or the socket is done with it: never because a request was given up.
 * @module
 */
import { assert } from '../base/assert.ts'
import { limits } from '../base/limits.ts'
import { type AlignedBuffer, type Disk, pageBytes } from '../env/disk.ts'
import { Limiter } from '../env/waiting.ts'

export interface Lease {
  /** Page-aligned memory of the length asked for, rounded up to whole pages. */
  readonly bytes: Buffer
  /** Exactly once. */
  release(): void
}

export const streamBufferBytes = 1024 * 1024

const sizes: readonly number[] = [limits.blockBytes, 4 * limits.blockBytes, streamBufferBytes]

export class BufferPool {
  readonly #disk: Disk
  readonly #budget: Limiter
  readonly #budgetBytes: number
  readonly #idle = new Map<number, AlignedBuffer[]>(sizes.map((size) => [size, []]))
  #lentBytes = 0
  #idleBytes = 0

  constructor(disk: Disk, options: { readonly budgetBytes?: number; readonly maxWaiting?: number } = {}) {
    this.#disk = disk
    this.#budgetBytes = options.budgetBytes ?? limits.storeBufferBytes
    this.#budget = new Limiter({
      name: 'a store buffer',
      slots: this.#budgetBytes,
      maxWaiting: options.maxWaiting ?? limits.storeBufferWaiters,
    })
  }

  get lentBytes(): number {
    return this.#lentBytes
  }

  get heldBytes(): number {
    return this.#lentBytes + this.#idleBytes
  }

  get waiting(): number {
    return this.#budget.waiting
  }

  /** Whether a buffer of `length` bytes would have to be waited for. */
  isShort(length: number): boolean {
    return this.#budget.waiting > 0 || this.#lentBytes + sizeFor(length) > this.#budgetBytes
  }

  /**
   * @param length at most {@link streamBufferBytes}
   * @throws {AshlarError} `busy` — too many wait already
   */
  async lease(length: number): Promise<Lease> {
    const size = sizeFor(length)
    await this.#budget.acquire(size)
    this.#lentBytes += size
    const buffer = this.#take(size)
    let released = false
    return {
      bytes: buffer.subarray(0, Math.ceil(length / pageBytes) * pageBytes),
      release: () => {
        assert(!released, 'a buffer was released twice')
        released = true
        this.#lentBytes -= size
        this.#keep(size, buffer)
        this.#budget.release(size)
      },
    }
  }

  /** Counts somebody else's buffer among the lent ones, until its lease is released. @returns undefined: there is no room */
  adopt(bytes: Buffer, release: () => void): Lease | undefined {
    if (!this.#budget.tryAcquire(bytes.length)) return undefined
    this.#lentBytes += bytes.length
    return {
      bytes,
      release: () => {
        this.#lentBytes -= bytes.length
        this.#budget.release(bytes.length)
        release()
      },
    }
  }

  #take(size: number): AlignedBuffer {
    const kept = this.#idle.get(size)?.pop()
    if (kept !== undefined) {
      this.#idleBytes -= size
      return kept
    }
    for (const [other, buffers] of this.#idle) {
      while (this.heldBytes > this.#budgetBytes && buffers.length > 0) {
        buffers.pop()
        this.#idleBytes -= other
      }
    }
    return this.#disk.alignedBuffer(size)
  }

  #keep(size: number, buffer: AlignedBuffer): void {
    const buffers = this.#idle.get(size)
    if (buffers === undefined) return
    buffers.push(buffer)
    this.#idleBytes += size
  }
}

function sizeFor(length: number): number {
  assert(length > 0 && length <= streamBufferBytes, 'no buffer of this length')
  return sizes.find((size) => length <= size) as number
}

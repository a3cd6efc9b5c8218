/**
 * Syncs the commits of a memory engine in groups: each sync covers what was applied before it began, and takes time. While
 * one is under way the next group collects.
 * @module
 */
import type { Clock } from '../env/clock.ts'
import type { Random } from '../env/random.ts'
import type { MemoryImage } from './memory-image.ts'

interface Waiter {
  /** Syncs that must have ended. */
  readonly sync: number
  readonly resolve: () => void
}

export class GroupSync {
  readonly #image: MemoryImage
  readonly #clock: Clock
  readonly #random: Random
  readonly #delayMs: number
  #waiters: Waiter[] = []
  #begun = 0
  #ended = 0
  /** Commits that the sync under way covers. */
  #covered = 0
  #isBeginning = false
  #isCrashed = false

  constructor(
    image: MemoryImage,
    { clock, random, delayMs }: { readonly clock: Clock; readonly random: Random; readonly delayMs: number },
  ) {
    this.#image = image
    this.#clock = clock
    this.#random = random
    this.#delayMs = delayMs
  }

  /** Resolves when all that is applied now is durable, or the engine has crashed. */
  done(): Promise<void> {
    // What the sync under way covers is known to be older only if nothing was applied since it began.
    const sync = this.#image.unsyncedCount > this.#covered ? this.#begun + 1 : this.#begun
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiters.push({ sync, resolve })
    if (this.#begun === this.#ended) this.#beginSoon()
    return promise
  }

  /** Takes back what was not durable: the group under way whole or not at all. */
  crash(): void {
    const { unsyncedCount } = this.#image
    const isGroupKept = this.#random.fraction() < 0.5
    this.#image.loseLatest(isGroupKept ? unsyncedCount - this.#covered : unsyncedCount)
    this.#isCrashed = true
    this.#clock.soon(() => this.#settle(Number.POSITIVE_INFINITY))
  }

  /** So that what was committed together is synced together. */
  #beginSoon(): void {
    if (this.#isBeginning) return
    this.#isBeginning = true
    this.#clock.soon(() => {
      this.#isBeginning = false
      if (!this.#isCrashed) this.#begin()
    })
  }

  #begin(): void {
    this.#begun++
    this.#covered = this.#image.unsyncedCount
    this.#clock.after(this.#delayMs * (0.5 + this.#random.fraction()), () => {
      if (this.#isCrashed) return
      this.#image.syncOldest(this.#covered)
      this.#covered = 0
      this.#ended++
      this.#settle(this.#ended)
      if (this.#waiters.length > 0) this.#begin()
    })
  }

  #settle(ended: number): void {
    const waiters = this.#waiters
    this.#waiters = waiters.filter(({ sync }) => sync > ended)
    for (const { sync, resolve } of waiters) if (sync <= ended) resolve()
  }
}

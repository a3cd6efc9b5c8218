/**
 * The fence of one disk. After a failed sync or write nobody knows which pages reached the medium: the kernel has
 * dropped them and reports the error once. So the first failure ends all writing until the store is opened again and
 * reads back what is really there. Nothing is "tried again until it works".
 * @module
 */
import { AshlarError, isAshlarError } from '../base/errors.ts'
import type { Log } from '../env/log.ts'

export class Fence {
  readonly #log: Log
  #cause: unknown
  #isUp = false

  constructor(log: Log) {
    this.#log = log
  }

  get isUp(): boolean {
    return this.#isUp
  }

  /** @throws {AshlarError} `disk-failed` once the fence is up */
  check(): void {
    if (!this.#isUp) return
    throw new AshlarError('disk-failed', 'Cannot use store: its disk failed, it is fenced until it is opened again', {
      cause: this.#cause,
    })
  }

  raise(cause: unknown): void {
    if (this.#isUp) return
    this.#isUp = true
    this.#cause = cause
    this.#log.error('store is fenced: a write or sync failed', { error: String(cause) })
  }

  /** Runs work that changes the disk; a failure of the disk raises the fence. */
  async guard<T>(work: () => Promise<T>): Promise<T> {
    this.check()
    try {
      return await work()
    } catch (error) {
      if (isAshlarError(error, 'disk-failed', 'read-only')) this.raise(error)
      throw error
    }
  }
}

/**
 * Work that nobody waits for now: each piece is known, its failure is logged, and closing waits for all of them.
 * So nothing is fired and forgotten.
 * @module
 */
import { toAshlarError } from '../base/errors.ts'
import type { Log } from '../env/log.ts'

export class Background {
  readonly #log: Log
  readonly #running = new Set<Promise<void>>()

  constructor(log: Log) {
    this.#log = log
  }

  /** @param doing completes "Cannot …", for the log */
  run(doing: string, work: Promise<unknown>): void {
    const settled: Promise<void> = work.then(
      () => this.#done(settled),
      (error: unknown) => {
        const { code, message } = toAshlarError(error, doing)
        this.#log.debug(`cannot ${doing}`, { code, message })
        this.#done(settled)
      },
    )
    this.#running.add(settled)
  }

  /** Waits until everything that runs now has settled. */
  async settled(): Promise<void> {
    await Promise.all(this.#running)
  }

  #done(work: Promise<void>): void {
    this.#running.delete(work)
  }
}

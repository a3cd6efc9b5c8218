/**
 * One answer from several sources: the best first, the next when it fails or is later than almost all answers were.
 *
 * The first success wins; what still runs ends by its own deadline, and its result is dropped. Hedges are a tenth of all
 * requests at most, so that a cluster which is slow as a whole is not asked for twice as much.
 * @module
 */
import { type AshlarError, toAshlarError } from '../base/errors.ts'
import type { Clock, Timer } from '../env/clock.ts'

export interface SourceFailure<Source> {
  readonly source: Source
  readonly error: AshlarError
}

/** Every source failed. Not an error that leaves the client: its reader turns it into one. */
export class AllSourcesFailed<Source> {
  readonly failures: readonly SourceFailure<Source>[]

  constructor(failures: readonly SourceFailure<Source>[]) {
    this.failures = failures
  }
}

const hedgesPerRequest = 0.1
const hedgesSaved = 10

export class Hedger {
  readonly #clock: Clock
  #allowance = hedgesSaved

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * @param sources best first, at least one
   * @throws {AllSourcesFailed} with the error of each
   */
  async first<Source, T>(
    sources: readonly Source[],
    {
      ask,
      hedgeAfterMs,
      onLate,
    }: {
      readonly ask: (source: Source) => Promise<T>
      readonly hedgeAfterMs: (source: Source) => number
      /** Told of a source that has not answered when the next one was due, also when none may be asked. */
      readonly onLate?: (source: Source) => void
    },
  ): Promise<T> {
    this.#allowance = Math.min(hedgesSaved, this.#allowance + hedgesPerRequest)
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const failures: SourceFailure<Source>[] = []
    let next = 0
    let running = 0
    let timer: Timer | undefined
    let isSettled = false
    const launch = () => {
      timer?.cancel()
      const source = sources[next++] as Source
      running++
      if (next < sources.length) timer = this.#clock.after(hedgeAfterMs(source), () => hedge(source))
      ask(source).then(succeeded, (error: unknown) => failed(source, error))
    }
    const hedge = (late: Source) => {
      if (isSettled) return
      onLate?.(late)
      if (this.#allowance < 1) return
      this.#allowance--
      launch()
    }
    const succeeded = (result: T) => {
      isSettled = true
      timer?.cancel()
      resolve(result)
    }
    const failed = (source: Source, error: unknown) => {
      running--
      failures.push({ source, error: toAshlarError(error, 'read a replica') })
      if (isSettled) return
      if (next < sources.length) launch()
      else if (running === 0) {
        isSettled = true
        timer?.cancel()
        reject(new AllSourcesFailed(failures))
      }
    }
    launch()
    return await promise
  }
}

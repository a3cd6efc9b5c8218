/**
 * The one shape of all background work: every so often, or when woken, a worker takes bounded steps until a step says
 * that nothing is left.
 *
 * Steps of one worker never overlap. A step that fails is logged, and the next comes later and later, up to
 * `maxBackoffMs`. Intervals are jittered, so that the workers of many masters and restarts do not march in step.
 * @module
 */
import { type AshlarError, isAshlarError } from '../base/errors.ts'
import type { Env } from '../env/env.ts'

/** Whether a step left something to do now. */
export type StepResult = 'idle' | 'more'

export interface WorkerOptions {
  /** For logs. */
  readonly name: string
  readonly env: Env
  readonly intervalMs: number
  /** One bounded step. It ends soon after `signal` aborts. */
  readonly step: (signal: AbortSignal) => Promise<StepResult>
  /** The master lost its leadership or its store: no step can succeed any more. The worker has ended. */
  readonly onFatal: (error: AshlarError) => void
}

const maxBackoffMs = 30_000

export class Worker {
  readonly #options: WorkerOptions
  readonly #stopping = new AbortController()
  #running: Promise<void> | undefined
  #wakeUp: (() => void) | undefined
  #isWoken = false

  constructor(options: WorkerOptions) {
    this.#options = options
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** Makes the next step come now, or right after the one under way. */
  wake(): void {
    this.#isWoken = true
    this.#wakeUp?.()
  }

  /** Resolves when the step under way has ended. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#wakeUp?.()
    await this.#running
  }

  async #run(): Promise<void> {
    const { env, name, step, onFatal } = this.#options
    const { signal } = this.#stopping
    let failures = 0
    while (!signal.aborted) {
      await this.#pause(this.#pauseMs(failures))
      if (signal.aborted) return
      try {
        let result: StepResult = 'more'
        while (result === 'more' && !signal.aborted) {
          result = await step(signal)
          if (result === 'more') await new Promise<void>((resolve) => env.clock.soon(resolve))
        }
        failures = 0
      } catch (error) {
        if (signal.aborted) return
        if (isAshlarError(error, 'stale-leader', 'closed')) return onFatal(error)
        failures++
        env.log.warn('a worker failed and will try again', { worker: name, failures, error })
      }
    }
  }

  #pauseMs(failures: number): number {
    const { env, intervalMs } = this.#options
    const backedOffMs = Math.min(intervalMs * 2 ** Math.min(failures, 10), Math.max(maxBackoffMs, intervalMs))
    return backedOffMs * (0.75 + env.random.fraction() / 2)
  }

  /** Waits, unless woken; ends early when stopped. */
  async #pause(pauseMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wakeUp = resolve
    if (this.#isWoken || this.#stopping.signal.aborted) resolve()
    const timer = this.#options.env.clock.after(pauseMs, resolve)
    await promise
    timer.cancel()
    this.#wakeUp = undefined
    this.#isWoken = false
  }
}

/**
 * The master's background work, by name, with how often each looks for something to do when nobody wakes it.
 * @module
 */
import type { AshlarError } from '../base/errors.ts'
import type { Env } from '../env/env.ts'
import type { StepResult } from './worker.ts'
import { Worker } from './worker.ts'

const intervalsMs = {
  /** Cluster time: its mark must stay ahead. */
  time: 1_000,
  /** Health of chunk servers. */
  watch: 500,
  /** Sessions, allocations and tombstones whose time is over. */
  expiry: 1_000,
  purge: 3_000,
  gc: 1_000,
  repair: 2_000,
  /** Plans of groups' members. */
  members: 1_000,
  fill: 1_000,
  leftovers: 3_000,
  reconcile: 2_000,
  /** The marks of the wall's pace. */
  wall: 15_000,
  /** A pass begins when its time has come. */
  lifecycle: 1_000,
} as const

export type WorkerName = keyof typeof intervalsMs
export const workerNames = Object.keys(intervalsMs) as readonly WorkerName[]

export interface WorkersOptions {
  readonly env: Env
  readonly steps: Readonly<Record<WorkerName, (signal: AbortSignal) => Promise<StepResult>>>
  readonly onFatal: (error: AshlarError) => void
}

export class Workers {
  readonly #workers: Readonly<Record<WorkerName, Worker>>

  constructor({ env, steps, onFatal }: WorkersOptions) {
    const log = (name: WorkerName) => ({ ...env, log: env.log.child({ worker: name }) })
    this.#workers = Object.fromEntries(
      workerNames.map((name) => [
        name,
        new Worker({ name, env: log(name), intervalMs: intervalsMs[name], step: steps[name], onFatal }),
      ]),
    ) as Record<WorkerName, Worker>
  }

  start(): void {
    for (const name of workerNames) this.#workers[name].start()
  }

  wake(...names: readonly WorkerName[]): void {
    for (const name of names) this.#workers[name].wake()
  }

  /** Resolves when the steps under way have ended. */
  async stop(): Promise<void> {
    await Promise.all(workerNames.map((name) => this.#workers[name].stop()))
  }
}

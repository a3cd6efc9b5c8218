/**
 * Runs seeds on all cores: worker threads, each of which takes the next seed when it is done with one. Every run is a pure
 * function of its script, so it does not matter which thread has it. This file is also what a worker runs.
 * @module
 */
import { availableParallelism } from 'node:os'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { toAshlarError } from '../../base/errors.ts'
import type { Violation } from '../../sim/oracles/violation.ts'
import type { Script } from '../../sim/script.ts'
import { simulate } from '../../sim/simulate.ts'
import { swarm } from '../../sim/swarm.ts'

/** What is left of a run for whoever counts. */
export interface SeedResult {
  readonly seed: number
  readonly violations: readonly Violation[]
  readonly traceHash: string
  /** Of a second run, where it was asked for. */
  readonly secondHash?: string
  readonly virtualMs: number
  readonly events: number
  readonly operations: number
  readonly faults: number
  readonly isUndecided: boolean
  readonly elapsedMs: number
}

export interface SeedRunsOptions {
  readonly first: number
  readonly count: number
  /** Default: one for each core. */
  readonly jobs?: number | undefined
  readonly twice: boolean
  readonly signal: AbortSignal
  readonly onResult: (result: SeedResult) => void
}

const role = 'ashlar-sim-seeds'
/** Of a thread. A run makes much garbage and keeps little: with more room than by default it costs a tenth less. */
export const seedResources = { maxYoungGenerationSizeMb: 96 } as const

/** Resolves when all have run, or the signal has stopped it. */
export async function runSeeds(options: SeedRunsOptions): Promise<void> {
  const { first, count, twice, signal, onResult } = options
  const jobs = Math.min(options.jobs ?? availableParallelism(), count)
  let next = first
  const takeSeed = () => (next < first + count && !signal.aborted ? next++ : undefined)
  if (jobs === 1) {
    for (let seed = takeSeed(); seed !== undefined; seed = takeSeed()) onResult(await runScript(swarm(seed), { twice }))
    return
  }
  await Promise.all(Array.from({ length: jobs }, () => runWorker(takeSeed, { twice, onResult })))
}

function runWorker(
  takeSeed: () => number | undefined,
  { twice, onResult }: Pick<SeedRunsOptions, 'twice' | 'onResult'>,
): Promise<void> {
  const worker = new Worker(new URL(import.meta.url), { workerData: { role, twice }, resourceLimits: seedResources })
  const giveNext = () => {
    const seed = takeSeed()
    if (seed === undefined) void worker.terminate()
    else worker.postMessage(seed)
  }
  return new Promise((resolve, reject) => {
    worker.on('message', (result: SeedResult) => {
      onResult(result)
      giveNext()
    })
    worker.once('error', reject)
    worker.once('exit', () => resolve())
    giveNext()
  })
}

/** Never rejects: a simulation that fails is a violation. */
export async function runScript(script: Script, { twice }: { readonly twice: boolean }): Promise<SeedResult> {
  const startedMs = performance.now()
  try {
    const outcome = await simulate(script)
    const { violations, traceHash, virtualMs, events, operations, faults, isUndecided } = outcome
    const elapsedMs = performance.now() - startedMs
    const second = twice ? await simulate(script) : undefined
    const differs = second !== undefined && second.traceHash !== traceHash
    const different: Violation = {
      oracle: 'world',
      text: `the second run of the same script was another one: its hash is ${second?.traceHash}, not ${traceHash}`,
    }
    return {
      seed: script.seed,
      violations: differs ? [...violations, different] : violations,
      traceHash,
      ...(second === undefined ? {} : { secondHash: second.traceHash }),
      virtualMs,
      events,
      operations,
      faults,
      isUndecided,
      elapsedMs,
    }
  } catch (error) {
    const failure = toAshlarError(error, 'simulate')
    const cause = failure.cause instanceof Error ? ` (${failure.cause.stack})` : ''
    return {
      seed: script.seed,
      violations: [{ oracle: 'world', text: `the simulation itself failed: ${failure.message}${cause}` }],
      traceHash: '',
      virtualMs: 0,
      events: 0,
      operations: script.operations.length,
      faults: script.faults.length,
      isUndecided: false,
      elapsedMs: performance.now() - startedMs,
    }
  }
}

function serve(twice: boolean): void {
  parentPort?.on('message', (seed: number) => {
    // runScript() never rejects.
    void runScript(swarm(seed), { twice }).then((result) => parentPort?.postMessage(result))
  })
}

if (!isMainThread && (workerData as { readonly role?: unknown } | null)?.role === role) {
  serve((workerData as { readonly twice: boolean }).twice)
}

/**
 * What users do meanwhile: files read and verified, written and rewritten, at a steady pace, each operation timed. An operation that
 * fails is an error that a user saw: there may be none.
 * @module
 */
import { setTimeout as wait } from 'node:timers/promises'
import { isAshlarError } from '../../../src/base/errors.ts'
import type { AshlarClient } from '../../../src/client/index.ts'
import { seededRandom } from '../../../src/env/seeded-random.ts'
import type { Version } from './contents.ts'
import type { Stage } from './stage.ts'

export interface ForegroundOptions {
  readonly readsPerSecond?: number
  readonly writesPerSecond?: number
  /** What fails with it is expected, and is counted apart. */
  readonly allowed?: readonly string[]
}

interface Sample {
  readonly kind: 'read' | 'write'
  readonly atMs: number
  readonly tookMs: number
}

/** Of operations that began in a span of time, in milliseconds. */
export interface Latency {
  readonly reads: number
  readonly readP50Ms: number
  readonly readP99Ms: number
  readonly writes: number
  readonly writeP50Ms: number
  readonly writeP99Ms: number
}

const readers = 8
const writers = 4
/** So many of twenty files are rewritten; the others are read. */
const rewrittenOfTwenty = 2

export class Foreground {
  readonly #stage: Stage
  readonly #options: Required<ForegroundOptions>
  readonly #samples: Sample[] = []
  readonly #running: Promise<void>[] = []
  readonly #stop = new AbortController()
  #client: AshlarClient | undefined
  errors = 0
  /** Failures of an allowed kind. */
  refusals = 0

  constructor(stage: Stage, { readsPerSecond = 100, writesPerSecond = 25, allowed = [] }: ForegroundOptions = {}) {
    this.#stage = stage
    this.#options = { readsPerSecond, writesPerSecond, allowed }
  }

  async start(): Promise<void> {
    const { readsPerSecond, writesPerSecond } = this.#options
    const random = seededRandom(this.#stage.options.seed ?? 1)
    const files = [...this.#stage.files.values()]
    const isRewritten = (_: Version, index: number) => index % 20 < rewrittenOfTwenty
    const read = files.filter((file, index) => !isRewritten(file, index))
    const rewritten = files.filter(isRewritten).map(({ path }) => path)
    const client = await this.#stage.connect()
    this.#client = client
    for (let reader = 0; reader < readers; reader++) {
      const pick = () => read[random.below(read.length)] as Version
      this.#run('read', { perSecond: readsPerSecond / readers, work: () => this.#stage.read(pick(), client) })
    }
    for (let writer = 0; writer < writers; writer++) {
      // Each has files of its own: what a file must hold is never in doubt.
      const own = rewritten.filter((_, index) => index % writers === writer)
      let next = 0
      const work = async () => {
        const path = own[next++ % Math.max(1, own.length)]
        if (path !== undefined && next % 2 === 0) return await this.#stage.rewrite(path, client)
        const added = { path: `/added/${writer}/${next}`, version: 1, length: 64 + random.below(64 * 1024) }
        await this.#stage.write(added, client)
      }
      this.#run('write', { perSecond: writesPerSecond / writers, work })
    }
  }

  /** Resolves when the operations under way are over. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#running)
    await this.#client?.close()
  }

  latency(fromMs: number, toMs: number): Latency {
    const of = (kind: Sample['kind']) =>
      this.#samples
        .filter((sample) => sample.kind === kind && sample.atMs >= fromMs && sample.atMs < toMs)
        .map(({ tookMs }) => tookMs)
        .sort((a, b) => a - b)
    const [reads, writes] = [of('read'), of('write')]
    return {
      reads: reads.length,
      readP50Ms: quantile(reads, 0.5),
      readP99Ms: quantile(reads, 0.99),
      writes: writes.length,
      writeP50Ms: quantile(writes, 0.5),
      writeP99Ms: quantile(writes, 0.99),
    }
  }

  #run(
    kind: Sample['kind'],
    { perSecond, work }: { readonly perSecond: number; readonly work: () => Promise<void> },
  ): void {
    const loop = async () => {
      // Not all at once.
      let dueMs = performance.now() + ((this.#running.length / (readers + writers)) * 1000) / perSecond
      while (!this.#stop.signal.aborted) {
        const startMs = performance.now()
        if (startMs < dueMs) {
          await wait(dueMs - startMs)
          continue
        }
        try {
          await work()
          this.#samples.push({ kind, atMs: startMs, tookMs: performance.now() - startMs })
        } catch (error) {
          this.#failed(kind, error)
        }
        // One that was late does not make up for it: users wait for their answers.
        dueMs = Math.max(dueMs + 1000 / perSecond, performance.now())
      }
    }
    this.#running.push(loop())
  }

  #failed(kind: string, error: unknown): void {
    if (isAshlarError(error) && this.#options.allowed.includes(error.code)) {
      this.refusals++
      return
    }
    this.errors++
    this.#stage.tell(`a ${kind} failed: ${String(error)}`)
  }
}

function quantile(sorted: readonly number[], part: number): number {
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0
  return Math.round(value * 10) / 10
}

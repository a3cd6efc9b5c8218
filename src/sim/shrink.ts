/**
 * Makes a failing script small: takes faults away, then operations, then machines, and lets the run end early, as long as
 * the same promise stays broken. Bounded by a number of runs, so it always ends, perhaps before the smallest script.
 * @see Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing Input
 * @module
 */
import type { OracleName } from './oracles/violation.ts'
import type { Fault, Script } from './script.ts'
import type { Outcome } from './simulate.ts'

export interface ShrinkOptions {
  readonly simulate: (script: Script) => Promise<Outcome>
  /** What must stay broken. */
  readonly oracle: OracleName
  /** Runs to spend. Default 300. */
  readonly mostRuns?: number
  /** Told after each run that failed as it should: the smallest script so far. */
  readonly onProgress?: (script: Script, runs: number) => void
}

export interface Shrunk {
  readonly script: Script
  readonly runs: number
}

export async function shrink(script: Script, options: ShrinkOptions): Promise<Shrunk> {
  return new Shrinking(script, options).run()
}

class Shrinking {
  readonly #options: ShrinkOptions
  readonly #mostRuns: number
  #smallest: Script
  #runs = 0

  constructor(script: Script, options: ShrinkOptions) {
    this.#smallest = script
    this.#options = options
    this.#mostRuns = options.mostRuns ?? 300
  }

  async run(): Promise<Shrunk> {
    let before: Script
    do {
      before = this.#smallest
      await this.#thin('faults')
      await this.#thin('operations')
      await this.#dropMachines()
      await this.#endEarly()
      await this.#shorten()
    } while (this.#smallest !== before && this.#hasRuns())
    return { script: this.#smallest, runs: this.#runs }
  }

  /** Delta debugging: takes pieces of a list away, large ones first. */
  async #thin(list: 'faults' | 'operations'): Promise<void> {
    for (let pieces = 2; this.#hasRuns(); ) {
      const items = this.#smallest[list]
      if (items.length === 0) return
      const size = Math.ceil(items.length / pieces)
      let isThinner = false
      for (let from = 0; from < items.length && this.#hasRuns(); from += size) {
        const gone = new Set<unknown>(items.slice(from, from + size))
        // What is left of the list by now, without this piece.
        const rest = (this.#smallest[list] as readonly unknown[]).filter((item) => !gone.has(item))
        if (await this.#holds({ ...this.#smallest, [list]: rest })) isThinner = true
      }
      if (!isThinner && size === 1) return
      pieces = isThinner ? 2 : Math.min(items.length, pieces * 2)
    }
  }

  /** The last server or client, where nothing that is left needs it. */
  async #dropMachines(): Promise<void> {
    for (let isFewer = true; isFewer && this.#hasRuns(); ) {
      isFewer = false
      const { cluster, operations, faults } = this.#smallest
      const copies = Number(cluster.policy.slice('replicated-'.length))
      if (cluster.servers.length > copies) {
        const servers = cluster.servers.slice(0, -1)
        const gone = `chunkserver-${cluster.servers.length}`
        const left = { ...cluster, servers }
        isFewer = await this.#holds({ ...this.#smallest, cluster: left, faults: without(faults, gone) })
      }
      if (!isFewer && cluster.clients > 1) {
        const clients = cluster.clients - 1
        const moved = operations.map((operation) => ({ ...operation, client: Math.min(operation.client, clients - 1) }))
        const left = without(faults, `client-${cluster.clients}`)
        isFewer = await this.#holds({
          ...this.#smallest,
          cluster: { ...cluster, clients },
          operations: moved,
          faults: left,
        })
      }
    }
  }

  /** Nothing happens after the last operation and fault: the run may end there. */
  async #endEarly(): Promise<void> {
    const { operations, faults, durationMs } = this.#smallest
    const ends = [...operations, ...faults].map((one) => one.atMs + ('durationMs' in one ? one.durationMs : 0))
    const lastMs = Math.ceil(Math.max(0, ...ends) / 1000 + 1) * 1000
    if (lastMs < durationMs) await this.#holds({ ...this.#smallest, durationMs: lastMs })
  }

  /** Plainer circumstances: no rare things at buggify's sites, then small files. */
  async #shorten(): Promise<void> {
    const { cluster, operations } = this.#smallest
    if (cluster.buggify) await this.#holds({ ...this.#smallest, cluster: { ...cluster, buggify: false } })
    const small = operations.map((operation) =>
      'content' in operation && operation.content.length > 100
        ? { ...operation, content: { ...operation.content, length: 100 } }
        : operation,
    )
    if (small.some((operation, index) => operation !== operations[index])) {
      await this.#holds({ ...this.#smallest, operations: small })
    }
  }

  /** Whether the candidate breaks the same promise; then it is the smallest. */
  async #holds(candidate: Script): Promise<boolean> {
    if (!this.#hasRuns()) return false
    this.#runs++
    const { oracle, simulate, onProgress } = this.#options
    const { violations } = await simulate(candidate)
    if (!violations.some((violation) => violation.oracle === oracle)) return false
    this.#smallest = candidate
    onProgress?.(candidate, this.#runs)
    return true
  }

  #hasRuns(): boolean {
    return this.#runs < this.#mostRuns
  }
}

function without(faults: readonly Fault[], host: string): readonly Fault[] {
  return faults.filter((fault) => {
    const hosts = [
      'host' in fault ? fault.host : undefined,
      'from' in fault ? fault.from : undefined,
      'to' in fault ? fault.to : undefined,
    ]
    return !hosts.includes(host)
  })
}

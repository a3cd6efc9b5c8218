/**
 * Rounds of faults: a cluster of real processes under a mixed load suffers one of the {@link injections} at a random moment, and
 * goes on. Then every file must be whole and in a state that was acknowledged (or of the one operation under way), nothing else
 * may be visible, and all copies must be there. Every so often, and at the end, the cluster comes to rest, is stopped, and each
 * disk is scanned: it must hold what the metadata names, and nothing else.
 *
 *     npm run test:faults -- --mode kill --rounds 200
 *     npm run test:faults -- --mode power --rounds 200 --seed 7
 *     npm run test:faults -- --mode power --door s3          (load and check go through an S3 gateway, which is killed too)
 *     npm run test:faults -- --mode all --rounds 10          (what the machine can do; what it cannot is said)
 * @module
 */
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { connect } from '../../src/client/index.ts'
import { Arena, whyNoArena } from './arena.ts'
import { GatewayProcess } from './gateway-process.ts'
import { History } from './history.ts'
import { type Injection, injections, type Mode, modes } from './injections.ts'
import { MixedLoad } from './mixed-load.ts'
import { listObjects, loadBucket, readObject, S3Load } from './s3-load.ts'
import {
  checkCopies,
  checkDisks,
  checkFiles,
  checkFsck,
  type Door,
  type Tell,
  type Violation,
  waitForRest,
  waitUntilRedundant,
} from './verify.ts'

export interface RoundsOptions {
  readonly rounds: number
  readonly mode: Mode
  /** Of every choice that is not the machine's. */
  readonly seed: number
  /** Through which the load goes, and what it left is read. Default: `sdk`. */
  readonly door?: 'sdk' | 's3'
  /** The load runs at most this long before the fault. */
  readonly maxLoadMs?: number
  /** Compare the disks at rest after every so many rounds and after the last one. Default 25; 0: never. */
  readonly restEvery?: number
  /** How often, in [0, 1], the disks are compared right after a crash of everything. Default 0.5. */
  readonly copyCheckChance?: number
  readonly maxFileBytes?: number
  /** Ends it after the round under way. */
  readonly signal?: AbortSignal
  readonly say?: (line: string) => void
}

export interface RoundsResult {
  readonly mode: Mode
  readonly seed: number
  readonly rounds: number
  /** Faults of the mode that truly happened. */
  readonly faults: number
  readonly operations: number
  readonly acknowledgements: number
  readonly filesRead: number
  /** How often all disks were compared with the books: each after a crash, and at rest. */
  readonly copyChecks: number
  readonly restChecks: number
  readonly leakedBytes: number
  /** Each a broken promise; empty: none. */
  readonly violations: readonly Violation[]
  readonly slowestStartMs: number
  readonly elapsedMs: number
}

/** Of a load before a fault strikes it: one round alone has to show that it did something. */
const leastOperations = 30
/** How long a busy machine may take for them. */
const loadWithinMs = 60_000
const masterArgs = ['--trash-keep', '2s', '--chunk-size', '1MiB']

/** @returns why the machine cannot do this mode, or false */
export function whyNotHere(mode: Mode): string | false {
  return whyNoArena(injections[mode].needs)
}

export async function runRounds(options: RoundsOptions): Promise<RoundsResult> {
  const injection: Injection = injections[options.mode]
  const { needs, masterArgs: more = [] } = injection
  await using arena = new Arena({ needs, masterArgs: [...masterArgs, ...more] })
  return await new Rounds(arena, options).run()
}

class Rounds {
  readonly #arena: Arena
  readonly #options: RoundsOptions
  readonly #injection: Injection
  readonly #history = new History()
  readonly #random: () => number
  readonly #gateway: GatewayProcess | undefined
  readonly #violations: Violation[] = []
  readonly #sums = {
    ...{ faults: 0, operations: 0, filesRead: 0 },
    ...{ copyChecks: 0, restChecks: 0, leakedBytes: 0 },
  }
  #slowestStartMs = 0
  #round = 0

  constructor(arena: Arena, options: RoundsOptions) {
    this.#arena = arena
    this.#options = options
    this.#injection = injections[options.mode]
    this.#random = seededFraction(options.seed)
    if (options.door === 's3') this.#gateway = new GatewayProcess(arena.cluster.clusterPath)
  }

  async run(): Promise<RoundsResult> {
    try {
      return await this.#run()
    } finally {
      await this.#gateway?.end('SIGKILL')
    }
  }

  async #run(): Promise<RoundsResult> {
    const { rounds, mode, seed, restEvery = 25 } = this.#options
    const startedMs = performance.now()
    await this.#start()
    await this.#gateway?.client.send('PUT', `/${loadBucket}`)
    while (this.#round < rounds && this.#options.signal?.aborted !== true) {
      this.#round++
      try {
        await this.#oneRound()
      } catch (error) {
        // A cluster that does not come back is what the rounds are looking for.
        this.#tell('no recovery', String(error))
        break
      }
      if (restEvery > 0 && (this.#round % restEvery === 0 || this.#round === rounds)) await this.#rest()
    }
    return {
      ...{ mode, seed, rounds: this.#round, acknowledgements: this.#history.acknowledgements },
      ...{ ...this.#sums, violations: this.#violations, slowestStartMs: Math.round(this.#slowestStartMs) },
      elapsedMs: Math.round(performance.now() - startedMs),
    }
  }

  async #oneRound(): Promise<void> {
    const { cluster } = this.#arena
    const { maxLoadMs = 1_500, maxFileBytes = 5_000_000, copyCheckChance = 0.5 } = this.#options
    const [random, history] = [this.#random, this.#history]
    const client = await connect({ cluster: cluster.clusterPath, timeoutMs: 1_500 })
    const load =
      this.#gateway === undefined
        ? new MixedLoad({ client, history, random, maxFileBytes })
        : new S3Load({ client: this.#gateway.client, history, random })
    load.start()
    await wait(300 + random() * (maxLoadMs - 300))
    // On a busy machine nothing may have been done by then: a fault would strike nothing.
    const untilMs = performance.now() + loadWithinMs
    while (load.operations < leastOperations && performance.now() < untilMs) await wait(100)
    const acknowledged = () => history.acknowledgements
    const losesGateway = this.#gateway !== undefined && random() < 0.5
    const [{ faultMs, faults, story: what }] = await Promise.all([
      this.#injection.strike({ arena: this.#arena, random, acknowledged }),
      losesGateway ? this.#gateway?.end('SIGKILL') : undefined,
    ])
    const story = losesGateway ? `${what}, and the gateway is killed` : what
    // Operations under way find the cluster again, or end: when the disks are looked at first.
    if (this.#injection.endsAll && random() < copyCheckChance) await Promise.all([load.stop(), this.#checkCopies()])
    await Promise.all([load.stop(), this.#start()])
    await client.close()
    for (const surprise of load.surprises) this.#tell('strange failure', String(surprise))
    await waitUntilRedundant(cluster, this.#tell)
    this.#sums.filesRead += await checkFiles(cluster, { history, faultMs, tell: this.#tell, door: this.#door() })
    this.#sums.operations += load.operations
    this.#sums.faults += faults
    this.#say(
      `round ${this.#round}: ${story}; ${load.operations} operations, ${history.acknowledgements} acknowledged so far, ` +
        `${this.#violations.length} violations`,
    )
  }

  async #checkCopies(): Promise<void> {
    this.#sums.copyChecks++
    await checkCopies(this.#arena.cluster, this.#tell)
  }

  async #rest(): Promise<void> {
    const { cluster } = this.#arena
    await this.#gateway?.end('SIGTERM')
    await waitForRest(cluster)
    await checkFsck(cluster, this.#tell)
    await cluster.stop()
    const { books, leakedBytes } = await checkDisks(cluster, this.#tell)
    this.#sums.restChecks++
    this.#sums.leakedBytes += leakedBytes
    this.#say(`at rest: ${books.live.size} chunks, each on the disks of its members; ${leakedBytes} bytes too many`)
    if (this.#round < this.#options.rounds) await this.#start()
  }

  async #start(): Promise<void> {
    this.#slowestStartMs = Math.max(this.#slowestStartMs, await this.#arena.cluster.start())
    await this.#gateway?.start()
  }

  #door(): Door | undefined {
    if (this.#gateway === undefined) return undefined
    const { client } = this.#gateway
    return { read: (path) => readObject(client, path), list: () => listObjects(client) }
  }

  readonly #tell: Tell = (kind, text) => {
    this.#violations.push({ kind, round: this.#round, text })
    this.#say(`VIOLATION in round ${this.#round}: ${kind}: ${text}`)
  }

  #say(line: string): void {
    this.#options.say?.(line)
  }
}

function seededFraction(seed: number): () => number {
  let state = seed >>> 0 || 1
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '20' },
      mode: { type: 'string', default: 'kill' },
      door: { type: 'string', default: 'sdk' },
      seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    },
  })
  const say = (line: string) => process.stdout.write(`${line}\n`)
  const wanted = values.mode === 'all' ? modes : modes.filter((mode) => mode === values.mode)
  if (wanted.length === 0) throw new Error(`there is no mode ${values.mode}: all, ${modes.join(', ')}`)
  const stop = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort())
  for (const mode of wanted) {
    if (stop.signal.aborted) return
    const reason = whyNotHere(mode)
    if (reason !== false) {
      say(`${mode}: skipped: ${reason}`)
      continue
    }
    say(`${mode}: seed ${values.seed}`)
    const result = await runRounds({
      rounds: Number(values.rounds),
      mode,
      door: values.door === 's3' ? 's3' : 'sdk',
      seed: Number(values.seed),
      signal: stop.signal,
      say,
    })
    say(JSON.stringify(result))
    if (result.violations.length > 0) process.exitCode = 1
  }
}

if (import.meta.main) await main()

/**
 * One run: a world, the script's operations and faults in it, and every oracle's judgement.
 *
 * The order is that of a bad day: work under faults; all faults end and every machine runs again; what is under way
 * ends; clients close; the cluster comes to rest within a bound; then everything is read back, and the books compared.
 * A run is a pure function of its script: the same script gives the same trace hash.
 * @module
 */
import { AshlarError, isAshlarError } from '../base/errors.ts'
import type { ServerId } from '../base/ids.ts'
import type { AshlarClient } from '../client/index.ts'
import { Chronicle } from './chronicle.ts'
import { createWorld } from './create-world.ts'
import { guessOrder } from './guess-order.ts'
import { History } from './history.ts'
import { errorText, judgeAnswers } from './oracles/answers.ts'
import { Burials } from './oracles/burials.ts'
import { KeptBytes } from './oracles/kept-bytes.ts'
import { LostTime } from './oracles/lost-time.ts'
import { Proof } from './oracles/proof.ts'
import { Rest } from './oracles/rest.ts'
import type { Violation } from './oracles/violation.ts'
import { Watch } from './oracles/watch.ts'
import { readBack } from './read-back.ts'
import type { Fault, HostName, Script } from './script.ts'
import { untrustedHosts } from './swarm-faults.ts'
import type { Witness } from './witness.ts'
import { type OperationEnd, runWorkload } from './workload.ts'
import type { LogLine, MetadataLoss, StoryLine, World } from './world.ts'

export interface Outcome {
  readonly ok: boolean
  readonly violations: readonly Violation[]
  /** Over everything that happened, in order. */
  readonly traceHash: string
  readonly virtualMs: number
  readonly events: number
  /** Operations that ran, and how their calls ended. */
  readonly operations: number
  readonly calls: Readonly<Record<'ok' | 'refused' | 'unknown' | 'void', number>>
  readonly faults: number
  /** The search for an order was given up: no judgement about it. */
  readonly isUndecided: boolean
  readonly history: History
  readonly story: readonly StoryLine[]
}

export interface SimulateOptions {
  readonly onLog?: (line: LogLine) => void
  /** Sees what master and servers do, for whoever tells the story. */
  readonly witness?: Witness
}

const watchIntervalMs = 5_000
/** What is under way when all is well again must end in this time: a client waits half a minute, with a few retries in a row. */
const endBoundMs = 180_000
const restartMs = 10
const closeBoundMs = 60_000
/** Of reading everything back. */
const readBackBoundMs = 120_000

export async function simulate(script: Script, { onLog, witness }: SimulateOptions = {}): Promise<Outcome> {
  const story: StoryLine[] = []
  let onStory = (_: StoryLine): void => undefined
  let onLoss = (_: MetadataLoss): void => undefined
  const { cluster, seed } = script
  const chronicle = new Chronicle()
  if (witness !== undefined) {
    chronicle.onWrites = (writes) => witness.seeWrites(writes)
    chronicle.onUndone = () => witness.doubt()
  }
  const hear = (line: LogLine) => {
    witness?.hear(line)
    onLog?.(line)
  }
  const world = await createWorld({
    cluster,
    seed,
    chronicle,
    onStory: (line) => {
      story.push(line)
      onStory(line)
    },
    onLoss: (loss) => onLoss(loss),
    ...(onLog === undefined && witness === undefined ? {} : { onLog: hear }),
  })
  witness?.begin(() => world.clock.monotonicMs())
  try {
    const run = new Run(script, world, { story, chronicle })
    onStory = (line) => run.hear(line)
    onLoss = (loss) => run.noteLoss(loss)
    return await run.run()
  } finally {
    await world.close()
  }
}

class Run {
  readonly #script: Script
  readonly #world: World
  readonly #story: StoryLine[]
  readonly #history: History
  readonly #chronicle: Chronicle
  readonly #watch = new Watch()
  readonly #proof: Proof
  readonly #burials: Burials
  readonly #kept: KeptBytes
  readonly #lostTime: LostTime
  readonly #violations: Violation[] = []
  /** Servers whose disks were given up. */
  readonly #replaced: ServerId[] = []
  /** While the metadata are lost: to be called when they are there again. */
  #endLoss: (() => void) | undefined

  constructor(
    script: Script,
    world: World,
    { story, chronicle }: { readonly story: StoryLine[]; readonly chronicle: Chronicle },
  ) {
    this.#script = script
    this.#world = world
    this.#story = story
    this.#history = new History(() => world.clock.monotonicMs())
    this.#chronicle = chronicle
    chronicle.momentOf = () => this.#history.moment
    const untrusted = untrustedHosts(script.faults)
    this.#proof = new Proof(() => world.facts(), script.faults)
    this.#kept = new KeptBytes(() => world.facts(), script.faults)
    this.#burials = new Burials(() => world.facts(), untrusted)
    this.#lostTime = new LostTime(() => world.facts(), untrusted)
  }

  /** A server that is back is looked at before others can mend what it lost. */
  hear({ host, what }: StoryLine): void {
    if (what !== 'runs') return
    if (host.startsWith('chunkserver')) {
      this.#look()
      this.#notice(this.#kept.look(host))
    }
    if (host === 'master') {
      this.#endLoss?.()
      this.#endLoss = undefined
    }
  }

  noteLoss({ sinceMs, chunks }: MetadataLoss): void {
    const acknowledged = new Set(
      this.#history.calls.map(({ outcome }) => (outcome.kind === 'ok' ? outcome.answer.version : undefined)),
    )
    const known = chunks.filter(({ version }) => acknowledged.has(version)).map(({ id }) => id)
    this.#notice(this.#lostTime.begin(known))
    this.#endLoss = this.#history.noteLoss(sinceMs)
  }

  async run(): Promise<Outcome> {
    const { faults, operations, durationMs } = this.#script
    for (const fault of faults) this.#world.clock.after(fault.atMs, () => this.#begin(fault))
    const ends = runWorkload(operations, this.#clients(), this.#history)
    const stopWatching = this.#keepWatching()
    await this.#world.runFor(durationMs)
    const isHealed = await this.#stage('heal', () => this.#heal())
    if (isHealed) {
      await this.#awaitEnds(ends)
      stopWatching()
      await this.#stage('come to rest', () => this.#settle())
    }
    const { cluster } = this.#script
    const verdict = judgeAnswers(this.#history, {
      trashLastsMs: trashLastsMs(cluster.trashKeepMs),
      guess: guessOrder(this.#history.calls, this.#chronicle.commits),
    })
    const violations = [
      ...this.#violations,
      ...this.#watch.violations,
      ...this.#proof.violations,
      ...this.#burials.violations,
      ...this.#kept.violations,
      ...verdict.violations,
    ]
    return {
      ok: violations.length === 0,
      violations,
      traceHash: this.#world.traceHash(),
      virtualMs: this.#world.clock.monotonicMs(),
      events: this.#world.events,
      operations: operations.length,
      calls: this.#counts(),
      faults: faults.length,
      isUndecided: verdict.isUndecided,
      history: this.#history,
      story: this.#story,
    }
  }

  /**
   * At once; or at the next answer (of bytes, where it strikes whoever keeps bytes), or in the middle of the next write;
   * if one comes before the work is over.
   */
  #begin(fault: Fault): void {
    const { clock } = this.#world
    if (fault.atAnswer !== true && fault.atWrite !== true) {
      this.#world.apply(fault)
      return
    }
    const isOfBytes = fault.atWrite === true || ('host' in fault && fault.host.startsWith('chunkserver'))
    const moment = fault.atWrite === true ? 'begun' : 'answered'
    const delayMs = fault.atWrite === true ? (1 + fault.id) * this.#script.cluster.networkDelayMs : 0
    this.#history.listen((what, step) => {
      if (what !== moment || (isOfBytes && !('content' in step && step.content.length > 0))) return false
      if (clock.monotonicMs() >= this.#script.durationMs) return true
      if (delayMs === 0) this.#world.apply(fault)
      else clock.after(delayMs, () => this.#world.apply(fault))
      return true
    })
  }

  #clients() {
    const { clock } = this.#world
    return {
      client: (index: number) => this.#world.client(index),
      nowMs: () => clock.monotonicMs(),
      after: (delayMs: number, callback: () => void) => void clock.after(delayMs, callback),
    }
  }

  /** @returns what ends it */
  #keepWatching(): () => void {
    let isStopped = false
    const look = () => {
      if (isStopped) return
      this.#look()
      const client = this.#world.client(0)
      if (client !== undefined) {
        this.#watch
          .look(client)
          .catch((error: unknown) => this.#break('surprise', `a look failed: ${errorText(error)}`))
      }
      this.#world.clock.after(watchIntervalMs, look)
    }
    look()
    return () => {
      isStopped = true
    }
  }

  #look(): void {
    this.#notice(this.#proof.look())
    this.#notice(this.#burials.look())
  }

  /** It goes on by itself, and never fails. */
  #notice(look: Promise<void>): void {
    look.catch((error: unknown) => this.#break('surprise', `a look failed: ${errorText(error)}`))
  }

  /**
   * All faults end, and every dead machine starts. One whose disk had failed is switched off and on again, as an operator
   * would do: what its failed syncs did not store is gone then.
   */
  async #heal(): Promise<void> {
    await this.#healAll()
    const fenced = this.#world.facts().servers.filter(({ store }) => store?.space().refusal === 'fenced')
    if (fenced.length === 0) return
    for (const { name } of fenced) {
      this.#world.apply({ kind: 'power-loss', id: -1, atMs: 0, host: name, durationMs: restartMs })
    }
    await this.#world.runFor(restartMs)
    await this.#healAll()
  }

  /**
   * A disk that lied about its syncs may have lost what a server cannot start without, and it says so for good reason: an operator gives
   * it an empty disk, and lets the server that it was go. Nobody else's server may stay away.
   */
  async #healAll(): Promise<void> {
    try {
      await this.#world.healAll()
    } catch (error) {
      const away = this.#world.facts().servers.filter(({ state }) => state !== 'running')
      const isExplained = away.length > 0 && away.every(({ name }) => this.#hasLied(name))
      if (!isAshlarError(error, 'timeout') || !isExplained) throw error
      for (const { name } of away) {
        const former = this.#world.replaceDisk(name)
        if (former !== undefined) this.#replaced.push(former)
      }
      await this.#world.healAll()
    }
  }

  #hasLied(name: HostName): boolean {
    return this.#script.faults.some((fault) => fault.kind === 'lying-sync' && fault.host === name)
  }

  /** One whose client died meanwhile may stay without an end; any other must have one. */
  async #awaitEnds(ends: readonly OperationEnd[]): Promise<void> {
    const isOpen = ({ isEnded, client, operation }: OperationEnd) =>
      !isEnded && client !== undefined && this.#world.client(operation.client) === client
    await this.#world.runUntil(() => !ends.some(isOpen), endBoundMs)
    for (const end of ends) {
      if (end.failure !== undefined) this.#break('surprise', `operation ${end.operation.id}: ${errorText(end.failure)}`)
      if (isOpen(end)) {
        this.#break(
          'ended',
          `operation ${end.operation.id} never ended, ${endBoundMs / 1000} s after all faults were gone`,
        )
      }
    }
  }

  /** The scripted clients go, with all that they hold; another one sees the cluster come to rest, and reads everything. */
  async #settle(): Promise<void> {
    const { clients } = this.#script.cluster
    const old = Array.from({ length: clients }, (_, index) => this.#world.client(index))
    const closed = Promise.all(old.map((client) => client?.close()))
    await this.#world.runWhile(closed, closeBoundMs)
    const observer = await this.#freshClient()
    for (const server of this.#replaced) await this.#world.runWhile(observer.duties.drain(server), closeBoundMs)
    const rest = new Rest(this.#world, this.#script)
    this.#violations.push(...(await rest.reach(observer)))
    const readAll = readBack(observer, this.#history, this.#script)
    this.#violations.push(...(await this.#world.runWhile(readAll, readBackBoundMs)))
    this.#violations.push(...(await rest.compare(observer)))
    const { kv } = this.#world.facts().master
    if (kv !== undefined) {
      this.#violations.push(...(await this.#world.runWhile(this.#lostTime.judge(kv), closeBoundMs)))
    }
    await this.#world.runWhile(this.#watch.look(observer), closeBoundMs)
  }

  /** After a client closed itself, only a new process gives another one. */
  async #freshClient(): Promise<AshlarClient> {
    const old = this.#world.client(0)
    const told = this.#story.length
    this.#world.apply({ kind: 'kill', id: -1, atMs: 0, host: 'client-1', durationMs: restartMs })
    await this.#world.runFor(restartMs)
    await this.#world.healAll()
    const client = this.#world.client(0)
    const what = 'is done; from here on another client watches, and reads everything back'
    this.#story.splice(told, Number.POSITIVE_INFINITY, {
      atMs: this.#world.clock.monotonicMs(),
      host: 'client-1',
      what,
    })
    if (client === undefined || client === old) {
      throw new AshlarError('internal', 'Cannot look at the cluster: no new client came up')
    }
    return client
  }

  /** @returns whether it succeeded; a failure is a violation */
  async #stage(what: string, work: () => Promise<void>): Promise<boolean> {
    try {
      await work()
      return true
    } catch (error) {
      const oracle = isAshlarError(error) ? 'rest' : 'world'
      this.#break(oracle, `the cluster did not ${what}: ${errorText(error)}`)
      return false
    }
  }

  #break(oracle: Violation['oracle'], text: string): void {
    this.#violations.push({ oracle, text })
  }

  #counts(): Outcome['calls'] {
    const counts = { ok: 0, refused: 0, unknown: 0, void: 0 }
    for (const { outcome } of this.#history.calls) {
      if (outcome.kind !== 'void' || outcome.code !== 'no-answer') counts[outcome.kind]++
    }
    return counts
  }
}

/** Cluster time may leap at each change of the leader, and a clock may be fast: only a long keep time is sure to last. */
function trashLastsMs(trashKeepMs: number): number {
  return trashKeepMs > 86_400_000 ? trashKeepMs / 2 : 0
}

/**
 * Watches the status sentence while servers die and come back, and judges it by what is known from outside: who runs, what the map
 * says of the members, and what the chunk servers themselves answer to fsck. Never says that all is well while it is not, never counts
 * servers wrongly, and never promises a repair that nobody makes.
 *
 * A moment passes until a death can be known: what is said within {@link graceMs} of a change proves nothing.
 * @module
 */
import { setTimeout as wait } from 'node:timers/promises'
import { healthOf } from '../../../src/cli/verbs/describe-status.ts'
import type { ClusterMap, ClusterStatus } from '../../../src/client/index.ts'
import { isWhole, type Stage } from './stage.ts'

const graceMs = 2_500
const lookEveryMs = 200
const silentMs = 5_000
const allIsWell = 'every chunk has all its replicas'

/** How far what was said of the time left was from what it took. */
export interface TimeLeft {
  readonly told: number
  /** Of `told / took`, the median; 1: exactly right. */
  readonly medianRatio: number
}

export class HonestStatus {
  readonly #stage: Stage
  readonly #stop = new AbortController()
  readonly #estimates: { readonly atMs: number; readonly leftMs: number }[] = []
  #running: Promise<void> = Promise.resolve()
  #isProven = false
  #last = ''
  #miscountedMs: number | undefined
  looks = 0
  /** Times at which all was well by its word, and fsck agreed. */
  proofs = 0

  constructor(stage: Stage) {
    this.#stage = stage
  }

  start(): void {
    this.#running = this.#watch()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  /** @param wholeMs when the repair was over, of `performance.now()` */
  timeLeft(wholeMs: number): TimeLeft {
    const ratios = this.#estimates
      .filter(({ atMs }) => wholeMs - atMs > 1000)
      .map(({ atMs, leftMs }) => leftMs / (wholeMs - atMs))
      .sort((a, b) => a - b)
    return { told: ratios.length, medianRatio: Math.round((ratios[ratios.length >> 1] ?? 1) * 100) / 100 }
  }

  async #watch(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await wait(lookEveryMs)
      const { changedMs, client, running } = this.#stage
      try {
        const status = await client.status()
        const map = await client.map()
        const again = await client.status()
        // Both looks and the map between them are of one moment, as far as can be known.
        const isOneMoment = changedMs === this.#stage.changedMs && performance.now() - changedMs > graceMs
        this.#note(status)
        if (isOneMoment) await this.#judge([status, again], { map, running: running.length })
        else this.#isProven = false
      } catch (error) {
        // Without a master there is nobody to say anything.
        if (this.#stage.cluster.isRunning('master')) this.#stage.tell(`no status: ${String(error)}`)
      }
    }
  }

  #note(status: ClusterStatus): void {
    const sentence = healthOf(status)
    const shape = sentence.replace(/\d+ chunks/, 'N chunks')
    if (shape !== this.#last) this.#stage.say(`status: ${sentence}`)
    this.#last = shape
    const repair = status.work?.find(({ duty }) => duty === 'repair')
    if (repair?.timeLeftMs === undefined || repair.groupsWaiting > 0) return
    this.#estimates.push({ atMs: performance.now(), leftMs: repair.timeLeftMs })
  }

  async #judge(
    looks: readonly [ClusterStatus, ClusterStatus],
    { map, running }: { readonly map: ClusterMap; readonly running: number },
  ): Promise<void> {
    this.looks++
    const [status] = looks
    const sentence = healthOf(status)
    const lie = (what: string) => this.#stage.tell(`the status said "${sentence}" while ${what}`)
    const away = [...sentence.matchAll(/(\d+) of \d+ servers (?:is|are) away/g)].reduce(
      (sum, [, count]) => sum + Number(count),
      0,
    )
    const isCountRight =
      looks.every(({ serversUp }) => serversUp === running) &&
      (away === status.servers - running || sentence.startsWith('restore'))
    if (isCountRight) this.#miscountedMs = undefined
    else this.#miscountedMs ??= performance.now()
    // One that runs may be silent for a moment on a busy machine: that it is away is no lie then.
    if (performance.now() - (this.#miscountedMs ?? Number.POSITIVE_INFINITY) > silentMs)
      lie(`${running} of ${status.servers} servers run`)
    const uncovered = this.#uncoveredGroups(map)
    const saysWell = looks.every((look) => healthOf(look).startsWith(allIsWell))
    if (saysWell && uncovered > 0) lie(`${uncovered} groups have a member that does not run`)
    if (
      looks.every(claimsRepair) &&
      uncovered === 0 &&
      !looks.some(({ underReplicatedChunks }) => underReplicatedChunks > 0)
    )
      lie('nothing is short')
    // What its sentence claims, also while members to come are still being proven.
    if (!saysWell && !looks.every(isWhole)) this.#isProven = false
    else if (!this.#isProven) {
      this.#isProven = true
      this.proofs++
      await this.#stage.fsck()
    }
  }

  /** Of groups, those in which a slot has nobody that counts and runs. */
  #uncoveredGroups({ groups }: ClusterMap): number {
    const { cluster } = this.#stage
    const alive = new Set(this.#stage.running.map((name) => cluster.id(name)))
    return groups.filter(({ members }) => {
      const slots = new Set(members.map(({ slot }) => slot))
      for (const { slot, server, state } of members) if (state !== 'filling' && alive.has(server)) slots.delete(slot)
      return slots.size > 0
    }).length
  }
}

function claimsRepair(status: ClusterStatus): boolean {
  return healthOf(status).includes('repair is under way')
}

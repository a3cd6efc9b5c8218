/**
 * How the repair of a loss goes on: the master's own planner (cluster/plan-repair.ts) on a model cluster, and the copies that
 * it begins at the rates that disks and links allow. Time leaps from one copy that ends to the next.
 *
 * As on a real cluster: nothing begins before the servers count as dead; a mass loss holds repairs back; the master fills so
 * many groups at once (master/fill.ts), the most endangered first; a group that lost two members is repaired twice.
 * Not modelled: foreground load beyond the share left to it, failures during the repair, servers that come back.
 * @module
 */
import type { GroupId, ServerId } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import { type MemberStep, survivorsOf } from '../../cluster/cluster-view.ts'
import { findMassLoss } from '../../cluster/mass-loss.ts'
import { planRepair } from '../../cluster/plan-repair.ts'
import type { RandomChoice } from '../../cluster/random-choice.ts'
import { groupsAtOnceOf } from '../../master/fill.ts'
import { CopyResources, type Hardware } from './copy-resources.ts'
import { type FairRate, fairRates, type Use } from './fair-rates.ts'
import type { LayoutCluster } from './layout-cluster.ts'

export interface RepairOptions {
  readonly hardware: Hardware
  readonly copyBytes: number
  readonly deadAfterMs: number
  readonly holdOffMs: number
}

export interface RepairReport {
  /** From the loss to the first copy, to the last, and until no chunk is down to one copy. */
  readonly beginsMs: number
  readonly endsMs: number
  readonly safeMs: number
  readonly copiedBytes: number
  readonly groups: number
  /** While copies ran. */
  readonly bytesPerSecond: number
  readonly peakBytesPerSecond: number
  /** What the disks alone would need. */
  readonly idealMs: number
  /** Which part of the bytes each limit held back. */
  readonly limits: readonly { readonly limit: string; readonly share: number }[]
  /** Part of the time in which as many groups were filling as the master fills at once, and others waited. */
  readonly masterFullShare: number
  readonly groupsAtOnce: number
  /** Groups that stay as they are, and why. */
  readonly waiting: readonly { readonly why: string; readonly groups: number }[]
  readonly plans: number
}

interface Fill {
  readonly group: GroupId
  readonly target: ServerId
  readonly survivors: number
  leftBytes: number
  uses: readonly Use[]
}

/** Bytes that rounding leaves. */
const nothing = 1

/** @param cluster its lost servers are dead already; it is repaired in place */
export function runRepair(cluster: LayoutCluster, options: RepairOptions, random: RandomChoice): RepairReport {
  return new RepairRun(cluster, options, random).run()
}

class RepairRun {
  readonly #cluster: LayoutCluster
  readonly #options: RepairOptions
  readonly #random: RandomChoice
  readonly #resources: CopyResources
  readonly #dead: readonly ServerId[]
  readonly #sending = new Map<ServerId, number>()
  readonly #limitBytes = new Map<string, number>()
  /** Lost members that nobody has begun to replace. */
  #membersLeft = 0
  #queue: Fill[] = []
  #active: Fill[] = []
  #waiting: RepairReport['waiting'] = []
  #nowMs: number
  #beginsMs = 0
  #safeMs = 0
  #copiedBytes = 0
  #groups = 0
  #peak = 0
  #fullMs = 0
  #plans = 0

  constructor(cluster: LayoutCluster, options: RepairOptions, random: RandomChoice) {
    this.#cluster = cluster
    this.#options = options
    this.#random = random
    this.#nowMs = options.deadAfterMs
    this.#resources = new CopyResources(cluster, options.hardware, { copyBytes: options.copyBytes })
    this.#dead = cluster.serverIds.filter((id) => !cluster.isUp(id))
    const dead = new Set(this.#dead)
    for (const { members } of cluster.groups) {
      this.#membersLeft += members.filter(({ server }) => dead.has(server)).length
    }
  }

  run(): RepairReport {
    const { holdOffMs } = this.#options
    let isPlanned = false
    for (;;) {
      if (this.#queue.length === 0 && !isPlanned) {
        isPlanned = this.#plan() === 0
      }
      this.#start()
      if (this.#active.length > 0) {
        // What ended may let a group go on that waited for it.
        if (this.#advance()) isPlanned = false
      } else if (this.#nowMs < holdOffMs && this.#waiting.length > 0) {
        this.#nowMs = holdOffMs
        isPlanned = false
      } else break
    }
    return this.#report()
  }

  /** @returns how many groups begin */
  #plan(): number {
    if (this.#membersLeft === 0) return 0
    for (const id of this.#dead) this.#cluster.kill(id, this.#nowMs)
    const view = this.#cluster.view()
    const massLoss = findMassLoss(view, { holdOffMs: this.#options.holdOffMs })
    const plan = planRepair(
      view,
      { limits: { perServer: limits.fillsPerServer, inAll: limits.fillsInAll }, massLoss },
      this.#random,
    )
    this.#plans++
    const counts = new Map<string, number>()
    for (const { why } of plan.waiting) counts.set(why, (counts.get(why) ?? 0) + 1)
    this.#waiting = [...counts].map(([why, groups]) => ({ why, groups }))
    for (const step of plan.steps) this.#begin(step)
    this.#membersLeft -= plan.steps.length
    this.#queue.sort((a, b) => a.survivors - b.survivors || a.group - b.group)
    return plan.steps.length
  }

  #begin(step: MemberStep): void {
    this.#cluster.begin(step)
    const { group, to, survivors, sizeBytes } = step
    this.#queue.push({ group, target: to, survivors, leftBytes: sizeBytes, uses: [] })
  }

  #groupsAtOnce(): number {
    const lastCopies = [...this.#active, ...this.#queue].filter(({ survivors }) => survivors === 1).length
    return groupsAtOnceOf(this.#cluster.serverIds.length, lastCopies)
  }

  #start(): void {
    for (const most = this.#groupsAtOnce(); this.#active.length < most; ) {
      const fill = this.#queue.shift()
      if (fill === undefined) return
      if (this.#groups === 0) this.#beginsMs = this.#nowMs
      this.#groups++
      const source = this.#sourceOf(fill.group)
      this.#sending.set(source, (this.#sending.get(source) ?? 0) + 1)
      fill.uses = this.#resources.usesOf(source, fill.target)
      this.#active.push(fill)
    }
  }

  /** The survivor that was asked least so far. */
  #sourceOf(id: GroupId): ServerId {
    const group = this.#cluster.group(id)
    const sources = group.members.filter(({ server, state }) => state === 'in' && this.#cluster.isUp(server))
    const [first, ...others] = sources.map(({ server }) => server) as [ServerId, ...ServerId[]]
    const count = (server: ServerId) => this.#sending.get(server) ?? 0
    return others.reduce((best, server) => (count(server) < count(best) ? server : best), first)
  }

  /** Goes on to where the next copy ends. @returns whether one did */
  #advance(): boolean {
    const rates = fairRates(this.#active.map(({ uses }) => uses))
    const speeds = rates.map(({ bytesPerSecond }) => bytesPerSecond)
    const seconds = Math.min(...this.#active.map(({ leftBytes }, index) => leftBytes / (speeds[index] as number)))
    const isFull = this.#active.length >= this.#groupsAtOnce() && this.#queue.length > 0
    if (isFull) this.#fullMs += seconds * 1000
    this.#peak = Math.max(
      this.#peak,
      speeds.reduce((sum, speed) => sum + speed, 0),
    )
    this.#nowMs += seconds * 1000
    const going: Fill[] = []
    for (const [index, fill] of this.#active.entries()) {
      const { bytesPerSecond, limit } = rates[index] as FairRate
      const copied = Math.min(fill.leftBytes, bytesPerSecond * seconds)
      fill.leftBytes -= copied
      this.#copiedBytes += copied
      this.#limitBytes.set(limit.kind, (this.#limitBytes.get(limit.kind) ?? 0) + copied)
      if (fill.leftBytes > nothing) going.push(fill)
      else this.#end(fill)
    }
    const isOneDone = going.length < this.#active.length
    this.#active = going
    return isOneDone
  }

  #end({ group, survivors }: Fill): void {
    this.#cluster.settle(group)
    if (survivors === 1) this.#safeMs = this.#nowMs
  }

  #report(): RepairReport {
    const seconds = (this.#nowMs - this.#beginsMs) / 1000
    const up = this.#cluster.serverIds.length - this.#dead.length
    return {
      beginsMs: this.#beginsMs,
      endsMs: this.#groups === 0 ? 0 : this.#nowMs,
      safeMs: this.#safeMs,
      copiedBytes: this.#copiedBytes,
      groups: this.#groups,
      bytesPerSecond: seconds > 0 ? this.#copiedBytes / seconds : 0,
      peakBytesPerSecond: this.#peak,
      idealMs: this.#resources.idealMs(this.#copiedBytes, Math.max(1, up)),
      limits: [...this.#limitBytes]
        .map(([limit, bytes]) => ({ limit, share: bytes / Math.max(1, this.#copiedBytes) }))
        .sort((a, b) => b.share - a.share),
      masterFullShare: seconds > 0 ? this.#fullMs / 1000 / seconds : 0,
      groupsAtOnce: groupsAtOnceOf(this.#cluster.serverIds.length),
      waiting: this.#waiting,
      plans: this.#plans,
    }
  }
}

/** Copies that answer and hold everything, of each group. */
export function survivorCounts(cluster: LayoutCluster): readonly number[] {
  const view = cluster.view()
  return cluster.groups.map((group) => survivorsOf(view, group).length)
}

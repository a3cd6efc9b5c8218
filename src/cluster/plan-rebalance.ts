/**
 * Plans moves of groups' members from servers that are fuller than the rest to servers that are emptier, until all lie
 * within a band around the mean.
 *
 * Load is what groups weigh, those under way counted as done: reports that lag behind must not make it move twice.
 * A move goes from above the mean to below it, and rather takes neither past it, or by half the band at most. Each lowers the
 * sum of squared deviations, so that moves end, and none is ever taken back (no ping-pong); and no byte moves that need not.
 * A deviation below a floor is left alone, and what lies within twice the band is not begun upon: balance is for capacity and
 * load, not for its own sake, and writes under way tip it a little all the time.
 * Where the placement strategy has a layout, members go where that wants them, and bytes are not looked at.
 * Pure.
 * @module
 */
import type { GroupId, ServerId } from '../base/ids.ts'
import { formatSize } from '../base/sizes.ts'
import type { Group } from '../wire/types/cluster-map.ts'
import { type ClusterView, type MemberPlan, type MemberStep, type ServerView, spreadOf } from './cluster-view.ts'
import type { DomainSpread } from './domain-spread.ts'
import { planLayoutMoves } from './placement-moves.ts'
import { shortId } from './target-choice.ts'

export interface RebalanceOptions {
  /** Part of the mean that a server may deviate by. */
  readonly band?: number
  /** It was begun upon, and goes on until all lie within the band. */
  readonly isStarted?: boolean
  /** Moves under way that a server takes part in. */
  readonly perServer?: number
  readonly inAll?: number
}

interface Load {
  readonly server: ServerView
  readonly groups: Group[]
  loadBytes: number
  /** Above the mean; negative: below. */
  excessBytes: number
  moves: number
}

interface Move {
  readonly group: Group
  readonly from: Load
  readonly to: Load
  readonly sizeBytes: number
}

interface MoveChoice {
  readonly band: number
  readonly isFree: (load: Load) => boolean
  readonly planned: ReadonlySet<GroupId>
}

/** A chunk of the usual size: less is noise. */
const floorBytes = 8 * 1024 * 1024
const floorFraction = 0.01
/** How many bands away from the mean makes a start. */
const slack = 2
/** Partners looked at for a server outside of the band, best first: planning stays linear in the servers. */
const partnersTried = 16
/**
 * Part of the band by which a move may take a server past the mean. In a large cluster that is in balance nobody has a group's
 * weight too much, and a new server would get nothing.
 */
const pastMean = 0.5
/** A move that goes further past the mean must leave this part of the worse deviation, or less. */
const worthwhile = 0.9

export function planRebalance(view: ClusterView, options: RebalanceOptions): MemberPlan {
  const { band = 0.05, isStarted = false, perServer = 4, inAll = 256 } = options
  if (view.layout !== undefined) return planLayoutMoves(view, view.layout, { perServer, inAll })
  const balance = new Balance(view)
  const steps: MemberStep[] = []
  const isFree = (load: Load) => load.moves < perServer
  const planned = new Set<GroupId>()
  if (!isStarted && balance.outside(slack * band).length === 0) return { steps, waiting: [] }
  for (const load of balance.outside(band)) {
    while (isFree(load) && balance.movesUnderWay < inAll && balance.isOutside(load, band)) {
      const move = balance.bestMove(load, { band, isFree, planned })
      if (move === undefined) break
      steps.push(stepOf(view, move, balance.describe(move)))
      planned.add(move.group.id)
      balance.apply(move)
    }
  }
  return { steps, waiting: [] }
}

/** Deviations of all servers that take part: those that are up, and neither to leave nor in maintenance. */
class Balance {
  readonly #view: ClusterView
  readonly #spread: DomainSpread
  readonly #loads = new Map<ServerId, Load>()
  readonly #byLoad: readonly Load[]
  readonly #mean: number
  movesUnderWay = 0

  constructor(view: ClusterView) {
    this.#view = view
    this.#spread = spreadOf(view)
    for (const server of view.servers.values()) {
      if (server.state !== 'up' || server.isInMaintenance || server.capacityBytes === 0) continue
      this.#loads.set(server.id, { server, groups: [], loadBytes: 0, excessBytes: 0, moves: 0 })
    }
    for (const group of view.groups) this.#count(group)
    let loadBytes = 0
    let capacityBytes = 0
    for (const load of this.#loads.values()) {
      loadBytes += load.loadBytes
      capacityBytes += load.server.capacityBytes
    }
    this.#mean = capacityBytes === 0 ? 0 : loadBytes / capacityBytes
    for (const load of this.#loads.values()) load.excessBytes = load.loadBytes - this.#mean * load.server.capacityBytes
    this.#byLoad = [...this.#loads.values()].sort((a, b) => relative(b) - relative(a))
  }

  /** The worst first. */
  outside(band: number): readonly Load[] {
    const outside = this.#byLoad.filter((load) => this.isOutside(load, band))
    return outside.sort((a, b) => Math.abs(relative(b)) - Math.abs(relative(a)))
  }

  isOutside({ server: { capacityBytes }, excessBytes }: Load, band: number): boolean {
    const floor = Math.min(floorBytes, capacityBytes * floorFraction)
    return Math.abs(excessBytes) > Math.max(floor, band * this.#mean * capacityBytes)
  }

  /** The largest move that takes neither server past the mean; else the one that evens the two out most. */
  bestMove(load: Load, { band, isFree, planned }: MoveChoice): Move | undefined {
    const isHeavy = load.excessBytes > 0
    const order = isHeavy ? this.#byLoad.toReversed() : this.#byLoad
    const partners = order
      .filter((other) => other !== load && isFree(other) && other.excessBytes > 0 !== isHeavy)
      .slice(0, partnersTried)
    const slack = this.#mean * band * pastMean
    let best: Move | undefined
    let bestScore = 0
    for (const partner of partners) {
      const [from, to] = isHeavy ? [load, partner] : [partner, load]
      for (const group of from.groups) {
        if (planned.has(group.id)) continue
        const { sizeBytes } = this.#view.sizeOf(group.id)
        const score = scoreOf(sizeBytes, { from, to, slack })
        if (score <= bestScore || !this.#mayJoin(group, { from, to, sizeBytes })) continue
        best = { group, from, to, sizeBytes }
        bestScore = score
      }
    }
    return best
  }

  apply({ from, to, sizeBytes }: Move): void {
    for (const [load, bytes] of [
      [from, -sizeBytes],
      [to, sizeBytes],
    ] as const) {
      load.loadBytes += bytes
      load.excessBytes += bytes
      load.moves++
    }
    this.movesUnderWay++
  }

  describe({ from, to }: Move): string {
    const share = (load: Load) =>
      `${shortId(load.server.id)} (${percent(load.loadBytes / load.server.capacityBytes)} of ${formatSize(load.server.capacityBytes)})`
    return `from ${share(from)} to ${share(to)}, the mean is ${percent(this.#mean)}`
  }

  #count(group: Group): void {
    const { sizeBytes } = this.#view.sizeOf(group.id)
    const isChanging = group.members.some(({ state }) => state !== 'in')
    for (const { server, state } of group.members) {
      const load = this.#loads.get(server)
      if (load === undefined) continue
      if (state !== 'in') load.moves++
      if (state === 'filling') this.movesUnderWay++
      if (state === 'leaving') continue
      load.loadBytes += sizeBytes
      if (!isChanging && sizeBytes > 0 && this.#view.isProven(group, server)) load.groups.push(group)
    }
  }

  #mayJoin(group: Group, { from, to, sizeBytes }: Omit<Move, 'group'>): boolean {
    if (to.server.refusal !== undefined || to.server.isUnsteady === true || to.server.freeBytes < sizeBytes)
      return false
    if (group.members.some(({ server }) => server === to.server.id)) return false
    const others = group.members
      .filter(({ server }) => server !== from.server.id)
      .flatMap(({ server }) => this.#view.servers.get(server)?.domain ?? [])
    return this.#spread.admits(to.server.domain, others, group.members.length)
  }
}

/**
 * 0: not worth it. Best are moves that stay short of the mean on both sides, larger ones rather; then those that pass it by no
 * more than servers may deviate anyway; then those that leave less than the worse deviation.
 * @param slack part of its capacity by which a server may be taken past the mean
 */
function scoreOf(
  sizeBytes: number,
  { from, to, slack }: Pick<Move, 'from' | 'to'> & { readonly slack: number },
): number {
  const room = Math.min(from.excessBytes, -to.excessBytes)
  if (sizeBytes <= room) return 2 + sizeBytes / Math.max(1, room)
  const past = Math.max(
    (sizeBytes - from.excessBytes) / from.server.capacityBytes,
    (sizeBytes + to.excessBytes) / to.server.capacityBytes,
  )
  if (past <= slack) return 2 - past / slack
  const before = Math.max(Math.abs(relative(from)), Math.abs(relative(to)))
  const after = Math.max(
    Math.abs(from.excessBytes - sizeBytes) / from.server.capacityBytes,
    Math.abs(to.excessBytes + sizeBytes) / to.server.capacityBytes,
  )
  return after <= worthwhile * before ? 1 - after / before : 0
}

function relative({ excessBytes, server }: Load): number {
  return excessBytes / server.capacityBytes
}

function percent(fraction: number): string {
  return `${(100 * fraction).toFixed(1)} %`
}

function stepOf(view: ClusterView, { group, from, to, sizeBytes }: Move, reason: string): MemberStep {
  return {
    duty: 'rebalance',
    group: group.id,
    epoch: group.epoch,
    from: from.server.id,
    to: to.server.id,
    sizeBytes,
    chunks: view.sizeOf(group.id).chunks,
    survivors: group.members.length,
    reason,
  }
}

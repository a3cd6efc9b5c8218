/**
 * Plans changes of groups' members, and begins them: repair of what died, drain of what is to leave, rebalancing of what is
 * uneven. What was begun is filled by fill.ts; nothing here waits for it.
 *
 * Nothing is remembered between steps but the last plan, for people to see: what is under way is in the groups' rows, so a
 * new master plans on from there. Each step of a plan names the epoch it was made on, and is refused on any other.
 * @module
 */
import type { ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import {
  type ClusterView,
  type MemberPlan,
  type PlanLimits,
  presentDutyOf,
  type ServerView,
  withheld,
} from '../cluster/cluster-view.ts'
import { findMassLoss, type MassLoss } from '../cluster/mass-loss.ts'
import type { GroupLayout } from '../cluster/placement-layouts.ts'
import { planDrain } from '../cluster/plan-drain.ts'
import { planRebalance } from '../cluster/plan-rebalance.ts'
import { planRepair } from '../cluster/plan-repair.ts'
import { planSpread } from '../cluster/plan-spread.ts'
import type { Env } from '../env/env.ts'
import type { MemberDuty } from '../wire/types/cluster-map.ts'
import type { CurrentMap } from './current-map.ts'
import type { GroupSizes } from './group-sizes.ts'
import type { ServerRegistry } from './server-registry.ts'
import type { StepResult } from './worker.ts'

export interface MemberChangesOptions {
  readonly env: Env
  readonly map: CurrentMap
  readonly registry: ServerRegistry
  readonly sizes: GroupSizes
  readonly holdOffMs: () => number
  readonly isPaused: (duty: MemberDuty) => boolean
  /** Cluster time in ms. */
  readonly clusterTimeMs: () => number
  /** Changes were begun. */
  readonly onBegun: () => void
}

export type Plans = Readonly<Record<MemberDuty, MemberPlan>>

const planLimits: PlanLimits = { perServer: limits.fillsPerServer, inAll: limits.fillsInAll }
const sizesMaxAgeMs = 5_000
/** While moves are under way. */
const rebalanceIntervalMs = 5_000
const holdingMaxAgeMs = 250
const noPlan: MemberPlan = { steps: [], waiting: [] }

export class MemberChanges {
  readonly #options: MemberChangesOptions
  #plans: Plans = { repair: noPlan, drain: noPlan, rebalance: noPlan }
  #rebalanceMs = 0
  #wasHolding = false
  #isHolding = false
  /** Since a start outside of the band's slack, until nothing is left to move. */
  #isRebalancing = false
  #heldUntilMs = Number.NEGATIVE_INFINITY

  constructor(options: MemberChangesOptions) {
    this.#options = options
  }

  /** What the last step planned, and what it left waiting and why. */
  get plans(): Plans {
    return this.#plans
  }

  massLoss(): MassLoss | undefined {
    const { map, registry, holdOffMs } = this.#options
    return findMassLoss({ groups: map.index.map.groups, servers: registry.loads() }, { holdOffMs: holdOffMs() })
  }

  /** Whether a mass loss holds deletes back. Known anew a few times a second. */
  isHolding(): boolean {
    const nowMs = this.#options.env.clock.monotonicMs()
    if (nowMs >= this.#heldUntilMs) {
      this.#isHolding = this.massLoss() !== undefined
      this.#heldUntilMs = nowMs + holdingMaxAgeMs
    }
    return this.#isHolding
  }

  async step(): Promise<StepResult> {
    const { env, map, onBegun } = this.#options
    const plans = await this.#plan()
    this.#plans = plans
    this.#tellOfMassLoss()
    const steps = [...plans.repair.steps, ...plans.drain.steps, ...plans.rebalance.steps]
    for (const { group, from, to, duty, reason } of steps)
      env.log.info('changing a group', { group, from, to, duty, reason })
    const { changed, refused } = await map.replaceMembers(steps)
    for (const error of refused) env.log.info('a planned change was refused', { reason: error.message })
    if (changed.length > 0) onBegun()
    await this.#letGo()
    return 'idle'
  }

  async #plan(): Promise<Plans> {
    const { env, map, registry, sizes, isPaused } = this.#options
    await sizes.refresh({ maxAgeMs: sizesMaxAgeMs })
    const view = this.view()
    const massLoss = this.massLoss()
    const repairable = planRepair(view, { limits: planLimits, massLoss }, env.random)
    const repair = isPaused('repair') ? withheld(repairable, 'repair is paused') : repairable
    const busy = new Set<number>(repair.steps.map(({ group }) => group))
    const drainable = planDrain(view, { limits: planLimits, busy }, env.random)
    const drain =
      massLoss !== undefined || isPaused('drain')
        ? withheld(drainable, massLoss === undefined ? 'drain is paused' : 'many servers fell silent together')
        : drainable
    const isOccupied =
      massLoss !== undefined ||
      repair.steps.length > 0 ||
      // A member without room waits for what rebalancing may give it.
      repair.waiting.some(({ server }) => view.servers.get(server)?.state !== 'up') ||
      drain.steps.length > 0 ||
      map.index.changingGroups.some((group) =>
        group.members.some(
          (member) =>
            member.state === 'filling' && presentDutyOf(group, member, (id) => view.servers.get(id)) !== 'rebalance',
        ),
      )
    const isIdle = map.index.changingGroups.length === 0
    const isDue = isIdle || env.clock.monotonicMs() - this.#rebalanceMs >= rebalanceIntervalMs
    let rebalance = noPlan
    if (isDue && !isOccupied && !isPaused('rebalance') && !registry.isGathering()) {
      this.#rebalanceMs = env.clock.monotonicMs()
      rebalance = this.#planRebalance(view, this.#isRebalancing)
      this.#isRebalancing = rebalance.steps.length > 0 || !isIdle
    }
    return { repair, drain, rebalance }
  }

  /** What one duty would do now, paused or not. @param server of a drain: as if it were asked for */
  async planFor(duty: MemberDuty, server?: ServerId): Promise<MemberPlan> {
    const { env, sizes } = this.#options
    await sizes.refresh({ maxAgeMs: sizesMaxAgeMs })
    const view = this.view(server)
    if (duty === 'rebalance') return this.#planRebalance(view, true)
    if (duty === 'drain') return planDrain(view, { limits: planLimits, busy: new Set() }, env.random)
    return planRepair(view, { limits: planLimits, massLoss: this.massLoss() }, env.random)
  }

  /** What stands too close together first: that is about what a loss takes, the rest about load. */
  #planRebalance(view: ClusterView, isStarted: boolean): MemberPlan {
    const apart = planSpread(view, { limits: planLimits }, this.#options.env.random)
    return apart.steps.length > 0 ? apart : planRebalance(view, { isStarted })
  }

  view(draining?: ServerId): ClusterView {
    const { map, registry, sizes } = this.#options
    const servers = new Map(registry.loads())
    const leaving = draining === undefined ? undefined : servers.get(draining)
    if (leaving?.state === 'up') servers.set(leaving.id, { ...leaving, state: 'draining' })
    return {
      groups: map.index.map.groups,
      servers,
      sizeOf: (group) => sizes.of(group),
      isProven: (group, server) => registry.isProven(group, server),
      heldBy: (group, server) => registry.heldBy(group, server),
      lacksRoom: (group, server) => registry.isCramped(server, group),
      layout: this.#layoutFor(servers),
    }
  }

  /** Of the servers that are to hold chunks: neither dead nor to leave. */
  #layoutFor(servers: ReadonlyMap<ServerId, ServerView>): GroupLayout | undefined {
    const staying = [...servers.values()].filter(
      ({ state }) => state !== 'dead' && state !== 'draining' && state !== 'left',
    )
    return this.#options.map.strategy.layout?.(staying)
  }

  /** A drained server that nothing depends on any more has left. */
  async #letGo(): Promise<void> {
    const { env, map, registry, clusterTimeMs } = this.#options
    for (const { id } of map.index.map.servers) {
      const duty = map.dutyOf(id)
      if (duty.drainingMs === undefined || duty.leftMs !== undefined || !this.isReleased(id)) continue
      await map.setDuty(id, { ...duty, leftMs: clusterTimeMs() })
      env.log.info('a drained server has left: nothing depends on it', { server: id, state: registry.stateOf(id) })
    }
  }

  /** No group has it as a member, and those of which it still holds copies are whole without it. */
  isReleased(id: ServerId): boolean {
    const { map, registry } = this.#options
    if (map.index.groupsOfServer(id).length > 0) return false
    return registry.formerGroupsOf(id).every((group) => {
      const known = map.index.group(group)
      return known?.members.every(({ server, state }) => state === 'in' && registry.isProven(known, server)) !== false
    })
  }

  #tellOfMassLoss(): void {
    const massLoss = this.massLoss()
    if (massLoss !== undefined && !this.#wasHolding) {
      this.#options.env.log.warn('many servers fell silent together: repairs wait, nothing is deleted', { ...massLoss })
    }
    this.#wasHolding = massLoss !== undefined
  }
}

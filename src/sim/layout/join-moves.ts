/**
 * What moves when a server joins: the production planner, again and again, until it has nothing left to move. Everything
 * planned arrives at once, and only bytes are counted.
 * @module
 */
import { planRebalance } from '../../cluster/plan-rebalance.ts'
import type { RandomChoice } from '../../cluster/random-choice.ts'
import type { LayoutCluster } from './layout-cluster.ts'

export interface Moves {
  readonly bytes: number
  readonly groups: number
  /** Until nothing was left to move. */
  readonly plans: number
}

const perPlan = { perServer: 64, inAll: 1_000_000 }
/** Of a cluster that is far from its layout: a plan moves one member of a group. */
const mostPlans = 64

/** Adds an empty server to a cluster that is in balance already. */
export function addServer(cluster: LayoutCluster, random: RandomChoice): Moves {
  cluster.addServer()
  cluster.formGroups(random)
  return settle(cluster)
}

/** Moves until all lie within the band, or where the layout wants them. */
export function settle(cluster: LayoutCluster): Moves {
  const moves = { bytes: 0, groups: 0, plans: 0 }
  while (moves.plans < mostPlans) {
    const { steps } = planRebalance(cluster.view(), { ...perPlan, isStarted: true })
    moves.plans++
    if (steps.length === 0) break
    for (const step of steps) {
      cluster.begin(step)
      cluster.settle(step.group)
      moves.bytes += step.sizeBytes
      moves.groups++
    }
  }
  return moves
}

/**
 * What the leader does in the background: each duty, and when it has to hold still.
 *
 * Where the metadata was found to be older than what chunk servers hold (`lost-future.ts`), nothing is removed and no member changes;
 * repair, filling and comparing go on, since they only add.
 * @module
 */
import type { AshlarError } from '../base/errors.ts'
import type { Env } from '../env/env.ts'
import type { Leader, Namespace } from '../namespace/namespace.ts'
import type { MemberDuty } from '../wire/types/cluster-map.ts'
import type { ChunkOrders } from './chunk-orders.ts'
import type { ClusterTime } from './cluster-time.ts'
import type { CurrentMap } from './current-map.ts'
import type { EventLog } from './event-log.ts'
import { expireStep, purgeStep } from './expiry.ts'
import { Fill } from './fill.ts'
import { Gc } from './gc.ts'
import type { GroupSizes } from './group-sizes.ts'
import { Leftovers } from './leftovers.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { LostFuture } from './lost-future.ts'
import type { MemberChanges } from './member-changes.ts'
import { MemberComparison } from './member-comparison.ts'
import type { PausedDuties } from './paused-duties.ts'
import { Reconcile } from './reconcile.ts'
import { Repair } from './repair.ts'
import type { ServerRegistry } from './server-registry.ts'
import type { WallGuard } from './wall-guard.ts'
import { keepWallMark } from './wall-mark.ts'
import type { StepResult } from './worker.ts'
import { Workers } from './workers.ts'

export interface DutyWorkersOptions {
  readonly env: Env
  readonly namespace: Namespace
  readonly leader: Leader
  readonly map: CurrentMap
  readonly registry: ServerRegistry
  readonly sizes: GroupSizes
  readonly orders: ChunkOrders
  readonly lostFuture: LostFuture
  readonly time: ClusterTime
  readonly changes: MemberChanges
  readonly paused: PausedDuties
  readonly lifecycle: Lifecycle
  readonly events: EventLog
  readonly wall: WallGuard
  readonly onFatal: (error: AshlarError) => void
}

type Step = (signal: AbortSignal) => Promise<StepResult>

export function createDutyWorkers(options: DutyWorkersOptions): Workers {
  const { env, leader, registry, lostFuture, time, changes, paused, lifecycle, events, wall, onFatal } = options
  const shared = { ...options, log: env.log, isHolding: () => changes.isHolding() || paused.has('gc') }
  const comparison = new MemberComparison(shared)
  const compared = { ...shared, comparison }
  const gc = new Gc(shared)
  const repair = new Repair(shared)
  const reconcile = new Reconcile(compared)
  const leftovers = new Leftovers(shared)
  const fill = new Fill({
    ...compared,
    isPaused: (duty: MemberDuty) => paused.has(duty),
    onSettled: () => workers.wake('members', 'gc', 'leftovers'),
  })
  options.map.onGroupsChanged = () => fill.leaveChanged()
  const unlessOlder =
    (step: Step): Step =>
    async (signal) =>
      lostFuture.isFound ? 'idle' : await step(signal)
  const workers = new Workers({
    env,
    onFatal,
    steps: {
      wall: () => keepWallMark({ wall, leader, events }),
      lifecycle: unlessOlder((signal) => lifecycle.step(signal)),
      time: () => time.keepAhead().then(() => 'idle'),
      watch: () => registry.settle().then(() => 'idle'),
      expiry: () => expireStep(leader),
      purge: unlessOlder(async () => (paused.has('gc') ? 'idle' : purgeStep(leader, () => workers.wake('gc')))),
      gc: unlessOlder((signal) => gc.step(signal)),
      repair: (signal) => repair.step(signal),
      members: unlessOlder(() => changes.step()),
      fill: (signal) => fill.step(signal),
      leftovers: unlessOlder((signal) => leftovers.step(signal)),
      reconcile: (signal) => reconcile.step(signal),
    },
  })
  return workers
}

/** Drain, maintenance, plans: what operators ask of the duties that change groups. @module */
import { AshlarError } from '../base/errors.ts'
import type { ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { counterOf } from '../base/rising.ts'
import { formatDuration } from '../base/sizes.ts'
import { spreadOf } from '../cluster/cluster-view.ts'
import type { Replacement } from '../cluster/member-change.ts'
import { planCancel } from '../cluster/plan-cancel.ts'
import { planCost } from '../cluster/plan-cost.ts'
import type { ServerDuty } from '../namespace/namespace.ts'
import { applySteps, cancelDuty, changeDuty, pauseDuty, planDuty, safeMode } from '../wire/methods/duty-methods.ts'
import type { ChunkOrders } from './chunk-orders.ts'
import type { HandlerContext } from './handlers.ts'
import type { MemberChanges } from './member-changes.ts'
import type { PausedDuties } from './paused-duties.ts'
import { safeModeReport } from './safe-mode.ts'

export interface DutyHandlerOptions {
  readonly changes: MemberChanges
  readonly paused: PausedDuties
  readonly orders: ChunkOrders
  /** What the duties may read and write on a server's disk; undefined: it was not measured yet. */
  readonly bytesPerSecond: (server: ServerId) => number | undefined
}

const maintenanceMs = { least: 1_000, most: 7 * 86_400_000 }

export function answerDuties(context: HandlerContext, options: DutyHandlerOptions): void {
  const { changes, paused, orders, bytesPerSecond } = options
  const { service, map, workers } = context
  service.handle(changeDuty, async ({ server, change, forMs }) => {
    await map.setDuty(server, changedDuty(context, server, { change, forMs }))
    workers.wake('watch', 'members')
    return { value: {} }
  })
  service.handle(safeMode, async () => ({
    value: safeModeReport({ map, registry: context.registry, massLoss: changes.massLoss() }),
  }))
  service.handle(pauseDuty, async ({ duty, paused: isPaused }) => {
    await paused.set(duty, isPaused)
    workers.wake('members', 'fill', 'purge', 'gc', 'leftovers')
    return { value: {} }
  })
  service.handle(cancelDuty, async ({ duty }) => {
    if (duty === 'drain') await cancelDrains(context)
    else await paused.set(duty, true)
    const { steps, waiting } = planCancel(changes.view(), duty)
    const { changed, refused } = await map.replaceMembers(steps)
    workers.wake('members', 'fill')
    const reason = waiting[0]?.why ?? refused[0]?.message.slice(0, 1000)
    const kept = waiting.length + refused.length
    return { value: { turnedBack: changed.length, kept, ...(reason === undefined ? {} : { reason }) } }
  })
  service.handle(planDuty, async ({ duty, server }) => {
    const { steps, waiting } = await changes.planFor(duty, server)
    return {
      value: {
        steps: steps.slice(0, limits.planSteps),
        waiting: waiting.slice(0, limits.planSteps),
        stepCount: steps.length,
        waitingCount: waiting.length,
        bytesPerSecond: Math.round(orders.progress[duty].rate.bytes),
        cost: planCost(steps, { view: changes.view(server), bytesPerSecond }),
        isPaused: paused.has(duty),
      },
    }
  })
  service.handle(applySteps, async ({ steps }) => {
    const unfit = steps.flatMap((step) => objectionTo(step, context) ?? [])
    const fit = steps.filter((step) => objectionTo(step, context) === undefined)
    const { changed, refused } = await map.replaceMembers(fit)
    workers.wake('fill')
    const reasons = [...unfit, ...refused.map(({ message }) => message)].map((reason) => reason.slice(0, 500))
    const held =
      changed.length === 0 ? [] : [...new Set(fit.map(({ duty }) => duty))].filter((duty) => paused.has(duty))
    return { value: { begun: changed.length, refused: reasons, ...(held.length === 0 ? {} : { paused: held }) } }
  })
}

/** Of all servers that have not left yet. */
async function cancelDrains(context: HandlerContext): Promise<void> {
  const { map } = context
  for (const { id } of map.index.map.servers) {
    const { drainingMs, leftMs } = map.dutyOf(id)
    if (drainingMs === undefined || leftMs !== undefined) continue
    await map.setDuty(id, changedDuty(context, id, { change: 'cancel-drain', forMs: undefined }))
  }
}

/** A plan comes from outside, perhaps edited: what planners never do is refused here. */
function objectionTo(
  { group: id, epoch, from, to, duty }: Replacement,
  { map, registry }: HandlerContext,
): string | undefined {
  const group = map.index.group(id)
  // Planned on other members: it is refused for that.
  if (group?.epoch !== epoch) return undefined
  const target = map.index.server(to)
  const why = `Cannot change group ${id}: `
  if (target === undefined || registry.stateOf(to) !== 'up') return `${why}server ${to} is not up`
  if (duty === 'drain' && map.dutyOf(from).drainingMs === undefined) {
    // Nothing would keep it from going back: a member that is to stay and is replaced takes its place again.
    return `${why}server ${from} is not to leave. Ask for it: ashlar drain ${from.slice(0, 8)}`
  }
  const others = group.members.filter(({ server, state }) => server !== from && state !== 'leaving')
  const domains = others.flatMap(({ server }) => map.index.server(server)?.domain ?? [])
  const isApart = spreadOf({ servers: registry.loads() }).admits(target.domain, domains, domains.length + 1)
  return !isApart ? `${why}server ${to} is in the failure domain of another member` : undefined
}

function changedDuty(
  { map, clusterTime }: HandlerContext,
  server: ServerId,
  { change, forMs }: { readonly change: string; readonly forMs: number | undefined },
): ServerDuty {
  const known = map.dutyOf(server)
  const nowMs = counterOf(clusterTime())
  if (change === 'drain') return { ...known, drainingMs: known.drainingMs ?? nowMs }
  if (change === 'cancel-drain') return { maintenanceUntilMs: known.maintenanceUntilMs }
  if (change === 'end-maintenance') return { ...known, maintenanceUntilMs: undefined }
  if (forMs === undefined || forMs < maintenanceMs.least || forMs > maintenanceMs.most) {
    throw new AshlarError(
      'invalid-argument',
      `Cannot begin maintenance: it lasts from ${formatDuration(maintenanceMs.least)} to ${formatDuration(maintenanceMs.most)}`,
    )
  }
  return { ...known, maintenanceUntilMs: nowMs + forMs }
}

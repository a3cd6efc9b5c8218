/** Answers "why": of a group, of a server, of a refused write. @module */
import { AshlarError } from '../base/errors.ts'
import type { ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { counterOf } from '../base/rising.ts'
import { formatDuration } from '../base/sizes.ts'
import type { ClusterView, GroupSize } from '../cluster/cluster-view.ts'
import { type ExplainOptions, ifLost, passedOver } from '../cluster/explain.ts'
import { seededRandom } from '../env/seeded-random.ts'
import {
  explainGroup,
  explainRefusal,
  explainServer,
  type GroupExplanation,
  type ServerExplanation,
} from '../wire/methods/insight-methods.ts'
import type { Group } from '../wire/types/cluster-map.ts'
import { expectedPages } from './group-pages.ts'
import type { GroupSizes } from './group-sizes.ts'
import type { HandlerContext } from './handlers.ts'
import type { MemberChanges } from './member-changes.ts'
import type { Refusals } from './refusals.ts'
import type { ServerStanding } from './server-registry.ts'

export interface ExplainHandlerOptions {
  readonly changes: MemberChanges
  readonly sizes: GroupSizes
  readonly refusals: Refusals
  readonly isRepairPaused: () => boolean
}

const planLimits = { perServer: limits.fillsPerServer, inAll: limits.fillsInAll }
const sizesMaxAgeMs = 10_000
const serversShown = 256

export function answerExplain(context: HandlerContext, options: ExplainHandlerOptions): void {
  const { changes, sizes, refusals, isRepairPaused } = options
  const { service, map, settings } = context
  const repairNow = () => ({
    limits: planLimits,
    holdOffMs: settings.values.holdOffMs,
    isRepairPaused: isRepairPaused(),
  })
  const viewNow = async () => {
    await sizes.refresh({ maxAgeMs: sizesMaxAgeMs })
    return changes.view()
  }
  service.handle(explainGroup, async ({ group: id }) => {
    const view = await viewNow()
    const group = map.index.group(id)
    if (group === undefined) throw new AshlarError('not-found', `Cannot explain group ${id}: there is no such group`)
    // Sizes of all groups are a little old; that of this one is not.
    const size = await sizeOf(context, group)
    const exact = { ...view, sizeOf: (asked: Group['id']) => (asked === id ? size : view.sizeOf(asked)) }
    return { value: { explanation: groupExplanation(context, exact, { group, repair: repairNow() }) } }
  })
  service.handle(explainServer, async ({ server }) => {
    const view = await viewNow()
    if (map.index.server(server) === undefined) {
      throw new AshlarError('not-found', `Cannot explain server ${server}: it is not in the cluster map`)
    }
    return { value: { explanation: serverExplanation(context, view, { server, repair: repairNow() }) } }
  })
  service.handle(explainRefusal, async ({ id }) => ({ value: { refusal: refusals.find(id) } }))
}

async function sizeOf({ namespace }: HandlerContext, group: Group): Promise<GroupSize> {
  let chunks = 0
  let sizeBytes = 0
  for (const page of (await expectedPages({ namespace }, group.id)).values()) {
    chunks += Number(page.digest.count)
    sizeBytes += page.sizeBytes
  }
  return { chunks, sizeBytes }
}

/** How repair stands now: what it may begin, and what holds it. */
type RepairNow = Pick<ExplainOptions, 'limits' | 'holdOffMs' | 'isRepairPaused'>

function groupExplanation(
  { map, registry }: HandlerContext,
  view: ClusterView,
  { group, repair }: { readonly group: Group; readonly repair: RepairNow },
): GroupExplanation {
  const policy = map.index.policy(group.policy)
  const others = passedOver(view, group)
  const { chunks, sizeBytes } = view.sizeOf(group.id)
  const options = { policy, ...repair, random: seededRandom(group.id) }
  return {
    group: group.id,
    policy: group.policy,
    replicas: policy?.replicas ?? group.members.length,
    minReplicas: policy?.minReplicas ?? 1,
    chunks,
    bytes: sizeBytes,
    members: group.members.map(({ server, slot, state, duty }) => ({
      server,
      domain: map.index.server(server)?.domain ?? 'unknown',
      slot,
      state,
      ...memberStanding(registry.standingOf(server)),
      proven: registry.isProven(group, server),
      duty,
      chunks: registry.heldBy(group.id, server),
    })),
    passedOver: others.slice(0, serversShown),
    passedOverCount: others.length,
    ifLost: group.members
      .filter(({ state }) => state !== 'leaving')
      .map(({ server }) => ifLost(view, server, [group], options)),
  }
}

function serverExplanation(
  context: HandlerContext,
  view: ClusterView,
  { server, repair }: { readonly server: ServerId; readonly repair: RepairNow },
): ServerExplanation {
  const { map, registry, settings } = context
  const groups = map.index.groupsOfServer(server)
  const inState = (state: string) =>
    groups.filter(({ members }) => members.some((member) => member.server === server && member.state === state)).length
  const policy = map.index.policy(settings.values.defaultPolicy)
  return {
    server,
    domain: map.index.server(server)?.domain ?? 'unknown',
    ...registry.standingOf(server),
    why: whyInState(context, view, server),
    groupsIn: inState('in'),
    groupsFilling: inState('filling'),
    groupsLeaving: inState('leaving'),
    formerGroups: registry.formerGroupsOf(server).length,
    unprovenGroups: groups.filter((group) => !registry.isProven(group, server)).length,
    ifLost: ifLost(view, server, groups, { policy, ...repair, random: seededRandom(1) }),
  }
}

function memberStanding({ state, silence }: ServerStanding) {
  return { serverState: state, ...(silence === undefined ? {} : { silence }) }
}

function whyInState(
  { registry, settings, map, clusterTime }: HandlerContext,
  view: ClusterView,
  server: ServerId,
): string {
  const known = view.servers.get(server)
  const silent = formatDuration(Math.max(1, known?.silentMs ?? 0))
  const deadAfter = formatDuration(settings.values.deadAfterMs)
  const maintenanceMs = (map.dutyOf(server).maintenanceUntilMs ?? 0) - counterOf(clusterTime())
  const expected = `an operator expects it to be away for ${formatDuration(maintenanceMs)} yet: nothing is repaired for it`
  const maintenance = maintenanceMs > 0 ? `; ${expected}` : ''
  switch (registry.stateOf(server)) {
    case 'left':
      return 'it was drained, and nothing depends on it any more: it can be stopped'
    case 'dead':
      return `it has been silent for ${silent}, longer than dead-after (${deadAfter})${maintenance}`
    case 'suspect':
      return `its connection is closed or its heartbeats are late (${silent}); it counts as dead after ${deadAfter}${maintenance}`
    case 'maintenance':
      return `its heartbeats come; ${expected}`
    case 'draining':
      return `an operator asked it to leave; ${map.index.groupsOfServer(server).length} groups still have it as a member`
    default:
      return known?.refusal === undefined
        ? 'its heartbeats come, and it takes writes'
        : `its heartbeats come, and it refuses writes: ${known.refusal}`
  }
}

/**
 * What the duties that change groups have under way, for people: how much is left, and how long it takes. Derived from the
 * groups' rows, the last plan and what servers report: nothing is counted on the side, so nothing can drift.
 * @module
 */
import type { ServerId } from '../base/ids.ts'
import { isLost, presentDutyOf } from '../cluster/cluster-view.ts'
import { leavingBeside } from '../cluster/member-change.ts'
import type { WorkReport } from '../wire/methods/duty-methods.ts'
import type { Group, Member, MemberDuty } from '../wire/types/cluster-map.ts'
import type { ChunkOrders } from './chunk-orders.ts'
import type { CurrentMap } from './current-map.ts'
import type { GroupSizes } from './group-sizes.ts'
import type { MemberChanges } from './member-changes.ts'
import type { PausedDuties } from './paused-duties.ts'
import type { ServerRegistry } from './server-registry.ts'

export interface WorkOptions {
  readonly map: CurrentMap
  readonly registry: ServerRegistry
  readonly sizes: GroupSizes
  readonly orders: ChunkOrders
  readonly changes: MemberChanges
  readonly paused: PausedDuties
}

interface Left {
  chunks: number
  bytes: number
  groups: number
}

const duties: readonly MemberDuty[] = ['repair', 'drain', 'rebalance']

export function reportWork(options: WorkOptions): readonly WorkReport[] {
  return duties.map((duty) => reportDuty(duty, options))
}

/** What a draining server has still to give away; undefined: it does not drain. */
export function drainLeft(
  server: ServerId,
  { map, sizes, registry }: Pick<WorkOptions, 'map' | 'sizes' | 'registry'>,
): Left | undefined {
  if (map.dutyOf(server).drainingMs === undefined) return undefined
  const left = nothingLeft()
  for (const group of map.index.groupsOfServer(server)) {
    const own = group.members.find((member) => member.server === server) as Member
    const filling = group.members.find(({ slot, state }) => slot === own.slot && state === 'filling')
    add(left, filling === undefined ? sizes.of(group.id) : remaining(group, filling, { sizes, registry }))
  }
  return left
}

/** Chunks of groups in which some slot has no member that counts: all of them, where the servers' last words are true. */
export function chunksShort({ map, registry, sizes }: Pick<WorkOptions, 'map' | 'registry' | 'sizes'>): number {
  const isGone = (server: ServerId) => registry.isInMaintenance(server) || isLost(registry.loadOf(server))
  let chunks = 0
  for (const group of map.index.map.groups) {
    const isShort = group.members.some((member) => {
      if (member.state === 'leaving') return false
      const holder = member.state === 'in' ? member : leavingBeside(group, member)
      return holder === undefined || (isGone(holder.server) && registry.stateOf(holder.server) === 'dead')
    })
    if (isShort) chunks += sizes.of(group.id).chunks
  }
  return chunks
}

function reportDuty(duty: MemberDuty, { map, registry, sizes, orders, changes, paused }: WorkOptions): WorkReport {
  const underWay = nothingLeft()
  const takers = new Map<ServerId, Left>()
  for (const group of map.index.changingGroups) {
    for (const member of group.members) {
      if (member.state === 'filling' && presentDutyOf(group, member, (id) => registry.loadOf(id)) === duty) {
        const left = remaining(group, member, { sizes, registry })
        const taker = takers.get(member.server) ?? nothingLeft()
        takers.set(member.server, taker)
        for (const sum of [underWay, taker]) add(sum, left)
      }
    }
  }
  // What members that are back owe from the time when they were away; that of the others waits for them.
  for (const { id } of duty === 'repair' ? map.index.map.servers : []) {
    if (registry.peerOf(id) === undefined) continue
    const { chunks, bytes } = registry.owed.of(id)
    const taker = takers.get(id) ?? nothingLeft()
    takers.set(id, taker)
    for (const sum of [underWay, taker]) {
      sum.chunks += chunks
      sum.bytes += bytes
    }
  }
  const waiting = nothingLeft()
  const plan = changes.plans[duty]
  for (const { group } of plan.waiting) add(waiting, sizes.of(group))
  const bytesLeft = underWay.bytes + waiting.bytes
  const chunksLeft = underWay.chunks + waiting.chunks
  const timeLeftMs = orders.progress[duty].timeToCopyMs({ underWay: takers, waiting })
  const isPaused = paused.has(duty)
  const isWorking = (underWay.groups > 0 || underWay.chunks > 0) && !isPaused
  const state = isPaused ? 'paused' : isWorking ? 'working' : waiting.groups > 0 ? 'waiting' : 'idle'
  const reason = plan.waiting[0]?.why
  return {
    duty,
    state,
    groupsUnderWay: underWay.groups,
    groupsWaiting: waiting.groups,
    chunksLeft,
    bytesLeft,
    bytesPerSecond: isWorking ? Math.round(orders.progress[duty].rate.bytes) : 0,
    // Nothing is known of how long it takes to prove what is there: that is no "0 ms".
    ...(isWorking && chunksLeft > 0 && timeLeftMs !== undefined ? { timeLeftMs } : {}),
    ...(reason === undefined ? {} : { reason }),
  }
}

/** Of a filling member, by the count of chunks that it says it holds. */
function remaining(
  group: Group,
  { server }: Member,
  { sizes, registry }: Pick<WorkOptions, 'sizes' | 'registry'>,
): { readonly chunks: number; readonly sizeBytes: number } {
  const { chunks, sizeBytes } = sizes.of(group.id)
  const left = Math.max(0, chunks - registry.heldBy(group.id, server))
  return { chunks: left, sizeBytes: chunks === 0 ? 0 : Math.round((sizeBytes * left) / chunks) }
}

function nothingLeft(): Left {
  return { chunks: 0, bytes: 0, groups: 0 }
}

function add(left: Left, { chunks, sizeBytes }: { readonly chunks: number; readonly sizeBytes: number }): void {
  left.chunks += chunks
  left.bytes += sizeBytes
  left.groups++
}

/**
 * The leader, with each decision that passes it told as an event once it is durable. Whatever changes groups, servers, settings
 * or chunks goes through the leader, so nothing is decided that is not told, and those who decide need not think of it.
 * @module
 */
import { type ChunkId, groupOf, type ServerId } from '../base/ids.ts'
import type { Replacement } from '../cluster/member-change.ts'
import type { Leader, ServerDuty, ServerRecord } from '../namespace/namespace.ts'
import type { EventKind, NewEvent } from '../wire/types/cluster-event.ts'
import type { Group, MemberDuty, ServerEntry } from '../wire/types/cluster-map.ts'
import type { ChunkOrdersOptions } from './chunk-orders.ts'
import type { EventLog } from './event-log.ts'

/** What is in force before a change. */
export interface KnownState {
  server(id: ServerId): ServerEntry | undefined
  dutyOf(id: ServerId): ServerDuty
  group(id: Group['id']): Group | undefined
}

export interface RecordedLeaderOptions {
  readonly leader: Leader
  readonly events: EventLog
  /** Undefined until the map is loaded. */
  readonly known: () => KnownState | undefined
}

export function recordedLeader({ leader, events, known }: RecordedLeaderOptions): Leader {
  return {
    ...leader,
    putServer: async (record) => {
      const state = known()
      const before = state && { server: state.server(record.server.id), duty: state.dutyOf(record.server.id) }
      await leader.putServer(record)
      if (before !== undefined) for (const event of serverEvents(before, record)) events.tell(event)
    },
    putGroup: async (record) => {
      await leader.putGroup(record)
      events.gather('groups-formed', 1, (count) => ({ kind: 'groups-formed', what: `formed ${count} groups`, count }))
    },
    replaceMember: async (replacement) => {
      const group = await leader.replaceMember(replacement)
      events.tell(replacementEvent(replacement))
      return group
    },
    settleMember: async (settlement) => {
      const before = known()?.group(settlement.group)
      const group = await leader.settleMember(settlement)
      if (group !== undefined) {
        const duty = before?.members.find(({ server }) => server === settlement.joined)?.duty ?? 'repair'
        events.tell({
          kind: `${duty}-done`,
          what: `group ${group.id}: ${shortId(settlement.joined)} holds everything`,
          reason: 'its digests equal the metadata, and each copy was read back',
          server: settlement.joined,
          group: group.id,
        })
      }
      return group
    },
    putSetting: async (name, value) => {
      await leader.putSetting(name, value)
      events.tell({ kind: 'setting-changed', what: `${name} is ${value}`, reason: 'an operator changed it' })
    },
    putRecord: async (name, value) => {
      await leader.putRecord(name, value)
      const event = recordEvent(name, value.toString())
      if (event !== undefined) events.tell(event)
    },
    purgeDue: async (limit) => {
      const progress = await leader.purgeDue(limit)
      const purged = (count: number): NewEvent => ({
        kind: 'trash-purged',
        what: `${count} chunks became tombstones`,
        reason: 'their files left trash: its time was over, it was emptied, or a write was abandoned',
        count,
      })
      events.gather('trash-purged', progress.chunks, purged)
      return progress
    },
    confirmDeleted: async (confirmation) => {
      const done = await leader.confirmDeleted(confirmation)
      const deleted = (count: number): NewEvent => ({
        kind: 'gc',
        what: `deleted ${count} chunks from all their members`,
        reason: 'no file needs them any more, and every present member confirmed',
        count,
      })
      events.gather('gc', done, deleted)
      return done
    },
    queueRepair: async (chunk, server) => {
      await leader.queueRepair(chunk, server)
      events.gather(`quarantine ${server}`, 1, (count) => quarantineEvent(chunk, server, count))
    },
    repairDone: async (chunk, server) => {
      await leader.repairDone(chunk, server)
      const repaired = (count: number): NewEvent => ({
        kind: 'replicas-repaired',
        what: `${shortId(server)} took ${count} replicas that it owed`,
        reason: 'each was read back and is right',
        server,
        count,
      })
      events.gather(`repaired ${server}`, 1, repaired)
    },
  }
}

/** Deletes for absence do not pass the leader. */
export function tellDeleted(events: EventLog): NonNullable<ChunkOrdersOptions['onDeleted']> {
  return (server, { group, because, deleted }) => {
    const told = (count: number): NewEvent => ({
      kind: because,
      what: `${shortId(server)} deleted ${count} chunks of group ${group.id}`,
      reason:
        because === 'orphans-removed'
          ? 'no file names them, their allocations are closed, and the scan equals its digest'
          : 'it is no member any more, and every member was seen to hold everything',
      server,
      group: group.id,
      count,
    })
    events.gather(`${because} ${server} ${group.id}`, deleted, told)
  }
}

function quarantineEvent(chunk: ChunkId, server: ServerId, count: number): NewEvent {
  const what = count === 1 ? `chunk ${chunk}` : `chunk ${chunk} and ${count - 1} more`
  return {
    kind: 'quarantine',
    what: `${shortId(server)} set its replica of ${what} aside`,
    reason: 'the bytes are not those that the metadata names; a new copy is queued',
    server,
    group: groupOf(chunk),
    count,
  }
}

/** Steps of plans carry their reason. */
function replacementEvent(replacement: Replacement & { readonly reason?: string }): NewEvent {
  const { duty, group, from, to, reason } = replacement
  const begun: Record<MemberDuty, EventKind> = {
    repair: 'repair-begun',
    drain: 'drain-begun',
    rebalance: 'rebalance-begun',
  }
  const what = `group ${group}: ${shortId(to)} is filled in the place of ${shortId(from)}`
  return {
    kind: begun[duty],
    what,
    ...(reason === undefined ? {} : { reason: reason.slice(0, 1000) }),
    server: from,
    group,
  }
}

function serverEvents(
  before: { readonly server: ServerEntry | undefined; readonly duty: ServerDuty },
  { server, duty = {} }: ServerRecord,
): readonly NewEvent[] {
  const tell = (kind: EventKind, what: string, reason: string): readonly NewEvent[] => [
    { kind, what: `${server.domain} (${shortId(server.id)}) ${what}`, reason, server: server.id },
  ]
  if (before.server === undefined)
    return tell('server-joined', 'joined the cluster', 'it registered for the first time')
  const was = before.server.state
  const isAway = (state: ServerEntry['state']) => state === 'suspect' || state === 'dead'
  const told: NewEvent[] = []
  if (server.state === 'suspect' && was !== 'suspect') {
    told.push(...tell('server-suspect', 'is suspect', 'its connection closed, or its heartbeats are late'))
  } else if (server.state === 'dead' && was !== 'dead') {
    told.push(...tell('server-dead', 'counts as dead', 'it was silent for longer than dead-after'))
  } else if (isAway(was) && !isAway(server.state)) {
    told.push(...tell('server-returned', 'is back', `it was ${was} and registered again`))
  }
  return [...told, ...dutyEvents(before.duty, duty, tell)]
}

function dutyEvents(
  before: ServerDuty,
  after: ServerDuty,
  tell: (kind: EventKind, what: string, reason: string) => readonly NewEvent[],
): readonly NewEvent[] {
  const asked = 'an operator asked for it'
  if (after.leftMs !== undefined && before.leftMs === undefined) {
    return tell(
      'server-left',
      'has left',
      'nothing depends on it: no group has it as a member, and all are whole without it',
    )
  }
  if (after.drainingMs !== undefined && before.drainingMs === undefined) return tell('drain-asked', 'drains', asked)
  if (after.drainingMs === undefined && before.drainingMs !== undefined) {
    return tell('drain-cancelled', 'keeps what it still has', asked)
  }
  const { maintenanceUntilMs: until } = after
  if (until !== undefined && until !== before.maintenanceUntilMs) {
    return tell('maintenance-begun', 'is in maintenance', `${asked}; nothing is repaired for it`)
  }
  if (until === undefined && before.maintenanceUntilMs !== undefined) {
    return tell('maintenance-ended', 'is in maintenance no more', asked)
  }
  return []
}

function recordEvent(name: string, value: string): NewEvent | undefined {
  if (name === 'lost-future') {
    const [chunk = '', server = ''] = value.split(' ')
    const what = `the metadata is older than chunk ${chunk} on ${server.slice(0, 8)}: files can only be read`
    return { kind: 'restore-needed', what, reason: 'it never gave out the id of that chunk' }
  }
  if (name !== 'paused-duties') return undefined
  const what = value === '' ? 'no duty is paused' : `paused: ${value.replaceAll(',', ', ')}`
  return { kind: 'duties-paused', what, reason: 'an operator asked for it' }
}

function shortId(server: ServerId): string {
  return server.slice(0, 8)
}

/**
 * One screen of `ashlar status --watch`, from two looks at the cluster: its health in one sentence, what it does now, how fast, how
 * long yet, and the oldest problem there is. Pure: looks in, lines out.
 * @module
 */
import { formatCount, formatDuration, formatSize } from '../../base/sizes.ts'
import type { ClusterEvent, ClusterStatus, NodeStatus } from '../../client/index.ts'
import { describeCrowding, describeHoldOff, describePaused, describeWork, healthOf } from './describe-status.ts'

export interface Look {
  /** Wall clock. */
  readonly atMs: number
  readonly status: ClusterStatus
  readonly nodes: readonly NodeStatus[]
  /** The newest, in order. */
  readonly events: readonly ClusterEvent[]
}

export interface Problem {
  readonly what: string
  readonly sinceMs: number
}

/** Of the problems there are now, when each was first seen by whoever looks: what the cluster cannot date is dated by it. */
export type FirstSeen = ReadonlyMap<string, number>

const barCells = 20
const eventsShown = 5

export function statusScreen(look: Look, before: Look | undefined, problems: readonly Problem[]): readonly string[] {
  const { status, nodes, events, atMs } = look
  const oldest = problems.toSorted((one, other) => one.sinceMs - other.sinceMs)[0]
  const work = (status.work ?? []).flatMap(describeWork)
  const doing = [
    ...work,
    ...(status.holdOffMs === undefined ? [] : [describeHoldOff(status.holdOffMs)]),
    ...(status.pendingDeletes === 0 ? [] : [`gc         ${formatCount(status.pendingDeletes, 'chunk')} to delete`]),
    ...describePaused(status),
  ]
  const used = status.usedBytes / Math.max(1, status.capacityBytes)
  return [
    `${healthOf(status)}.`,
    ...(status.restoreNeeded === undefined ? [] : [status.restoreNeeded]),
    '',
    `oldest     ${oldest === undefined ? 'no problem' : `${oldest.what}, for ${formatDuration(Math.max(1000, atMs - oldest.sinceMs))}`}`,
    `now        ${doing.length === 0 ? 'nothing to repair, move or delete' : doing[0]}`,
    ...doing.slice(1).map((line) => `           ${line}`),
    `rates      ${ratesOf(look, before)}`,
    `space      ${bar(used)} ${formatSize(status.usedBytes)} of ${formatSize(status.capacityBytes)}, ${formatSize(status.freeBytes)} free`,
    `files      ${status.files}, ${formatSize(status.lengthBytes)}; in trash ${status.trashEntries}, ${formatSize(status.trashBytes)}`,
    `servers    ${serversOf(nodes)}`,
    ...(status.crowding === undefined ? [] : [`domains    ${describeCrowding(status.crowding)}`]),
    '',
    ...events.slice(-eventsShown).map(({ atMs: at, what }) => `${new Date(at).toISOString().slice(11, 19)}   ${what}`),
  ]
}

/** What is wrong now, each with since when; in no order. */
export function problemsOf({ status, nodes, events, atMs }: Look, firstSeen: FirstSeen): readonly Problem[] {
  const since = (name: string) => firstSeen.get(name) ?? atMs
  const eventOf = (kind: string, server?: string) =>
    events.findLast((event) => event.kind === kind && (server === undefined || event.server === server))?.atMs
  const problems: Problem[] = []
  for (const { id, domain, state, silentMs, refusal } of nodes) {
    if (state === 'dead' || state === 'suspect') {
      problems.push({ what: `${domain} (${id.slice(0, 8)}) is ${state}`, sinceMs: atMs - silentMs })
    }
    if (refusal !== undefined && state !== 'left') {
      const what = `${domain} (${id.slice(0, 8)}) refuses writes: ${refusal}`
      problems.push({ what, sinceMs: eventOf('server-full', id) ?? since(what) })
    }
  }
  const { underReplicatedChunks: short, holdOffMs, readOnly, restoreNeeded, backup } = status
  if (short > 0) problems.push({ what: 'chunks lack a replica', sinceMs: since('chunks lack a replica') })
  if (holdOffMs !== undefined) {
    const what = 'many servers fell silent together'
    problems.push({ what, sinceMs: eventOf('hold-off-begun') ?? since(what) })
  }
  if (readOnly === true) {
    const what = 'the disk of the metadata is full'
    problems.push({ what, sinceMs: eventOf('metadata-full') ?? since(what) })
  }
  if (backup?.state === 'behind') {
    const what = `the metadata is on the master's disk alone: ${backup.problem ?? 'the backups are behind'}`
    problems.push({ what, sinceMs: atMs - backup.lagMs })
  }
  if (restoreNeeded !== undefined) {
    problems.push({ what: 'restore needed', sinceMs: eventOf('restore-needed') ?? since('restore needed') })
  }
  return problems
}

function ratesOf({ status, atMs }: Look, before: Look | undefined): string {
  if (before === undefined || atMs <= before.atMs) return 'measuring'
  const perSecond = (now: number, then: number) => Math.round(((now - then) * 1000) / (atMs - before.atMs))
  const files = perSecond(status.files, before.status.files)
  const bytes = perSecond(status.lengthBytes, before.status.lengthBytes)
  const copied = (status.work ?? []).reduce((sum, { bytesPerSecond }) => sum + bytesPerSecond, 0)
  return `${signed(files)} files/s, ${bytes < 0 ? '-' : '+'}${formatSize(Math.abs(bytes))}/s written, ${formatSize(copied)}/s copied`
}

function signed(value: number): string {
  return value < 0 ? String(value) : `+${value}`
}

function bar(fraction: number): string {
  const full = Math.min(barCells, Math.round(fraction * barCells))
  return `[${'#'.repeat(full)}${'.'.repeat(barCells - full)}]`
}

function serversOf(nodes: readonly NodeStatus[]): string {
  const counts = new Map<string, number>()
  for (const { state } of nodes) counts.set(state, (counts.get(state) ?? 0) + 1)
  return [...counts].map(([state, count]) => `${count} ${state}`).join(', ')
}

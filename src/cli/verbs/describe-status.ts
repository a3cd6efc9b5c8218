/** `ashlar status` for people: the cluster in a few lines, its health in one sentence. @module */
import { formatCount, formatDuration, formatSize } from '../../base/sizes.ts'
import type { ClusterStatus, WorkReport } from '../../client/index.ts'
import { describeBackup } from './describe-backup.ts'

export function describeStatus(status: ClusterStatus): readonly string[] {
  return [
    `cluster    ${status.clusterId}, up for ${formatDuration(status.uptimeMs)}, version ${status.version}`,
    `servers    ${status.serversUp} of ${status.servers} up, ${formatCount(status.groups, 'group')}, policy ${status.defaultPolicy}`,
    `files      ${status.files}, ${formatSize(status.lengthBytes)}`,
    `trash      ${status.trashEntries}, ${formatSize(status.trashBytes)}, kept for ${formatDuration(status.trashKeepMs)}`,
    `space      ${formatSize(status.usedBytes)} used of ${formatSize(status.capacityBytes)}, ${formatSize(status.freeBytes)} free`,
    `health     ${healthOf(status)}`,
    ...(status.crowding === undefined ? [] : [`domains    ${describeCrowding(status.crowding)}`]),
    ...(status.backup === undefined ? [] : [`backups    ${describeBackup(status.backup)}`]),
    ...(status.work ?? []).flatMap(describeWork),
    ...(status.holdOffMs === undefined ? [] : [`hold-off   ${describeHoldOff(status.holdOffMs)}`]),
    ...describeScrub(status),
    ...(status.pendingDeletes === 0 ? [] : [`gc         ${formatCount(status.pendingDeletes, 'chunk')} to delete`]),
    ...describePaused(status),
    ...(status.safeMode ? ['safe mode  no deletes until the chunk servers have reported'] : []),
    ...(status.restoreNeeded === undefined ? [] : [`READ-ONLY  ${status.restoreNeeded}`]),
    ...(status.readOnly === true ? ['READ-ONLY  the disk of the metadata is full: make room there'] : []),
  ]
}

/** In one sentence: what is short, and what is done about it. */
export function healthOf(status: ClusterStatus): string {
  const { servers, serversUp, underReplicatedChunks, safeMode, restoreNeeded } = status
  const { serversMissed = servers - serversUp, serversInMaintenance = 0, work = [] } = status
  const parts: string[] = restoreNeeded === undefined ? [] : ['restore needed, see below']
  if (underReplicatedChunks > 0) {
    const state = work.find(({ duty }) => duty === 'repair')?.state
    const idle = serversInMaintenance > 0 && state !== 'waiting' ? 'waits until maintenance is over' : 'is queued'
    const repair = state === 'working' ? 'is under way' : state === 'paused' ? 'is paused' : idle
    parts.push(`${formatCount(underReplicatedChunks, 'chunk lacks', 'chunks lack')} a replica; repair ${repair}`)
  }
  if (serversMissed > 0) {
    const loss = underReplicatedChunks > 0 ? '' : ', and with them a replica of what they hold'
    const expected = serversInMaintenance > 0 ? ` (${serversInMaintenance} in maintenance)` : ''
    parts.push(
      `${serversMissed} of ${formatCount(servers, 'server')} ${serversMissed === 1 ? 'is' : 'are'} away${expected}${loss}`,
    )
  }
  if (parts.length === 0) {
    parts.push(safeMode ? 'comparing what the servers hold' : 'every chunk has all its replicas')
    const repair = work.find(({ duty, state }) => duty === 'repair' && state === 'working')
    if (repair !== undefined && repair.groupsUnderWay > 0)
      parts.push(`repair goes on until members to come are proven in ${formatCount(repair.groupsUnderWay, 'group')}`)
  }
  const replaced = servers - serversUp - serversMissed
  if (replaced > 0)
    parts.push(
      `${replaced} of ${formatCount(servers, 'server')} ${replaced === 1 ? 'is' : 'are'} away, and all they held is on others`,
    )
  return parts.join('; ')
}

export function describeWork({ duty, state, groupsUnderWay, groupsWaiting, ...left }: WorkReport): readonly string[] {
  if (state === 'idle') return []
  const counts = `${formatCount(groupsUnderWay, 'group')} under way, ${groupsWaiting} wait; ${formatCount(left.chunksLeft, 'chunk')}, ${formatSize(left.bytesLeft)} left`
  const rate = left.bytesPerSecond > 0 ? `, ${formatSize(left.bytesPerSecond)}/s` : ''
  const time = left.timeLeftMs === undefined ? '' : `, about ${formatDuration(left.timeLeftMs)} yet`
  const reason = groupsWaiting > 0 && left.reason !== undefined ? ` (${left.reason})` : ''
  return [`${duty.padEnd(11)}${state}: ${counts}${rate}${time}${reason}`]
}

function describeScrub({ oldestUnscrubbedSeconds, scrubWithinMs }: ClusterStatus): readonly string[] {
  if (oldestUnscrubbedSeconds === undefined || scrubWithinMs === undefined) return []
  const isLate = oldestUnscrubbedSeconds * 1000 > scrubWithinMs
  const oldest = `everything was written to its disk, or read from it, within the last ${formatDuration(oldestUnscrubbedSeconds * 1000)}`
  return [`scrub      ${oldest}${isLate ? `, where ${formatDuration(scrubWithinMs)} is asked for` : ''}`]
}

/** Those that the lines of work do not show. */
export function describePaused({ paused = [] }: ClusterStatus): readonly string[] {
  const others = paused.filter((duty) => duty === 'scrub' || duty === 'gc')
  return others.map((duty) => `paused     ${duty}, until "ashlar resume ${duty}"`)
}

/** Of racks that are fewer than copies, as a rule. */
export function describeCrowding({ copies, of, groups, domains }: NonNullable<ClusterStatus['crowding']>): string {
  const loss = `one failure domain lost would take ${copies} of ${of} copies of ${formatCount(groups, 'group')}`
  return domains < of ? `${loss}: there are ${domains} for ${of} copies` : `${loss}, until these are moved apart`
}

export function describeHoldOff(holdOffMs: number): string {
  return `many servers fell silent together: what can wait is repaired in ${formatDuration(holdOffMs)}, nothing is deleted`
}

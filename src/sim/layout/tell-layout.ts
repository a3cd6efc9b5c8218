/** What a simulated loss means, in sentences that need no knowledge of the store. @module */
import { formatDuration, formatSize } from '../../base/sizes.ts'
import type { Damage, LayoutOptions, LayoutReport } from './simulate-layout.ts'

export function tellLayout(report: LayoutReport, kill: LayoutOptions['kill']): readonly string[] {
  const { killed } = report
  const lines = [clusterLine(report), assumptionLine(report)]
  if (killed.servers === 0)
    return [...lines, '', 'Nothing was killed: name a loss by --kill-rack, --kill-server or --kill-servers.']
  return [...lines, '', lossLine(report, kill), ...damageLines(report), '', ...repairLines(report)]
}

function clusterLine({ cluster }: LayoutReport): string {
  const { servers, racks, capacityBytes, files, fileBytes, chunks, groups, policy, strategy, domain } = cluster
  const where = racks === 0 ? '' : ` in ${many(racks, 'rack')}`
  const apart = racks > 0 && domain === 'rack' ? 'racks' : 'servers'
  return (
    `The cluster: ${many(servers, 'chunk server')}${where}, ${formatSize(capacityBytes)} each; ${many(files, 'file')} of ` +
    `${formatSize(fileBytes)} in ${many(chunks, 'chunk')}, ${policy}. The servers are ${percent(cluster.usedFraction)} full, the fullest ` +
    `${percent(cluster.fullestFraction)}. ${many(groups, 'group')} by strategy ${strategy}; the copies of a chunk lie in different ${apart}.`
  )
}

function assumptionLine({ cluster, seed }: LayoutReport): string {
  const { diskBytesPerSecond, netBytesPerSecond, uplinkBytesPerSecond, repairShare } = cluster.hardware
  const uplink =
    uplinkBytesPerSecond === undefined ? 'no limit between racks' : `${perSecond(uplinkBytesPerSecond)} between racks`
  return (
    `Assumed: disks of ${perSecond(diskBytesPerSecond)}, links of ${perSecond(netBytesPerSecond)}, ${uplink}; repair takes at most ` +
    `${percent(repairShare)} of each; nobody else fails meanwhile. Seed ${seed}.`
  )
}

function lossLine({ killed }: LayoutReport, kill: LayoutOptions['kill']): string {
  const held = `with ${formatSize(killed.bytes)} of copies`
  if (kill.kind === 'rack') return `Rack ${kill.number} is lost: ${many(killed.servers, 'server')} ${held}.`
  if (kill.kind === 'server') return `Server ${kill.number} is lost, ${held}.`
  return `${many(killed.servers, 'server')}, drawn at random, ${killed.servers === 1 ? 'is' : 'are'} lost at once, ${held}.`
}

function damageLines({ cluster, lost, lastCopy, underReplicated, writableGroups }: LayoutReport): readonly string[] {
  const lines = [
    lost.chunks === 0
      ? 'Lost or unreadable: nothing. Every chunk has a copy on a server that answers.'
      : `Lost or unreadable: ${amount(lost)}, in about ${many(lost.files, 'file')}. All their copies were on those servers: ` +
        'gone if the disks are, unreadable until one of them is back otherwise.',
  ]
  if (underReplicated.chunks === 0) lines.push('Under-replicated: nothing else.')
  else if (lastCopy.chunks === underReplicated.chunks) {
    lines.push(`Under-replicated: ${amount(underReplicated)}, all of them down to their last copy.`)
  } else {
    const endangered =
      lastCopy.chunks === 0 ? 'none is down to its last copy' : `of these down to their last copy: ${amount(lastCopy)}`
    lines.push(`Under-replicated: ${amount(underReplicated)}; ${endangered}.`)
  }
  lines.push(
    writableGroups === 0
      ? 'Writes: no group has all of its members; new files get fewer copies or are refused, until repair has begun.'
      : `Writes go on with ${many(cluster.replicas, 'copy', 'copies')}, to ${percent(writableGroups / cluster.groups)} of the groups.`,
  )
  return lines
}

function repairLines({ repair, cluster, killed, after }: LayoutReport): readonly string[] {
  const lines: string[] = []
  if (repair.groups === 0) lines.push('Repair: there is nothing that can be repaired.')
  else {
    lines.push(
      `Repair begins after ${formatDuration(repair.beginsMs)} and is done ${formatDuration(repair.endsMs)} after the loss: ` +
        `${formatSize(repair.copiedBytes)} for ${many(repair.groups, 'group')}, at ${perSecond(repair.bytesPerSecond)} in all ` +
        `(${perSecond(repair.bytesPerSecond / Math.max(1, cluster.servers - killed.servers))} a server; at most ${perSecond(repair.peakBytesPerSecond)}).`,
    )
    if (repair.safeMs > 0)
      lines.push(`No chunk is down to its last copy any more after ${formatDuration(repair.safeMs)}.`)
    lines.push(limitLine(repair))
  }
  for (const { why, groups } of repair.waiting) lines.push(`Not repaired: ${many(groups, 'group')}: ${why}.`)
  lines.push(
    `Then the servers that are left are ${percent(after.usedFraction)} full, the fullest ${percent(after.fullestFraction)}.`,
  )
  return lines
}

function limitLine({
  limits,
  masterFullShare,
  groupsAtOnce,
  idealMs,
  endsMs,
  beginsMs,
}: LayoutReport['repair']): string {
  const held = limits
    .filter(({ share }) => share >= 0.01)
    .map(({ limit, share }) => `${limit} (${percent(share)} of the bytes)`)
  const master =
    masterFullShare >= 0.01
      ? `; ${percent(masterFullShare)} of the time more groups waited than the master fills at once (${groupsAtOnce})`
      : ''
  const ratio = (endsMs - beginsMs) / Math.max(1, idealMs)
  return (
    `Limits that bind: ${held.join(', ') || 'none'}${master}. All disks together could do it in ${formatDuration(idealMs)}: ` +
    `this is ${ratio.toFixed(1)} times as long.`
  )
}

function amount({ chunks, bytes, groups }: Damage): string {
  return `${many(chunks, 'chunk')}, ${formatSize(bytes)}, of ${many(groups, 'group')}`
}

function many(count: number, noun: string, nouns = `${noun}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? noun : nouns}`
}

function percent(fraction: number): string {
  return `${(100 * fraction).toFixed(fraction > 0 && fraction < 0.1 ? 1 : 0)} %`
}

function perSecond(bytesPerSecond: number): string {
  return `${formatSize(Math.round(bytesPerSecond))}/s`
}

/** The figures of a run as tables of Markdown: what the page and the terminal show. @module */
import { grouped } from '../bench.ts'
import { type Figure, figureNamed, limitGroup, partOfLimit, type Report, type Role, roles } from '../figures.ts'
import { median, spreadOf } from '../spread.ts'
import { judge, percent, targets, valueText } from './targets.ts'

export const groupTitles: Readonly<Record<string, string>> = {
  large: 'Large files, through the SDK',
  small: 'Small files, through the SDK',
  s3: 'Objects, through S3',
  startup: 'Starts',
  footprint: 'Memory and disk',
  metadata: 'Metadata',
  repair: 'Repair',
  rivals: 'Rivals',
  streams: 'Long streams, and many',
  connections: 'Idle connections',
  [limitGroup]: 'Limits of the machine',
}

export function runText({ machine, rounds, scale }: Report): string {
  const { cpu, cores, memoryMiB, system, node, date, commit, load } = machine
  const amounts = scale === 1 ? '' : ` **Amounts were ${scale} of the usual ones: a trial, no measurement.**`
  return (
    `${rounds} ${rounds === 1 ? 'round' : 'rounds'} on ${date.slice(0, 10)} at commit ${commit}: ${cores} cores (${cpu}), ${grouped(memoryMiB)} MiB of memory, ${system}, Node ${node}; ` +
    `load average ${load[0].toFixed(1)} before, ${load[1].toFixed(1)} at the end.${amounts} Each figure is the median of the rounds; the spread is from the least to the greatest.`
  )
}

/** One table a group that was measured. */
export function groupTables(report: Report): string {
  const groups = Object.keys(groupTitles).filter((group) => report.figures.some((figure) => figure.group === group))
  return groups.map((group) => `### ${groupTitles[group]}\n\n${groupTable(report, group)}`).join('\n\n')
}

function groupTable(report: Report, group: string): string {
  const figures = report.figures.filter((figure) => figure.group === group)
  const hasLimits = figures.some(({ limit }) => limit !== undefined)
  const hasCosts = figures.some(({ cpuUs }) => cpuUs !== undefined)
  const heads = ['', 'median', 'spread', ...(hasLimits ? ['limit in the same run', 'part of it'] : [])]
  if (hasCosts) heads.push('CPU each')
  const rows = figures.map((figure) => {
    const cells = [figure.name, valueText(figure, median(figure.values)), spreadText(figure)]
    if (hasLimits) cells.push(...limitCells(report, figure))
    if (hasCosts) cells.push(costText(figure))
    return cells
  })
  return table(heads, rows)
}

export function targetTable(report: Report): string {
  const rows = targets.map((target) => {
    const { verdict, found } = judge(target, report)
    return [target.workload, target.rival, found.join('; '), verdict === 'met' ? 'met' : `**${verdict}**`]
  })
  return table(['workload', 'rivals, measured earlier on such a machine', 'ours', ''], rows)
}

function spreadText({ values }: Figure): string {
  if (values.length < 2) return ''
  const { least, greatest } = spreadOf(values)
  return `${grouped(least)} – ${grouped(greatest)}`
}

function limitCells(report: Report, figure: Figure): string[] {
  const { limit } = figure
  const whole = limit === undefined ? undefined : figureNamed(report, limit.name)
  const part = partOfLimit(figure, report)
  if (limit === undefined || whole === undefined || part === undefined) return ['', '']
  const most = valueText(whole, median(whole.values) * limit.share)
  return [`${most}: ${shareText(limit.share)}${limit.name}`, percent(part)]
}

function shareText(share: number): string {
  if (share === 1) return ''
  return share < 1 ? `1/${Math.round(1 / share)} of ` : `${share} × `
}

const roleNames: Readonly<Record<Role, string>> = {
  ...{ client: 'client', up: 'up', master: 'master', gateway: 'gateway', chunkserver: 'chunk servers', rival: 'rival' },
}

/** Microseconds, or milliseconds where a MiB is what is counted. */
function costText({ cpuUs = {}, unit }: Figure): string {
  const parts = roles.flatMap((role) => {
    const costUs = median(cpuUs[role] ?? [])
    if (!(costUs >= 1)) return []
    return [
      `${roleNames[role]} ${unit === 'MiB/s' ? `${(costUs / 1000).toFixed(1)} ms` : `${grouped(Math.round(costUs))} µs`}`,
    ]
  })
  return parts.join(', ')
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(heads), `|${heads.map(() => '---|').join('')}`, ...rows.map(line)].join('\n')
}

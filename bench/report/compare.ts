/**
 * Two runs side by side, perhaps of different machines: by parts of the limit of each run where there is one, else by CPU time for
 * each operation. A figure is worse when its median is, by more than the tolerance and by more than the rounds of either run differ.
 * @module
 */
import { type Figure, figureNamed, limitGroup, partsOfLimit, type Report } from '../figures.ts'
import { median, spreadOf } from '../spread.ts'

export interface Change {
  readonly name: string
  readonly by: 'part of the limit' | 'CPU each'
  /** New by old, more is better: 0.5 is half as good. */
  readonly ratio: number
  readonly verdict: 'worse' | 'better' | 'same'
}

const defaultTolerance = 0.15

export function compare(before: Report, after: Report, { tolerance = defaultTolerance } = {}): Change[] {
  return after.figures.flatMap((figure) => {
    const old = figure.group === limitGroup ? undefined : figureNamed(before, figure.name)
    if (old === undefined) return []
    const parts = { old: partsOfLimit(old, before), now: partsOfLimit(figure, after) }
    if (parts.old.length > 0 && parts.now.length > 0) {
      return [changeOf(figure, { by: 'part of the limit', ...parts, tolerance })]
    }
    const costs = { old: goodness(old), now: goodness(figure) }
    if (costs.old.length === 0 || costs.now.length === 0) return []
    return [changeOf(figure, { by: 'CPU each', ...costs, tolerance })]
  })
}

/** Operations for each microsecond of CPU, all processes together, round by round. */
function goodness({ cpuUs = {}, values }: Figure): number[] {
  const roles = Object.values(cpuUs)
  if (roles.length === 0) return []
  return values
    .map((_, round) => 1 / roles.reduce((sum, rounds) => sum + (rounds[round] ?? 0), 0))
    .filter(Number.isFinite)
}

interface Sides {
  readonly by: Change['by']
  readonly old: readonly number[]
  readonly now: readonly number[]
  readonly tolerance: number
}

function changeOf({ name }: Figure, { by, old, now, tolerance }: Sides): Change {
  const ratio = median(now) / median(old)
  const isApart = spreadOf(now).greatest < spreadOf(old).least || spreadOf(now).least > spreadOf(old).greatest
  const verdict = !isApart || Math.abs(ratio - 1) <= tolerance ? 'same' : ratio < 1 ? 'worse' : 'better'
  return { name, by, ratio, verdict }
}

export function changesText(changes: readonly Change[]): string {
  const lines = changes.map(
    ({ name, by, ratio, verdict }) => `  ${verdict.padEnd(7)}${ratio.toFixed(2).padStart(6)} ×  ${name} (${by})`,
  )
  const worse = changes.filter(({ verdict }) => verdict === 'worse').length
  return [`Compared, by ratio (more is better): ${changes.length} figures, ${worse} worse`, ...lines].join('\n')
}

/**
 * What a run found: figures of several rounds, each beside its limit, and the machine. This is what the JSON holds, and all that
 * the page, the plots and the comparison are made from.
 *
 * A limit is a figure too, of the group `limits`, taken in the same rounds: so a machine that slows down slows both.
 * @module
 */
import { median } from './spread.ts'

/** Of `ms`, `MiB`, `bytes` and `ratio` less is better, of a rate more. */
export type Unit = 'MiB/s' | '/s' | 'ms' | 'MiB' | 'bytes' | 'ratio'

export const roles = ['client', 'up', 'master', 'gateway', 'chunkserver', 'rival'] as const
export type Role = (typeof roles)[number]

export interface LimitShare {
  /** Name of a figure in `limits`. */
  readonly name: string
  /** What part of it would be the most that we could reach: a third of the disk, where three copies are written. */
  readonly share: number
}

export interface Figure {
  readonly group: string
  readonly name: string
  readonly unit: Unit
  /** One a round. */
  readonly values: readonly number[]
  readonly limit?: LimitShare | undefined
  /** Microseconds of CPU for one operation (or MiB), all processes of a role together, one a round. */
  readonly cpuUs?: Partial<Record<Role, readonly number[]>> | undefined
}

export interface Machine {
  readonly date: string
  readonly commit: string
  readonly cpu: string
  readonly cores: number
  readonly memoryMiB: number
  readonly system: string
  readonly node: string
  /** Load average of the minute before the first figure and of the one before the last. */
  readonly load: readonly [before: number, after: number]
}

export interface Report {
  readonly version: 1
  readonly machine: Machine
  readonly rounds: number
  /** 1: the amounts of the tables; less: a run to see that all works. */
  readonly scale: number
  readonly figures: readonly Figure[]
}

export const limitGroup = 'limits'

export function figureNamed({ figures }: Report, name: string): Figure | undefined {
  return figures.find((figure) => figure.name === name)
}

export function isLessBetter({ unit }: Pick<Figure, 'unit'>): boolean {
  return unit === 'ms' || unit === 'MiB' || unit === 'bytes' || unit === 'ratio'
}

/**
 * A figure as a part of its limit, round by round: 1 is the limit itself, whichever way is better. The median of the rounds.
 * @returns undefined where there is no limit
 */
export function partOfLimit(figure: Figure, report: Report): number | undefined {
  const parts = partsOfLimit(figure, report)
  return parts.length === 0 ? undefined : median(parts)
}

export function partsOfLimit(figure: Figure, report: Report): number[] {
  const { limit, values } = figure
  const whole = limit === undefined ? undefined : figureNamed(report, limit.name)
  if (limit === undefined || whole === undefined || whole.values.length === 0) return []
  const most = (round: number) =>
    (whole.values.length === values.length ? (whole.values[round] as number) : median(whole.values)) * limit.share
  return values.map((value, round) => (isLessBetter(figure) ? most(round) / value : value / most(round)))
}

/** Takes figures down, round by round. */
export class Recorder {
  readonly #figures = new Map<string, Figure & { readonly values: number[] }>()

  add(
    figure: Omit<Figure, 'values' | 'cpuUs'> & {
      readonly value: number
      readonly cpuUs?: Partial<Record<Role, number>>
    },
  ): void {
    const { value, cpuUs, ...rest } = figure
    const known = this.#figures.get(rest.name)
    const sofar = known ?? { ...rest, values: [] }
    const costs = { ...sofar.cpuUs } as Partial<Record<Role, readonly number[]>>
    for (const [role, cost] of Object.entries(cpuUs ?? {}) as [Role, number][])
      costs[role] = [...(costs[role] ?? []), cost]
    const cpu = Object.keys(costs).length === 0 ? {} : { cpuUs: costs }
    this.#figures.set(rest.name, { ...sofar, ...cpu, values: [...sofar.values, value] })
  }

  figures(): readonly Figure[] {
    return [...this.#figures.values()]
  }
}

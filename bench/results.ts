/**
 * Figures of several rounds: limits and workloads by name, their medians, each workload beside its limit, and the floors.
 * @module
 */
import { median } from './spread.ts'
import type { Outcome } from './workloads.ts'

/** CPU seconds spent by each kind of process while a workload ran. */
export interface Cost {
  readonly client: number
  readonly master: number
  /** All of them together. */
  readonly chunkServers: number
}

export interface Line {
  readonly name: string
  readonly unit: Outcome['unit']
  /** Medians. */
  readonly rate: number
  readonly rates: readonly number[]
  /** CPU microseconds per operation (or MiB). */
  readonly cpuUs: Cost
  readonly limit?: { readonly name: string; readonly rate: number; readonly ratio: number } | undefined
}

export interface Floor {
  readonly name: string
  readonly isMet: boolean
  /** In words and figures. */
  readonly finding: string
}

/** The limit that stands beside a workload, by how the workload's name begins. The first that fits. */
const limitOf: readonly (readonly [start: string, limit: string, share: number])[] = [
  ['large write, 1', 'disk write, 1 stream', 1 / 3],
  ['large write, 4', 'disk write, 3 streams', 1 / 3],
  ['large read, 1', 'disk read, 1 stream', 1],
  ['large read, 4', 'disk read, 3 streams', 1],
  ['4 KiB create, 1 ', 'append + fdatasync, 1 writer', 1],
  ['4 KiB create', 'append + fdatasync, 3 writers', 1],
  ['4 KiB delete, 1 ', 'append + fdatasync, 1 writer', 1],
  ['4 KiB delete', 'append + fdatasync, 3 writers', 1],
  ['4 KiB stat, 1 ', 'loopback round trips, 1 in flight', 1],
  ['4 KiB stat', 'loopback round trips, 64 in flight', 1],
  ['4 KiB read, 1 ', 'loopback round trips, 1 in flight', 1 / 2],
  ['4 KiB read', 'loopback round trips, 64 in flight', 1 / 2],
]

export class Results {
  readonly #limits = new Map<string, number[]>()
  readonly #runs = new Map<string, { unit: Outcome['unit']; rates: number[]; costs: Cost[] }>()

  addLimit(name: string, rate: number): void {
    const rates = this.#limits.get(name)
    if (rates === undefined) this.#limits.set(name, [rate])
    else rates.push(rate)
  }

  add({ name, unit, amount, seconds }: Outcome, cost: Cost): void {
    const run = this.#runs.get(name) ?? { unit, rates: [], costs: [] }
    this.#runs.set(name, run)
    run.rates.push(amount / seconds)
    const each = (cpuSeconds: number) => (1e6 * cpuSeconds) / amount
    run.costs.push({ client: each(cost.client), master: each(cost.master), chunkServers: each(cost.chunkServers) })
  }

  limit(name: string): number | undefined {
    const rates = this.#limits.get(name)
    return rates === undefined ? undefined : median(rates)
  }

  limits(): { readonly name: string; readonly rate: number; readonly rates: readonly number[] }[] {
    return [...this.#limits].map(([name, rates]) => ({ name, rate: median(rates), rates }))
  }

  lines(): Line[] {
    return [...this.#runs].map(([name, { unit, rates, costs }]) => {
      const rate = median(rates)
      const [, limitName, share] = limitOf.find(([start]) => name.startsWith(start)) ?? []
      const whole = limitName === undefined ? undefined : this.limit(limitName)
      const limit = whole === undefined ? undefined : whole * (share as number)
      return {
        name,
        unit,
        rate,
        rates,
        cpuUs: {
          client: median(costs.map(({ client }) => client)),
          master: median(costs.map(({ master }) => master)),
          chunkServers: median(costs.map(({ chunkServers }) => chunkServers)),
        },
        limit:
          limit === undefined
            ? undefined
            : {
                name: share === 1 ? `${limitName}` : `1/${Math.round(1 / (share as number))} of ${limitName}`,
                rate: limit,
                ratio: rate / limit,
              },
      }
    })
  }

  /** Of what was measured. */
  floors(): Floor[] {
    const floors: Floor[] = []
    const rateOf = (name: string) => median(this.#runs.get(name)?.rates ?? [])
    const write = Math.max(rateOf('large write, 1 stream'), rateOf('large write, 4 streams'))
    const third = (this.limit('disk write, 1 stream') ?? Number.NaN) / 3
    const bare = this.limit('bare three-copy writer') ?? Number.NaN
    if (!Number.isNaN(write)) {
      floors.push({
        name: 'large durable write: 60 % of a third of the disk, or 80 % of a bare three-copy writer',
        isMet: write >= 0.6 * third || write >= 0.8 * bare,
        finding: `${percent(write / third)} of a third of the disk, ${percent(write / bare)} of the bare writer`,
      })
    }
    for (const [name, least] of [
      ['4 KiB create, 64 in flight', 3_000],
      ['4 KiB read, 64 in flight', 8_000],
      ['4 KiB stat, 64 in flight', 15_000],
    ] as const) {
      const rate = rateOf(name)
      if (Number.isNaN(rate)) continue
      floors.push({ name: `${name}: ${grouped(least)}/s`, isMet: rate >= least, finding: `${grouped(rate)}/s` })
    }
    return floors
  }
}

export function grouped(value: number): string {
  return Math.round(value).toLocaleString('en')
}

export function percent(ratio: number): string {
  return `${Math.round(100 * ratio)} %`
}

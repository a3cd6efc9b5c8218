/** The comparison of placement strategies, as tables and the sentences that explain them. @module */
import { formatSize } from '../../base/sizes.ts'
import type { LossRow, PlacementReport, PlacementRow, StrategyRow } from './compare-placement.ts'

export interface Table {
  readonly title: string
  readonly header: readonly string[]
  readonly rows: readonly (readonly string[])[]
  /** How to read it. */
  readonly note: string
}

export function placementTables(report: PlacementReport): readonly Table[] {
  return [fillTable(report), lossTable(report), moveTable(report), timeTable(report)]
}

export function placementTitle({ cluster, seed }: PlacementReport): string {
  const { servers, racks, policy, chunks, chunkBytes, capacityBytes } = cluster
  const where = racks > 0 ? ` in ${number(racks)} racks` : ''
  return (
    `${number(servers)} chunk servers${where} of ${formatSize(capacityBytes)}, ${number(chunks)} chunks of ` +
    `${formatSize(chunkBytes)}, ${policy}. Seed ${seed}.`
  )
}

function fillTable(report: PlacementReport): Table {
  return {
    title: 'How evenly servers fill, and how many sets of them share fate',
    header: ['strategy', 'fullest / mean', 'copysets', 'servers that repair one'],
    rows: rowsOf(report).map(({ name, maxOfMean, copysets, partners }) => [
      name,
      maxOfMean.toFixed(3),
      number(copysets),
      number(Math.round(partners)),
    ]),
    note: 'A copyset is a set of servers that hold all copies of some chunk: many make a loss likely, few make repair slow.',
  }
}

function lossTable(report: PlacementReport): Table {
  const deaths = rowsOf(report)[0]?.loss.map((row) => row.deaths) ?? []
  const cell = ({ probability, standardError, formula }: LossRow) =>
    `${chance(probability)}${standardError > 0 ? ` ± ${chance(standardError)}` : ''} (${chance(formula)})`
  return {
    title: 'How likely some chunk is lost when so many servers die at once, for good',
    header: ['strategy', ...deaths.map((count) => `${number(count)} die`), `lost then, of all chunks`],
    rows: rowsOf(report).map(({ name, loss }) => [name, ...loss.map(cell), chance(lastLoss(loss))]),
    note:
      `Of ${number(report.trials)} draws each, with the standard error; in brackets the closed form 1 - (1 - C(k,r)/C(n,r))^copysets, which knows no ` +
      'racks. The last column is of the largest number: where a loss is rare, it is large. The chunks lost on average are the same everywhere.',
  }
}

function moveTable({ strategies, baselines }: PlacementReport): Table {
  const strategyRow = ({ name, movedOfLeast, joined, evened }: StrategyRow) => [
    name,
    `${movedOfLeast.toFixed(2)} (${formatSize(Math.round(joined.bytes))})`,
    number(joined.groups),
    number(joined.plans),
    formatSize(Math.round(evened.bytes)),
  ]
  const baselineRow = ({ name, movedOfLeast }: PlacementRow) => [name, movedOfLeast.toFixed(2), '', '', '']
  return {
    title: 'What moves when a server joins, of what it should hold',
    header: ['strategy', 'moved / share', 'members moved', 'plans', 'evened out before'],
    rows: [...strategies.map(strategyRow), ...baselines.map(baselineRow)],
    note: 'Evened out before: what rebalancing moved to mend what writing had left outside of its band.',
  }
}

function timeTable({ strategies }: PlacementReport): Table {
  return {
    title: 'Time of one plan, in milliseconds, on this machine',
    header: [
      'strategy',
      'groups',
      'form groups',
      'choose for a write',
      'repair a server',
      'a rack',
      'drain',
      'rebalance',
    ],
    rows: strategies.map(({ name, groups, planMs }) => [
      name,
      number(groups),
      ...[planMs.formGroups, planMs.choose, planMs.repairServer, planMs.repairRack].map((ms) => ms.toFixed(1)),
      ...[planMs.drainServer, planMs.rebalance].map((ms) => ms.toFixed(1)),
    ]),
    note: 'The planners are those of the master; they look at groups, never at chunks.',
  }
}

function rowsOf({ strategies, baselines }: PlacementReport): readonly PlacementRow[] {
  return [...strategies, ...baselines]
}

function lastLoss(loss: readonly LossRow[]): number {
  return loss.at(-1)?.lostFraction ?? 0
}

function chance(value: number): string {
  if (value === 0) return '0'
  if (value > 0.9999) return '1'
  return value >= 0.001 ? value.toFixed(4) : value.toExponential(1)
}

function number(value: number): string {
  return value.toLocaleString('en')
}

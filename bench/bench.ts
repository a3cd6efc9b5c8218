/**
 * What every group of workloads is given: the cluster and a client, and ways to take figures down.
 * @module
 */
import type { AshlarClient } from '../src/client/index.ts'
import { type LimitShare, limitGroup, type Recorder, type Role, type Unit } from './figures.ts'
import type { LocalCluster } from './local-cluster.ts'
import { cpuSecondsOf } from './processes.ts'
import { secondsOf } from './spread.ts'

/** A named set of workloads that belong together. */
export interface Group {
  readonly name: string
  /** For the list of groups: what is measured. */
  readonly summary: string
  /** Only where it is named: nothing of it is in the tables of targets. */
  readonly isOnRequest?: boolean
  /** Before the first round; nothing of it counts. */
  readonly warmUp?: (bench: Bench) => Promise<void>
  /** With the others' rounds in turn, on one cluster. */
  readonly round?: (bench: Bench) => Promise<void>
  /** Before that cluster is started: on clusters of its own. */
  readonly alone?: (bench: Surroundings) => Promise<void>
}

export interface Settings {
  readonly rounds: number
  /** Amounts are multiplied by it. */
  readonly scale: number
  readonly largeBytes: number
}

/** A process whose CPU time counts for a workload. */
export interface Measured {
  readonly role: Role
  readonly pid: number
}

export interface Surroundings {
  readonly settings: Settings
  /** For data; removed at the end. */
  readonly folder: string
  /** Where `bin/ashlar` is. */
  readonly root: string
  readonly profileFolder: string | undefined
  readonly recorder: Recorder
  /** A line of progress. */
  readonly tell: (text: string) => void
}

export interface MeasureOptions {
  readonly unit: 'MiB/s' | '/s'
  /** MiB, or operations. */
  readonly amount: number
  readonly limit?: LimitShare | undefined
  /** Default: those of the cluster, if there is one. This one counts in any case. */
  readonly processes?: readonly Measured[]
}

/** One round. */
export interface Bench extends Surroundings {
  readonly cluster: LocalCluster
  readonly client: AshlarClient
  /** From 0. */
  readonly round: number
  /** The group under way. */
  readonly group: string
}

/** What {@link measure} needs to know. */
export interface Measuring extends Pick<Surroundings, 'recorder' | 'tell'> {
  /** Under which its figures stand. */
  readonly group: string
  readonly cluster?: Pick<LocalCluster, 'processes'>
}

/** An amount at the scale of this run, at least `least`. */
export function scaled({ settings }: Surroundings, amount: number, least = 1): number {
  return Math.max(least, Math.round(amount * settings.scale))
}

/**
 * Runs `work`, and takes its rate and the processes' CPU time down.
 * @param work may answer with the rate, where it knows it better than the clock around it
 */
export async function measure(
  bench: Measuring,
  { name, unit, amount, limit, processes = bench.cluster?.processes ?? [] }: MeasureOptions & { readonly name: string },
  work: () => Promise<unknown>,
): Promise<void> {
  const before = costs(processes)
  let known: unknown
  const seconds = await secondsOf(async () => {
    known = await work()
  })
  const cpuUs: Partial<Record<Role, number>> = {}
  for (const [role, cost] of costs(processes)) cpuUs[role] = (1e6 * (cost - (before.get(role) ?? 0))) / amount
  const rate = typeof known === 'number' ? known : amount / seconds
  bench.recorder.add({ group: bench.group, name, unit, value: rate, limit, cpuUs })
  bench.tell(`${name}: ${grouped(rate)} ${unit}`)
}

function costs(processes: readonly Measured[]): Map<Role, number> {
  const sums = new Map<Role, number>([['client', cpuSecondsOf(process.pid, { children: true })]])
  for (const { role, pid } of processes) sums.set(role, (sums.get(role) ?? 0) + cpuSecondsOf(pid))
  return sums
}

/** Takes down what the machine gives to a program that does nothing else. */
export async function measureLimit(
  { recorder, tell }: Pick<Surroundings, 'recorder' | 'tell'>,
  { name, unit }: { readonly name: string; readonly unit: Unit },
  rate: () => Promise<number>,
): Promise<void> {
  const value = await rate()
  recorder.add({ group: limitGroup, name, unit, value })
  tell(`limit: ${name}: ${grouped(value)} ${unit}`)
}

/** Takes a figure down that is no rate of a workload. */
export function note(
  { recorder, tell }: Pick<Surroundings, 'recorder' | 'tell'>,
  figure: { readonly group: string; readonly name: string; readonly unit: Unit; readonly limit?: LimitShare },
  value: number,
): void {
  recorder.add({ ...figure, value })
  tell(`${figure.name}: ${grouped(value)} ${figure.unit}`)
}

/** `86,416`, `2.43`: three digits at least. */
export function grouped(value: number): string {
  return value.toLocaleString(
    'en',
    Math.abs(value) < 100 ? { maximumSignificantDigits: 3 } : { maximumFractionDigits: 0 },
  )
}

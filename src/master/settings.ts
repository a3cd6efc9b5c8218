/**
 * The cluster's settings: a closed table of names, each with its text form, its range and its default. Set values are
 * rows of the metadata; the values given at the first start become rows then, so that later starts keep them.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { formatDuration, formatSize, parseDuration, parseSize } from '../base/sizes.ts'
import { defaultStrategy, isStrategyName, type StrategyName, strategyNames } from '../cluster/placement-strategy.ts'
import { fallbackPolicyName, policiesOf } from '../cluster/policies.ts'
import type { Policy } from '../wire/types/cluster-map.ts'

export interface SettingValues {
  /** What the rules of buckets count as a day: shorter only where somebody waits for it. */
  readonly lifecycleDayMs: number
  /** How long a removed or replaced file stays in trash, in cluster time. */
  readonly trashKeepMs: number
  /** Of chunks that are written from now on. */
  readonly chunkSizeBytes: number
  /** The policy of directories that name none. */
  readonly defaultPolicy: string
  /** How long a chunk server may be silent before it is dead. */
  readonly deadAfterMs: number
  /** How long repairs wait that can, after many servers fell silent at once. */
  readonly holdOffMs: number
  /** In which chunk servers read all they hold. */
  readonly scrubWithinMs: number
  /** What each of them may read for that. */
  readonly scrubBytesPerSecond: number
  /** What repair, drain and rebalance may read and write on each of them; 0: half of what its disk does. */
  readonly repairBytesPerSecond: number
  /** How often all of the metadata is copied to chunk servers, where that is done. */
  readonly backupEveryMs: number
  /** How members of groups, and groups for new chunks, are chosen. */
  readonly placement: StrategyName
}

/** At the least. */
const heartbeatsUntilDead = 6

const defaults: SettingValues = {
  trashKeepMs: limits.trashKeepMs,
  chunkSizeBytes: limits.chunkSizeDefaultBytes,
  defaultPolicy: fallbackPolicyName,
  deadAfterMs: limits.deadAfterMs,
  holdOffMs: limits.holdOffMs,
  lifecycleDayMs: 86_400_000,
  scrubWithinMs: limits.scrubWithinMs,
  scrubBytesPerSecond: limits.scrubBytesPerSecond,
  repairBytesPerSecond: 0,
  backupEveryMs: limits.backupEveryMs,
  placement: defaultStrategy,
}

/** The text of the default `repair-rate`. */
const halfOfDisk = 'half'

interface Setting {
  /** @throws {AshlarError} `invalid-argument` */
  readonly parse: (text: string) => Partial<SettingValues>
  readonly format: (values: SettingValues) => string
}

const table: Readonly<Record<string, Setting>> = {
  'trash-keep': {
    parse: (text) => ({
      trashKeepMs: within('trash-keep', parseDuration(text), { least: 0, most: 10 * 365 * 86_400_000 }),
    }),
    format: ({ trashKeepMs }) => exactDuration(trashKeepMs),
  },
  'chunk-size': {
    parse: (text) => ({
      chunkSizeBytes: within('chunk-size', parseSize(text), { least: 1, most: limits.chunkSizeMaxBytes }),
    }),
    format: ({ chunkSizeBytes }) => String(chunkSizeBytes),
  },
  policy: {
    parse: (text) => {
      const names = policiesOf().map((policy) => policy.name)
      if (!names.includes(text)) throw unusable('policy', text, `it is one of ${names.join(', ')}`)
      return { defaultPolicy: text }
    },
    format: ({ defaultPolicy }) => defaultPolicy,
  },
  'dead-after': {
    parse: (text) => ({ deadAfterMs: within('dead-after', parseDuration(text), { least: 500, most: 86_400_000 }) }),
    format: ({ deadAfterMs }) => exactDuration(deadAfterMs),
  },
  'hold-off': {
    parse: (text) => ({ holdOffMs: within('hold-off', parseDuration(text), { least: 0, most: 86_400_000 }) }),
    format: ({ holdOffMs }) => exactDuration(holdOffMs),
  },
  'lifecycle-day': {
    parse: (text) => ({
      lifecycleDayMs: within('lifecycle-day', parseDuration(text), { least: 500, most: 86_400_000 }),
    }),
    format: ({ lifecycleDayMs }) => exactDuration(lifecycleDayMs),
  },
  'scrub-within': {
    parse: (text) => ({
      scrubWithinMs: within('scrub-within', parseDuration(text), { least: 1_000, most: 365 * 86_400_000 }),
    }),
    format: ({ scrubWithinMs }) => exactDuration(scrubWithinMs),
  },
  'scrub-rate': {
    parse: (text) => ({
      scrubBytesPerSecond: within('scrub-rate', parseSize(text), { least: 1, most: limits.rateBytesPerSecond }),
    }),
    format: ({ scrubBytesPerSecond }) => String(scrubBytesPerSecond),
  },
  'repair-rate': {
    parse: (text) => {
      if (text === halfOfDisk) return { repairBytesPerSecond: 0 }
      const range = { least: 1, most: limits.rateBytesPerSecond }
      return { repairBytesPerSecond: within('repair-rate', parseSize(text), range) }
    },
    format: ({ repairBytesPerSecond }) => (repairBytesPerSecond === 0 ? halfOfDisk : String(repairBytesPerSecond)),
  },
  'backup-every': {
    parse: (text) => {
      const rule = 'without backups a master is started by --backup-every off'
      if (text === 'off') throw unusable('backup-every', text, `it is a duration from 1m on; ${rule}`)
      return { backupEveryMs: within('backup-every', parseDuration(text), { least: 60_000, most: 365 * 86_400_000 }) }
    },
    format: ({ backupEveryMs }) => exactDuration(backupEveryMs),
  },
  placement: {
    parse: (text) => {
      if (!isStrategyName(text)) throw unusable('placement', text, `it is one of ${strategyNames.join(', ')}`)
      return { placement: text }
    },
    format: ({ placement }) => placement,
  },
}

/** How often servers say that they live, so that a few lost heartbeats are no death. */
export function heartbeatIntervalMs({ deadAfterMs }: Pick<SettingValues, 'deadAfterMs'>): number {
  return Math.min(limits.heartbeatIntervalMs, Math.floor(deadAfterMs / heartbeatsUntilDead))
}

/** Values in force; the rows are written by the master. */
export class Settings {
  #values: SettingValues
  #policies: readonly Policy[]

  /** @param rows as stored @param initial used where no row is */
  constructor(rows: ReadonlyMap<string, string>, initial: Partial<SettingValues> = {}) {
    this.#values = { ...defaults, ...initial }
    for (const [name, text] of rows) {
      const setting = Object.hasOwn(table, name) ? table[name] : undefined
      // A row of a newer version stays where it is and means nothing here.
      if (setting !== undefined) this.#values = { ...this.#values, ...setting.parse(text) }
    }
    this.#policies = policiesOf(this.#values.chunkSizeBytes)
  }

  get values(): SettingValues {
    return this.#values
  }

  get policies(): readonly Policy[] {
    return this.#policies
  }

  policy(name: string): Policy | undefined {
    return this.#policies.find((policy) => policy.name === name)
  }

  /** All settings as rows. */
  list(): readonly { readonly name: string; readonly value: string }[] {
    return Object.entries(table).map(([name, setting]) => ({ name, value: setting.format(this.#values) }))
  }

  /**
   * Checks a change without making it.
   * @returns the row's value, in its normal form
   * @throws {AshlarError} `invalid-argument` — no such setting, or not a value of it
   */
  check(name: string, text: string): string {
    return settingOf(name).format({ ...this.#values, ...settingOf(name).parse(text) })
  }

  /** Puts a checked value in force. */
  apply(name: string, text: string): void {
    this.#values = { ...this.#values, ...settingOf(name).parse(text) }
    this.#policies = policiesOf(this.#values.chunkSizeBytes)
  }
}

function settingOf(name: string): Setting {
  const setting = Object.hasOwn(table, name) ? table[name] : undefined
  if (setting !== undefined) return setting
  throw new AshlarError(
    'invalid-argument',
    `Cannot change setting "${name}": there is none of this name. Known are ${Object.keys(table).join(', ')}.`,
  )
}

function within(
  name: string,
  value: number,
  { least, most }: { readonly least: number; readonly most: number },
): number {
  if (value >= least && value <= most) return value
  const show = ['chunk-size', 'scrub-rate', 'repair-rate'].includes(name) ? formatSize : formatDuration
  throw unusable(name, show(value), `it is from ${show(least)} to ${show(most)}`)
}

function unusable(name: string, value: string, rule: string): AshlarError {
  return new AshlarError('invalid-argument', `Cannot set ${name} to "${value.slice(0, 100)}": ${rule}`)
}

/** In the largest unit that loses nothing. */
function exactDuration(durationMs: number): string {
  const units = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
  ] as const
  for (const [unit, unitMs] of units)
    if (durationMs >= unitMs && durationMs % unitMs === 0) return `${durationMs / unitMs}${unit}`
  return `${durationMs}ms`
}

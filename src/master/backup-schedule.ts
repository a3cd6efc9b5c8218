/**
 * When a new base of the metadata is due: when this master starts (what an earlier one had committed and not sent is in no log), when
 * the log has a gap or the base that was to close one failed, when a server that kept it is gone, when the log has grown longer than
 * the base, every so often, and when it is asked for. It only looks: making it is up to backups.ts.
 * @module
 */
import { limits } from '../base/limits.ts'
import type { Clock } from '../env/clock.ts'
import type { BackupShelves } from './backup-shelves.ts'
import type { FinishedBase } from './base-backup.ts'
import type { LogShipper } from './log-shipper.ts'

export interface BackupScheduleOptions {
  readonly clock: Clock
  readonly shelves: Pick<BackupShelves, 'up' | 'knownCount' | 'choose'>
  readonly shipper: Pick<LogShipper, 'gap' | 'targets' | 'failingCount' | 'lengthBytes'>
  readonly everyMs: () => number
}

export interface CompleteBase {
  readonly base: FinishedBase
  readonly completeMs: number
}

/** At a start, how long servers that are known are waited for, and others that may come. */
const gatherMs = 10_000
const settleMs = 3_000
/** A server that keeps the log and is away for longer is replaced. */
const awayMs = 10_000

export class BackupSchedule {
  readonly #options: BackupScheduleOptions
  readonly #startedMs: number

  constructor(options: BackupScheduleOptions) {
    this.#options = options
    this.#startedMs = options.clock.monotonicMs()
  }

  /** @param newest of this master. @returns undefined: none is due */
  reasonForBase({
    newest,
    isLogWhole,
    isAsked,
  }: {
    readonly newest: CompleteBase | undefined
    /** From some complete base on nothing is missing. */
    readonly isLogWhole: boolean
    readonly isAsked: boolean
  }): string | undefined {
    const { clock, shelves, shipper, everyMs } = this.#options
    if (newest === undefined && this.isGathering()) return undefined
    if (isAsked) return 'it was asked for'
    if (newest === undefined) return 'this master has made none yet'
    if (shipper.gap !== undefined) return `the change log has a gap: ${shipper.gap}`
    if (!isLogWhole) return 'the one that was to close a gap of the change log failed'
    const { base, completeMs } = newest
    const sinceBaseMs = clock.monotonicMs() - completeMs
    const wanted = Math.min(limits.backupServers, shelves.choose(limits.backupServers, shipper.targets).length)
    const kept = shipper.targets.size - shipper.failingCount(awayMs) - this.#leavingCount()
    // One that answers and takes nothing is missing again at once: a base each moment would help nobody, and fill the other servers.
    if (kept < wanted && sinceBaseMs >= awayMs) return `${kept} servers keep the change log where ${wanted} can`
    if (shipper.lengthBytes > Math.max(limits.backupLogBytes, base.manifest.lengthBytes))
      return 'the log has grown long'
    if (sinceBaseMs >= everyMs()) return 'it was time'
    return undefined
  }

  /** Shortly after a start, while servers that are known come back. */
  isGathering(): boolean {
    const { clock, shelves } = this.#options
    const sinceStartMs = clock.monotonicMs() - this.#startedMs
    const wanted = sinceStartMs < settleMs ? limits.backupServers : Math.min(limits.backupServers, shelves.knownCount())
    return sinceStartMs < gatherMs && shelves.up().length < wanted
  }

  /** Servers of the segment that no new one would be made on, though they answer. */
  #leavingCount(): number {
    const { shelves, shipper } = this.#options
    const able = new Set(shelves.choose(Number.POSITIVE_INFINITY, new Set()))
    const up = new Set(shelves.up())
    return [...shipper.targets].filter((server) => up.has(server) && !able.has(server)).length
  }
}

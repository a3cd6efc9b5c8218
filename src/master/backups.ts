/**
 * Keeps copies of the metadata on the chunk servers: a base from time to time, and the change log all the while.
 *
 * When a new base is due says backup-schedule.ts. Until one
 * is complete, what was committed since the gap would be lost with the master's disk: {@link Backups.status} says so.
 *
 * Deletes of chunks wait for the log ({@link Backups.permitDelete}): metadata that comes from a backup must not name what is gone.
 * They go on without it only where servers have no room for a backup, since deletes are what makes room.
 * @module
 */
import type { ErrorCode } from '../base/error-table.ts'
import { AshlarError, isAshlarError, toAshlarError } from '../base/errors.ts'
import type { ClusterId, ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Rising } from '../base/rising.ts'
import { formatDuration } from '../base/sizes.ts'
import type { Env } from '../env/env.ts'
import type { ChangeFeed } from '../kv/change-feed.ts'
import type { TxnKV } from '../kv/txn-kv.ts'
import type { BackupEntry } from '../wire/methods/backup-methods.ts'
import type { PieceEntry } from '../wire/types/backup.ts'
import type { BackupStatus } from '../wire/types/backup-status.ts'
import { BlockSeal } from './backup-blocks.ts'
import { BackupCatalog, completeBases, endOfLog, neededPieces } from './backup-catalog.ts'
import type { Attachment } from './backup-records.ts'
import { BackupSchedule, type CompleteBase } from './backup-schedule.ts'
import type { BackupShelves } from './backup-shelves.ts'
import { BaseBackup, type FinishedBase } from './base-backup.ts'
import type { EventLog } from './event-log.ts'
import { LogShipper } from './log-shipper.ts'
import type { LostFuture } from './lost-future.ts'
import { type StepResult, Worker } from './worker.ts'

/** What the process around the master gives, where backups are wanted. */
export interface BackupPlan {
  /** Of the engine that holds the metadata. */
  readonly feed: ChangeFeed
  /** Puts the setting `backup-every` in force. Default: it stays as it is. */
  readonly everyMs?: number | undefined
  /** Files of the master's folder that a new master needs beside the metadata. */
  readonly attachments: () => Promise<readonly Attachment[]>
}

/** What is asked of {@link BackupShelves}. */
export type Shelves = Pick<
  BackupShelves,
  'up' | 'isFull' | 'knownCount' | 'choose' | 'list' | 'append' | 'finish' | 'read' | 'remove'
>

export interface BackupsOptions extends Omit<BackupPlan, 'everyMs'> {
  readonly everyMs: () => number
  readonly env: Env
  readonly kv: TxnKV
  /** See `deriveBackupKey`. */
  readonly key: Buffer
  readonly shelves: Shelves
  readonly events: Pick<EventLog, 'tell'>
  readonly clusterId: ClusterId
  readonly generation: number
  readonly leaderEpoch: Rising
  readonly lostFuture: Pick<LostFuture, 'isFound' | 'foundCommit'>
  readonly onFatal: (error: AshlarError) => void
}

/** At an orderly end, what is left may take so long to be sent. */
const sendLastMs = 1_000
/** What a lost disk of the master may cost (promise P1): with more of a lag the log counts as behind. */
const behindMs = 1_000
/** Of a lag it is an event only from here on: a machine may be busy for a moment. */
const behindToldMs = 5_000
/** Copies that make a base and the log safe, where there are so many servers. */
const enoughCopies = 2

type Waiter = PromiseWithResolvers<BackupEntry>

export class Backups {
  readonly #options: BackupsOptions
  readonly #seal: BlockSeal
  readonly #shipper: LogShipper
  readonly #bases: BaseBackup
  readonly #worker: Worker
  readonly #catalog: BackupCatalog
  readonly #schedule: BackupSchedule
  #newest: CompleteBase | undefined
  /** Since when something is committed that no restore could bring back, whatever the log has. */
  #exposedSinceMs: number | undefined
  #problem: string | undefined
  #hasNoRoom = false
  #isTidy = true
  #isLogChecked = false
  #isBehindTold = false
  /** From a complete base the logs reach, without a gap, where this master's log goes on: with that nothing is missing. */
  #isLogWhole = false
  /** Where the log began anew that nothing leads to; and its latest segment. */
  #astray: { readonly from: Rising; readonly latest: Rising } | undefined
  #asked: Waiter[] = []

  constructor(options: BackupsOptions) {
    const { env, kv, feed, shelves, leaderEpoch, onFatal } = options
    this.#options = options
    this.#seal = new BlockSeal(options.key, env.random)
    this.#shipper = new LogShipper({ env, feed, seal: this.#seal, shelves, leaderEpoch, onFatal })
    const whenShipped = (position: Rising, signal: AbortSignal) => this.#shipper.whenShipped(position, signal)
    this.#bases = new BaseBackup({ env, kv, feed, seal: this.#seal, shelves, whenShipped })
    this.#catalog = new BackupCatalog({ shelves, seal: this.#seal, log: env.log })
    this.#schedule = new BackupSchedule({ clock: env.clock, shelves, shipper: this.#shipper, everyMs: options.everyMs })
    this.#exposedSinceMs = env.clock.monotonicMs()
    this.#worker = new Worker({
      name: 'backup',
      env,
      intervalMs: 1_000,
      step: (signal) => this.#step(signal),
      onFatal,
    })
  }

  start(): void {
    this.#shipper.start()
    this.#worker.start()
  }

  /** What was committed is sent, if the servers take it in time. */
  async stop(): Promise<void> {
    this.#rejectAsked(new AshlarError('closed', 'Cannot make a backup: the master ends'))
    await this.#worker.stop()
    await this.#sendLast()
    this.#shipper.stop()
  }

  /** Nothing is lost by its failure that is not on this disk; servers that ended first are not waited for. */
  async #sendLast(): Promise<void> {
    const { env, feed, shelves } = this.#options
    const up = new Set(shelves.up())
    const targets = [...this.#shipper.targets]
    const reachable = targets.filter((server) => up.has(server))
    if (this.#shipper.shipped === undefined || reachable.length < Math.min(enoughCopies, targets.length)) return
    const late = new AbortController()
    const timer = env.clock.after(sendLastMs, () => late.abort())
    // What does not arrive in time is on the master's disk: it ends in any case.
    await this.#shipper.whenShipped(feed.position, late.signal).catch(() => undefined)
    timer.cancel()
  }

  /** Something may have become possible: a server registered. */
  wake(): void {
    this.#isTidy = false
    this.#worker.wake()
  }

  /** Makes a base now. Resolves when it is complete. */
  async make(): Promise<BackupEntry> {
    const waiter = Promise.withResolvers<BackupEntry>()
    this.#asked.push(waiter)
    this.#worker.wake()
    return await waiter.promise
  }

  /**
   * Resolves when all that was committed is on enough chunk servers, so that a chunk may be deleted for it.
   * @throws {AshlarError} `unavailable` — not yet
   */
  async permitDelete(): Promise<void> {
    if (this.#hasNoRoom) return
    this.#refuseWhileExposed()
    await this.#shipper.whenShipped(this.#options.feed.position)
    // A segment that was begun meanwhile may have left behind what was waited for.
    this.#refuseWhileExposed()
  }

  #refuseWhileExposed(): void {
    if (this.#exposedSinceMs === undefined) return
    throw new AshlarError('unavailable', 'Cannot delete chunks yet: the metadata that permits it is in no backup')
  }

  status(): BackupStatus {
    const nowMs = this.#nowMs()
    const exposedMs = this.#exposedSinceMs === undefined ? 0 : nowMs - this.#exposedSinceMs
    const lagMs = Math.round(Math.max(exposedMs, this.#shipper.lagMs()))
    const isBehind = this.#problem !== undefined || (this.#exposedSinceMs === undefined && lagMs > behindMs)
    return {
      state: isBehind ? 'behind' : this.#exposedSinceMs === undefined ? 'current' : 'making',
      ageMs: this.#newest === undefined ? undefined : Math.round(nowMs - this.#newest.completeMs),
      lagMs,
      servers: this.#shipper.targets.size,
      sizeBytes: (this.#newest?.base.manifest.lengthBytes ?? 0) + this.#shipper.lengthBytes,
      problem: this.#problem ?? (isBehind ? 'the servers that keep the change log do not take it' : undefined),
    }
  }

  /** All complete backups, newest first; and what a restore of the newest one reads. */
  async list(): Promise<{ readonly backups: readonly BackupEntry[]; readonly pieces: readonly PieceEntry[] }> {
    const holdings = await this.#catalog.holdings()
    const backups = await this.#catalog.backups(holdings)
    return { backups, pieces: neededPieces(holdings, backups[0]) }
  }

  /** Bytes of a piece, from the server that has the most of it. @throws {AshlarError} `not-found` */
  async read(name: string, { offset, manifest }: { readonly offset: number; readonly manifest: boolean }) {
    const { shelves } = this.#options
    const sources = (await this.#catalog.holdings())
      .flatMap(({ server, pieces }) =>
        pieces.filter((piece) => piece.name === name).map((piece) => ({ server, piece })),
      )
      .filter(({ piece }) => !manifest || piece.manifestBytes !== undefined)
      .sort((a, b) => b.piece.lengthBytes - a.piece.lengthBytes)
    const [source] = sources
    if (source === undefined) throw new AshlarError('not-found', 'Cannot read a backup: no server has that piece')
    const bytes = await shelves.read(source.server, { name, offset, manifest })
    const length = manifest ? (source.piece.manifestBytes ?? 0) : source.piece.lengthBytes
    return { bytes, more: offset + bytes.length < length && bytes.length > 0 }
  }

  async #step(signal: AbortSignal): Promise<StepResult> {
    this.#noteBehind()
    if (this.#options.lostFuture.isFound) {
      // The backups there are may hold what this metadata lacks: nothing is written over them.
      this.#problem = 'the metadata is older than what chunk servers hold: see "restore needed"'
      this.#exposedSinceMs ??= this.#nowMs()
      this.#rejectAsked(new AshlarError('restore-needed', `Cannot make a backup: ${this.#problem}`))
      return 'idle'
    }
    if (this.#shipper.gap !== undefined) this.#exposedSinceMs ??= this.#nowMs()
    const reason = this.#schedule.reasonForBase({
      newest: this.#newest,
      isLogWhole: this.#isLogWhole,
      isAsked: this.#asked.length > 0,
    })
    // First, whatever is due: what bases leave behind must not pile up while one follows the other.
    await this.#tidy()
    if (reason === undefined) return 'idle'
    const { shelves } = this.#options
    const servers = shelves.choose(limits.backupServers, this.#shipper.targets)
    if (servers.length === 0) {
      this.#hasNoRoom = shelves.isFull()
      if (this.#schedule.isGathering()) return 'idle'
      this.#problem = 'no chunk server takes a backup'
      this.#rejectAsked(new AshlarError('unavailable', `Cannot make a backup: ${this.#problem}`))
      return 'idle'
    }
    if (!this.#isLogChecked) {
      await this.#checkLog()
      this.#isLogChecked = true
      return 'more'
    }
    const asked = this.#asked.splice(0)
    try {
      const entry = await this.#makeBase(servers, { reason, signal })
      for (const waiter of asked) waiter.resolve(entry)
      return 'more'
    } catch (error) {
      for (const waiter of asked) waiter.reject(error)
      if (!signal.aborted) this.#failed(toAshlarError(error))
      if (isOf(error, 'too-large')) await this.#removeOld(servers.length)
      throw error
    }
  }

  async #makeBase(
    servers: readonly ServerId[],
    { reason, signal }: { readonly reason: string; readonly signal: AbortSignal },
  ): Promise<BackupEntry> {
    const { leaderEpoch, clusterId, generation, events, attachments } = this.#options
    await this.#removeVain()
    const { start, isContinuous } = await this.#shipper.begin(servers, signal)
    if (!isContinuous) this.#leadsNowhere()
    else if (this.#isLogWhole) this.#exposedSinceMs = undefined
    if (!this.#isLogWhole) this.#astray = { from: this.#astray?.from ?? start, latest: start }
    const before = this.#newest?.base
    if (before !== undefined && before.manifest.start === start) {
      if (servers.every((server) => before.servers.includes(server))) {
        this.#holdsAll()
        return entryOf(before)
      }
      throw new AshlarError('unavailable', 'Cannot make a backup yet: the last one holds the same, and has its name')
    }
    const needed = Math.min(enoughCopies, servers.length)
    const about = { clusterId, generation }
    const base = await this.#bases.make({
      ...{ leaderEpoch, start, servers, needed, about, signal },
      attachments: await attachments(),
    })
    if (this.#shipper.gap !== undefined)
      throw new AshlarError('unavailable', `Cannot make a backup: ${this.#shipper.gap}`)
    this.#newest = { base, completeMs: this.#nowMs() }
    this.#holdsAll()
    this.#problem = undefined
    this.#hasNoRoom = false
    const { rows, lengthBytes: sizeBytes } = base.manifest
    const what = `the metadata was copied to ${base.servers.length} servers: ${rows} rows, ${sizeBytes} bytes`
    events.tell({ kind: 'backup-made', what, reason })
    this.#isTidy = false
    return entryOf(base)
  }

  /** A base is complete, and the log goes on from it. */
  #holdsAll(): void {
    this.#isLogWhole = true
    this.#astray = undefined
    this.#exposedSinceMs = undefined
  }

  /** The log begins where no other one ends: until there is a base, no restore comes so far. */
  #leadsNowhere(): void {
    this.#isLogWhole = false
    this.#exposedSinceMs ??= this.#nowMs()
  }

  /** Before anything is written: an older copy of the metadata must not write over what goes further. */
  async #checkLog(): Promise<void> {
    const { env, feed, shelves, lostFuture } = this.#options
    const holdings = await this.#catalog.holdings()
    const end = await endOfLog(holdings, { shelves, seal: this.#seal, log: env.log })
    if (end === undefined) return
    if (end.position > feed.opened) await lostFuture.foundCommit(end.position, end.server)
    if (end.position === feed.opened && completeBases(holdings).size > 0) {
      this.#isLogWhole = true
      this.#shipper.continueFrom(end.position)
    }
  }

  /** After a base, and when a server came back: what it kept meanwhile may be of no use any more. */
  async #tidy(): Promise<void> {
    if (this.#isTidy || this.#newest === undefined) return
    this.#isTidy = true
    await this.#removeOld(this.#newest.base.servers.length)
  }

  /** Shelves may also be full of what an earlier master left, before this one has made a base. */
  async #removeOld(servers: number): Promise<void> {
    await this.#catalog.removeOld(this.#options.leaderEpoch, Math.min(enoughCopies, servers))
  }

  /** What attempts left before the latest one: they may fail for days, and shelves that are full of them would take no base ever. */
  async #removeVain(): Promise<void> {
    if (this.#astray === undefined) return
    const { from, latest: before } = this.#astray
    await this.#catalog.removeVain({ leaderEpoch: this.#options.leaderEpoch, from, before })
  }

  /** Tells when the log falls behind, and when it is current again. */
  #noteBehind(): void {
    const { state, lagMs, problem } = this.status()
    if (state === 'making' || (state === 'behind') === this.#isBehindTold) return
    if (state === 'behind' && this.#problem === undefined && lagMs <= behindToldMs) return
    this.#isBehindTold = state === 'behind'
    const { events } = this.#options
    if (this.#isBehindTold) {
      const what = `changes of the last ${formatDuration(lagMs)} are on the disk of the master alone`
      events.tell({ kind: 'backup-behind', what, reason: problem })
    } else events.tell({ kind: 'backup-current', what: 'the change log is on enough chunk servers again' })
  }

  #rejectAsked(error: AshlarError): void {
    for (const waiter of this.#asked.splice(0)) waiter.reject(error)
  }

  #failed(error: AshlarError): void {
    const { events } = this.#options
    const hasNoRoom = isOf(error, 'no-space', 'not-supported')
    if (this.#problem === undefined) {
      events.tell({ kind: 'backup-failed', what: 'no backup of the metadata could be made', reason: error.message })
    }
    this.#problem = error.message
    this.#hasNoRoom = hasNoRoom
  }

  #nowMs(): number {
    return this.#options.env.clock.monotonicMs()
  }
}

/** It, or what it was caused by. */
function isOf(error: unknown, ...codes: readonly ErrorCode[]): boolean {
  return isAshlarError(error, ...codes) || (error instanceof Error && isAshlarError(error.cause, ...codes))
}

function entryOf({ name, manifest, servers }: FinishedBase): BackupEntry {
  const { atMs, generation, start: position, rows, lengthBytes: sizeBytes } = manifest
  return { name, atMs, generation, position, rows, sizeBytes, servers }
}

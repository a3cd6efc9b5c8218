/**
 * What the attempts at one chunk have shown so far: which groups failed, why each server refused, and the best result
 * that is less than whole.
 *
 * A member that is *full* is not down: receipts without it prove too little, so such a result is not kept.
 * Invariant: every slot that came in is settled, but the one that {@link WriteProgress.takePartial} hands out.
 * @module
 */
import type { ErrorCode } from '../base/error-table.ts'
import { AshlarError, isAshlarError } from '../base/errors.ts'
import type { GroupId, ServerId } from '../base/ids.ts'
import type { ProvenChunk } from './proven-chunk.ts'

/** Why one member did not take a chunk. */
export interface Refusal {
  readonly server: ServerId
  readonly domain: string
  readonly reason: ErrorCode
  readonly message: string
}

/** One attempt that was not whole. */
export interface FailedAttempt {
  readonly proven: ProvenChunk
  readonly failures: readonly { readonly server: ServerId; readonly domain: string; readonly error: AshlarError }[]
  /** Receipts that may do while the other members are down. */
  readonly minReplicas: number
}

/** The allocation is at fault, not the group: another one of the same group will do. */
const allocationErrors = ['allocation-closed', 'token-expired', 'forbidden', 'stale-epoch', 'chunk-conflict'] as const
/** The master may not have heard yet that a server is full; it does within a heartbeat. */
const mostFullAttempts = 4

export class WriteProgress {
  /** Groups that failed for this chunk. */
  readonly failedGroups: Set<GroupId>
  readonly #path: string
  readonly #refusals = new Map<ServerId, Refusal>()
  #partial: ProvenChunk | undefined
  #fullAttempts = 0

  constructor(path: string, avoid: Iterable<GroupId> = []) {
    this.#path = path
    this.failedGroups = new Set(avoid)
  }

  get hasPartial(): boolean {
    return this.#partial !== undefined
  }

  /** Servers go on saying that they are full: so it is. */
  get isFull(): boolean {
    return this.#fullAttempts >= mostFullAttempts
  }

  /** Hands the best result out: its slot is the caller's from now on. */
  takePartial(): ProvenChunk | undefined {
    const partial = this.#partial
    this.#partial = undefined
    return partial
  }

  note({ proven, failures, minReplicas }: FailedAttempt): void {
    for (const { server, domain, error } of failures) {
      this.#refusals.set(server, { server, domain, reason: error.code, message: error.message })
    }
    const { slot, receipts } = proven
    const isFull = failures.some(({ error }) => error.code === 'no-space')
    if (isFull) this.#fullAttempts++
    if (failures.some(({ error }) => isAshlarError(error, ...allocationErrors))) {
      slot.discard()
      slot.settle()
      return
    }
    this.failedGroups.add(slot.allocation.group)
    if (isFull || receipts.length < minReplicas) {
      slot.settle()
      return
    }
    this.drop()
    this.#partial = proven
  }

  /** Settles what was kept. */
  drop(): void {
    this.takePartial()?.slot.settle()
  }

  /** Why the chunk could not be written. */
  failure(): AshlarError {
    const reasons = [...this.#refusals.values()]
    const isFull = reasons.some(({ reason }) => reason === 'no-space')
    const last = reasons.at(-1)?.message ?? 'none was asked'
    return new AshlarError(
      isFull ? 'no-space' : 'unavailable',
      `Cannot write ${this.#path}: too few chunk servers took its bytes (the last one: ${last}). ` +
        (isFull ? 'Delete files and run "ashlar trash empty", or add chunk servers' : 'See "ashlar nodes"'),
      { details: { reasons }, applied: 'no' },
    )
  }

  /** The master's refusal, with what the servers themselves said before. */
  explain(error: AshlarError): AshlarError {
    if (this.#refusals.size === 0) return error
    const details = { ...error.details, refusals: [...this.#refusals.values()] }
    return new AshlarError(error.code, error.message, { cause: error, retry: error.retry, applied: 'no', details })
  }
}

/**
 * Object lock: versions that nobody may remove before a date (retention), or while a legal hold is on.
 *
 * Held here, in the transaction that would remove, and not at a door: so no door, no lifecycle and no purge is a way around
 * it. A lock binds where the directory has object lock, which it keeps for good; and nothing leaves such a directory but
 * version by version: trees in it are neither removed nor renamed while they hold anything, and it is at the top, so no
 * tree holds it. So what is locked is never in trash, where its time would run out. Pure, but for the look whether a tree is empty.
 *
 * Time is wall time that cluster time has proven (`NamespaceContext.provenWallMs`): a clock that jumps ahead frees nothing.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import type { ObjectLock, Retention } from '../wire/types/attributes.ts'
import type { NamespaceContext } from './context.ts'
import type { Path } from './paths.ts'
import type { Directory } from './place.ts'
import type { Entry } from './rows.ts'

const dayMs = 86_400_000
const maxYears = 100
const lastDateMs = Date.UTC(9999, 11, 31)

export interface LockRequest {
  readonly nowMs: number
  /** Whoever asks may, and does: governance yields. */
  readonly bypassGovernance: boolean
}

/** The moment that locks are judged by. */
export function lockTimeMs(context: NamespaceContext): number {
  return context.provenWallMs?.() ?? context.wallMs()
}

/**
 * Lets a version of a directory go for good, or not.
 * @throws {AshlarError} `object-locked`
 */
export function checkRemovable(
  directory: Pick<Directory, 'objectLock'>,
  entry: Entry,
  { path, ...request }: LockRequest & { path: string },
) {
  if (directory.objectLock === undefined) return
  if (entry.legalHold === true) throw locked(path, 'a legal hold is on it')
  const { retention } = entry
  if (retention !== undefined && binds(retention, request)) {
    throw locked(path, `it is retained until ${new Date(retention.untilMs).toISOString()} (${retention.mode})`)
  }
}

/**
 * Holds what may be written to what can be told again: a date of four digits, a period of at most a century.
 * @throws {AshlarError} `invalid-argument`
 */
export function checkPeriods({
  retention,
  objectLock,
}: {
  readonly retention?: Retention | undefined
  readonly objectLock?: ObjectLock | undefined
}): void {
  const { mode, days = 0, years = 0 } = objectLock ?? {}
  const isOneOfBoth = mode === undefined ? days + years === 0 : days > 0 !== years > 0
  if (!isOneOfBoth || days > maxYears * 365 || years > maxYears) {
    throw new AshlarError(
      'invalid-argument',
      `Cannot lock for ${days} days and ${years} years: with a mode give one of both, at most ${maxYears} years`,
    )
  }
  if (retention === undefined || retention.untilMs <= lastDateMs) return
  throw new AshlarError('invalid-argument', `Cannot retain until ${retention.untilMs} ms: that is past the year 9999`)
}

/**
 * Lets the retention of a version change, or not: extending it is always allowed.
 * @throws {AshlarError} `object-locked`
 */
export function checkRetentionChange(
  path: string,
  { before, after }: { readonly before: Retention | undefined; readonly after: Retention | undefined },
  request: LockRequest,
): void {
  if (before === undefined || !binds(before, request)) return
  const isExtension = after !== undefined && after.untilMs >= before.untilMs && after.mode === before.mode
  if (!isExtension) throw locked(path, `its retention (${before.mode}) can only be extended`)
}

/** What a version gets that is written at `nowMs` and names no retention. */
export function defaultRetention({ mode, days, years }: ObjectLock, nowMs: number): Retention | undefined {
  if (mode === undefined) return undefined
  if (years === undefined) return { mode, untilMs: nowMs + (days ?? 0) * dayMs }
  const until = new Date(nowMs)
  until.setUTCFullYear(until.getUTCFullYear() + years)
  return { mode, untilMs: until.getTime() }
}

export function lockedTree(path: string): AshlarError {
  return locked(path, 'it is in a bucket with object lock, where versions go one by one')
}

/**
 * Keeps a bucket with object lock at the top of the tree: no directory around it may take along what it holds.
 * @throws {AshlarError} `object-locked`
 */
export function checkStaysOnTop({ objectLock }: Entry, to: Path): void {
  if (objectLock === undefined || to.names.length === 1) return
  throw new AshlarError(
    'object-locked',
    `Cannot move a bucket with object lock to "${to.text}": it stays at the top of the tree`,
  )
}

/** Whether anything was ever locked here: what says so is no version that may vanish. */
export function hasLock({ retention, legalHold }: Entry): boolean {
  return retention !== undefined || legalHold === true
}

/** Whether the retention still stops this request. */
function binds({ mode, untilMs }: Retention, { nowMs, bypassGovernance }: LockRequest): boolean {
  return untilMs > nowMs && !(mode === 'governance' && bypassGovernance)
}

function locked(path: string, why: string): AshlarError {
  return new AshlarError('object-locked', `Cannot remove or change "${path}": ${why}`)
}

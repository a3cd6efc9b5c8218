/**
 * Sessions: allocations, hidden files, locks and answered requests hang on one. A session that ends is first marked, so
 * that nothing can be added to it, and then emptied in bounded steps; its row goes last. Its number is never given again.
 * @module
 */
import type { Infer } from '../base/codec.ts'
import type { AllocationId, InodeId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Rising } from '../base/rising.ts'
import { prefixEnd, type Transaction } from '../kv/txn-kv.ts'
import type * as methods from '../wire/methods/session-methods.ts'
import { closeAllocation } from './allocations.ts'
import { type Change, transactChange } from './change.ts'
import type { NamespaceContext } from './context.ts'
import { sessionEnded } from './failures.ts'
import {
  expiryKey,
  heldOf,
  heldPrefix,
  lockKey,
  recordKey,
  requestKey,
  requestPrefix,
  requestSequenceOf,
  sessionKey,
} from './keys.ts'
import { dropHidden } from './reclaim.ts'
import { decodeRow, lockRow, numberRow, readRow, type Session, sessionRow } from './rows.ts'

/** Longer than the client is told, so that a leap of cluster time gives no lock away that its holder still counts on. */
const keptForMs = limits.sessionLifeMs + limits.clusterTimeAheadMs
/** What one step of ending a session, or of dropping its answers, takes. */
const heldPerStep = 64
const answersPerStep = 512
/** Steps that `endSession` itself takes; the leader takes the rest. */
const ownSteps = 8

export function openSession(context: NamespaceContext): Promise<Infer<typeof methods.openSession.response>> {
  return transactChange(context, async (change) => {
    const session = change.issue()
    writeSession(change, session, { expiresAtMs: change.nowMs + keptForMs, acknowledged: 0, ended: false })
    change.tally.totals({ sessions: 1 })
    return { session, lifeMs: limits.sessionLifeMs }
  })
}

export async function keepSession(
  context: NamespaceContext,
  { session, acknowledged }: Infer<typeof methods.keepSession.request>,
): Promise<Infer<typeof methods.keepSession.response>> {
  const response = await transactChange(context, async (change) => {
    const { tx } = change
    const [sessionValue, versionValue] = await tx.getMany([sessionKey(session), recordKey('counter', 'mapVersion')])
    const row = decodeRow(sessionRow, sessionValue)
    if (row === undefined || row.ended) throw sessionEnded(session)
    tx.del(expiryKey('session', row.expiresAtMs, session))
    writeSession(change, session, { ...row, expiresAtMs: change.nowMs + keptForMs })
    const mapVersion = (decodeRow(numberRow, versionValue)?.value ?? 0) as Rising
    return { lifeMs: limits.sessionLifeMs, mapVersion }
  })
  await trimRequests(context, session, acknowledged)
  return response
}

/** Raises the acknowledged mark and drops the answers below it, in bounded steps. Nothing for a session that ended. */
async function trimRequests(context: NamespaceContext, session: number, acknowledged: number): Promise<void> {
  const step = () => context.kv.transact((tx) => trimStep(tx, session, acknowledged), { freesRoom: true })
  // Bounded by `limits.unacknowledgedRequests`.
  while ((await step()) === answersPerStep);
}

/** One step of {@link trimRequests}. @returns answers dropped */
export async function trimStep(tx: Transaction, session: number, acknowledged: number): Promise<number> {
  const row = await readRow(tx, sessionRow, sessionKey(session))
  if (row === undefined || row.ended) return 0
  if (acknowledged > row.acknowledged) tx.put(sessionKey(session), sessionRow.encode({ ...row, acknowledged }))
  const answers = await tx.range({
    start: requestPrefix(session),
    end: requestKey(session, acknowledged + 1),
    limit: answersPerStep,
  })
  for (const { key } of answers) tx.del(key)
  return answers.length
}

export async function endSession(context: NamespaceContext, session: number): Promise<void> {
  const marked = await transactChange(context, (change) => markEnded(change, session), {
    freesRoom: true,
    witness: async (tx) => (await readRow(tx, sessionRow, sessionKey(session)))?.ended ?? true,
  })
  if (!marked) return
  for (let step = 0; step < ownSteps; step++) {
    if (await transactChange(context, (change) => endStep(change, session), { freesRoom: true })) return
  }
}

/** @returns whether there is a session to be emptied */
export async function markEnded(change: Change, session: number): Promise<boolean> {
  const { tx } = change
  const row = await readRow(tx, sessionRow, sessionKey(session))
  if (row === undefined) return false
  if (row.ended) return true
  tx.del(expiryKey('session', row.expiresAtMs, session))
  // Due at once, so that the leader goes on with it whatever becomes of the caller.
  writeSession(change, session, { ...row, expiresAtMs: 0, ended: true })
  return true
}

/**
 * One step of emptying a session that was marked.
 * @returns whether the session is gone
 */
export async function endStep(change: Change, session: number): Promise<boolean> {
  const { tx, tally } = change
  const row = await readRow(tx, sessionRow, sessionKey(session))
  if (row === undefined) return true
  const held = await tx.range({ start: heldPrefix(session), end: prefixEnd(heldPrefix(session)), limit: heldPerStep })
  for (const { key } of held) await release(change, session, key)
  if (held.length === heldPerStep) return false
  const answers = await tx.range({
    start: requestPrefix(session),
    end: prefixEnd(requestPrefix(session)),
    limit: answersPerStep,
  })
  for (const { key } of answers) tx.del(requestKey(session, requestSequenceOf(key)))
  if (answers.length === answersPerStep) return false
  tx.del(sessionKey(session))
  tx.del(expiryKey('session', row.expiresAtMs, session))
  tally.totals({ sessions: -1 })
  return true
}

async function release(change: Change, session: number, key: Buffer): Promise<void> {
  const { tx } = change
  const { kind, id, name } = heldOf(key)
  tx.del(key)
  if (kind === 'allocation') await closeAllocation(change, id as AllocationId)
  else if (kind === 'inode') await dropHidden(change, id as InodeId)
  else {
    const lock = await readRow(tx, lockRow, lockKey(name))
    if (lock?.session === session) tx.del(lockKey(name))
  }
}

function writeSession({ tx }: Change, session: number, row: Session): void {
  tx.put(sessionKey(session), sessionRow.encode(row))
  tx.put(expiryKey('session', row.expiresAtMs, session), Buffer.alloc(0))
}

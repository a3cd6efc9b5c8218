/**
 * Numbers that only rise, kept as rows: blocks for `issue()`, persisted cluster time, the leader's epoch.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import { type Rising, rising } from '../base/rising.ts'
import type { Transaction } from '../kv/txn-kv.ts'
import type { NamespaceContext } from './context.ts'
import { leaderKey, recordKey } from './keys.ts'
import type { IssueBlock } from './operations.ts'
import { numberRow, readRow } from './rows.ts'

const issuedKey = recordKey('counter', 'issued')
const clusterTimeKey = recordKey('counter', 'clusterTime')

/** A block lost to an unknown commit is a gap, so asking again is always right. */
export function reserveIssueBlock({ kv, generation }: NamespaceContext, count: number): Promise<IssueBlock> {
  return kv.transact(async (tx) => {
    const first = Math.max(await readNumber(tx, issuedKey), rising(generation, 1)) as Rising
    const end = (first + count) as Rising
    tx.put(issuedKey, numberRow.encode({ value: end }))
    return { first, end }
  })
}

export function persistedClusterTimeMs({ kv }: NamespaceContext): Promise<number> {
  return kv.transact((tx) => readNumber(tx, clusterTimeKey))
}

export async function persistClusterTime(tx: Transaction, timeMs: number): Promise<void> {
  const known = await readNumber(tx, clusterTimeKey)
  if (timeMs > known) tx.put(clusterTimeKey, numberRow.encode({ value: timeMs }))
}

export async function readLeaderEpoch(tx: Transaction): Promise<Rising> {
  return (await readNumber(tx, leaderKey)) as Rising
}

/** @returns the epoch of the new leader */
export function takeLeadership({ kv, generation }: NamespaceContext): Promise<Rising> {
  return kv.transact(async (tx) => {
    const epoch = Math.max((await readLeaderEpoch(tx)) + 1, rising(generation, 1)) as Rising
    tx.put(leaderKey, numberRow.encode({ value: epoch }))
    return epoch
  })
}

/** Fences a transaction of the leader. @throws {AshlarError} `stale-leader` */
export async function checkLeader(tx: Transaction, epoch: Rising): Promise<void> {
  if ((await readLeaderEpoch(tx)) !== epoch) {
    throw new AshlarError('stale-leader', 'Cannot act as leader: another master took the leadership')
  }
}

async function readNumber(tx: Transaction, key: Uint8Array): Promise<number> {
  return (await readRow(tx, numberRow, key))?.value ?? 0
}

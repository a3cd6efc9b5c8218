/** What hangs on a session and goes with it: allocations, hidden files, locks. Each kind is bounded. @module */
import { AshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { prefixEnd, type Transaction } from '../kv/txn-kv.ts'
import { type HeldKind, heldKey, heldKindPrefix } from './keys.ts'

const most: Readonly<Record<HeldKind, number>> = {
  allocation: limits.allocationsPerSession,
  inode: limits.hiddenFilesPerSession,
  lock: limits.locksPerSession,
}

const names: Readonly<Record<HeldKind, string>> = {
  allocation: 'allocations',
  inode: 'unfinished files',
  lock: 'locks',
}

/**
 * Hangs something on a session, which the transaction has read.
 * @throws {AshlarError} `busy` — the session holds as many as it may
 */
export async function hold(tx: Transaction, session: number, kind: HeldKind, what: number | string): Promise<void> {
  const prefix = heldKindPrefix(session, kind)
  const held = await tx.range({ start: prefix, end: prefixEnd(prefix), limit: most[kind] })
  if (held.length >= most[kind]) {
    throw new AshlarError(
      'busy',
      `Cannot take more ${names[kind]}: session ${session} holds ${held.length}, which is the limit; give some back`,
    )
  }
  tx.put(heldKey(session, kind, what), Buffer.alloc(0))
}

/**
 * What the transactions of the namespace need from the master around them. The namespace holds no state of its own:
 * everything is in the TxnKV, so any number of masters could run these transactions.
 * @module
 */
import type { ServerId } from '../base/ids.ts'
import type { Rising } from '../base/rising.ts'
import type { TxnKV } from '../kv/txn-kv.ts'
import type { Group, Policy } from '../wire/types/cluster-map.ts'
import type { Receipt } from '../wire/types/extent.ts'

/** The receipts of one chunk, as the commit carries them. Their MACs were verified before the transaction. */
export interface ReceiptCase {
  /** As the transaction reads it. */
  readonly group: Group
  readonly policy: Policy
  readonly receipts: readonly Receipt[]
}

export interface NamespaceContext {
  readonly kv: TxnKV
  /** The cluster's generation: high part of every chunk id and rising number. */
  readonly generation: number
  /** A number never given before, greater than all given before: versions, inodes, content ids, sessions, allocations, trash ids. Synchronous. */
  issue(): Rising
  /** Cluster time in ms, as a rising number: only expiry uses it. */
  clusterTime(): Rising
  /** Shown to people and stored as modification time. */
  wallMs(): number
  /**
   * Wall time as far as cluster time bears it out: never later than the wall, and not ahead because a clock jumped. What
   * wall time permits (the end of a retention) is judged by it. Absent: the wall's.
   */
  provenWallMs?(): number
  /** Policies by name; the root's when a directory names none. */
  policy(name: string): Policy | undefined
  defaultPolicy(): string
  trashKeepMs(): number
  /**
   * Judges whether receipts prove enough (DESIGN 7): they agree, come from present members at a usable epoch, and are as
   * many as the group has, or at least `minReplicas` when every missing member is suspect or dead and no full group has room.
   * @returns members that owe a replica, to be queued for repair in the same transaction
   * @throws {AshlarError} `receipts-rejected`, `stale-epoch`
   */
  judgeReceipts(receiptCase: ReceiptCase): readonly ServerId[]
}

/**
 * One attempt of a transaction that changes the namespace: the transaction, its tally, and the moment.
 * Invariant: a version or id is issued inside the attempt, after what it supersedes was read, so that versions of a
 * path only rise.
 * @module
 */
import { counterOf, type Rising } from '../base/rising.ts'
import type { Transaction, TransactOptions } from '../kv/txn-kv.ts'
import type { NamespaceContext } from './context.ts'
import { Tally } from './tally.ts'

export class Change {
  readonly tx: Transaction
  readonly context: NamespaceContext
  readonly tally = new Tally()

  constructor(context: NamespaceContext, tx: Transaction) {
    this.context = context
    this.tx = tx
  }

  get nowMs(): number {
    return nowMs(this.context)
  }

  issue(): Rising {
    return this.context.issue()
  }
}

/** Cluster time in ms, without generation. */
export function nowMs(context: NamespaceContext): number {
  return counterOf(context.clusterTime())
}

/** Runs `body` in a transaction and writes its tally with it. */
export function transactChange<T>(
  context: NamespaceContext,
  body: (change: Change) => Promise<T>,
  options?: TransactOptions,
): Promise<T> {
  return context.kv.transact(async (tx) => {
    const change = new Change(context, tx)
    const result = await body(change)
    change.tally.flush(tx)
    return result
  }, options)
}

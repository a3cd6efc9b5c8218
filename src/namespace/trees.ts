/**
 * Walks of a tree that visit directories and never files: each directory's counters say what is directly inside, and
 * `i` rows say its subdirectories. A walk is a trail (depth first, bounded by the depth of paths), so it can stop after
 * any step and go on in another transaction.
 * @module
 */
import type { InodeId } from '../base/ids.ts'
import type { Transaction } from '../kv/txn-kv.ts'
import { prefixEnd } from '../kv/txn-kv.ts'
import { childKey, childOf, childPrefix, directoryCountersKey } from './keys.ts'
import type { WalkPoint } from './rows.ts'
import { addCounters, type DirectoryCounters, readDirectoryCounters } from './tally.ts'

export interface Walk {
  /** Where to go on; empty when the walk is over. */
  readonly trail: readonly WalkPoint[]
  /** What was counted so far; the first directory itself is not among `directories`. */
  readonly counters: DirectoryCounters
}

export async function startWalk(tx: Transaction, directory: InodeId): Promise<Walk> {
  const counters = readDirectoryCounters(await tx.get(directoryCountersKey(directory)))
  return { trail: counters.directories === 0 ? [] : [{ directory, after: 0 as InodeId }], counters }
}

/** Goes on for at most `limit` directories, adding to what `walk` counted. */
export async function continueWalk(tx: Transaction, walk: Walk, limit: number): Promise<Walk> {
  const trail = [...walk.trail]
  let { counters } = walk
  for (let visited = 0; visited < limit && trail.length > 0; visited++) {
    const { directory, after } = trail[trail.length - 1] as WalkPoint
    const start = childKey(directory, (after + 1) as InodeId)
    const [next] = await tx.range({ start, end: prefixEnd(childPrefix(directory)), limit: 1 })
    if (next === undefined) {
      trail.pop()
      continue
    }
    const child = childOf(next.key)
    trail[trail.length - 1] = { directory, after: child }
    const inside = readDirectoryCounters(await tx.get(directoryCountersKey(child)))
    counters = addCounters(counters, inside)
    if (inside.directories > 0) trail.push({ directory: child, after: 0 as InodeId })
  }
  return { trail, counters }
}

/**
 * Trash: what was removed or replaced, by the path it had, until its time (cluster time) is over. Moving there and back
 * is one transaction, however large the tree: a directory's entries stay where they are, below its inode.
 *
 * A removed tree is counted by walking its directories; one with more than {@link measuredAtOnce} is counted later by
 * the leader, and stays counted as live until then.
 * @module
 */
import type { InodeId } from '../base/ids.ts'
import type { Rising } from '../base/rising.ts'
import type { Transaction } from '../kv/txn-kv.ts'
import type { Change } from './change.ts'
import { placeDirectory } from './directories.ts'
import { entryLeft } from './implicit-directories.ts'
import { childKey, entryKey, jobKey, noInode, trashDueKey, trashKey } from './keys.ts'
import type { Path } from './paths.ts'
import { type Directory, type Found, lastName } from './resolve.ts'
import { type Entry, entryRow, measureJob, readRow, type TrashRow, trashDueRow, trashRow } from './rows.ts'
import type { DirectoryCounters } from './tally.ts'
import { continueWalk, startWalk, type Walk } from './trees.ts'

/** Directories that a removal counts in its own transaction. */
const measuredAtOnce = 256

/** Takes an entry out of its directory and keeps it in trash. @returns its number there */
export async function moveToTrash(
  change: Change,
  found: Found,
  { path, reason }: { readonly path: string; readonly reason: TrashRow['reason'] },
): Promise<Rising> {
  const { tx, context } = change
  const { parent, keyName, entry } = found
  const trash = change.issue()
  const dueMs = change.nowMs + context.trashKeepMs()
  const { counters, trail } = await measure(tx, entry)
  const unmeasured = trail.length > 0
  tx.del(entryKey(parent.inode, keyName))
  if (entry.inode !== undefined) {
    tx.del(childKey(parent.inode, entry.inode))
    placeDirectory(change, entry.inode, noInode, keyName.slice(0, -1))
  }
  tx.put(
    trashKey(path, trash),
    trashRow.encode({
      path,
      entry,
      deletedMs: context.wallMs(),
      dueMs,
      reason,
      ...(unmeasured ? noCounters : counters),
      unmeasured: unmeasured ? true : undefined,
    }),
  )
  tx.put(trashDueKey(dueMs, trash), trashDueRow.encode({ path }))
  if (unmeasured) tx.put(jobKey('measure', trash), measureJob.encode({ path, trail, ...counters }))
  else countTrash(change, counters, 1)
  countInParent(change, parent.inode, entry, -1)
  if (reason === 'removed') await entryLeft(change, found)
  change.tally.totals({ trashEntries: 1 })
  return trash
}

/** Takes a row out of trash; the caller puts its entry where it belongs, or purges it. */
export function takeFromTrash({ tx, tally }: Change, trash: Rising, row: TrashRow): void {
  tx.del(trashKey(row.path, trash))
  tx.del(trashDueKey(row.dueMs, trash))
  if (row.unmeasured === true) tx.del(jobKey('measure', trash))
  tally.totals({ trashEntries: -1 })
}

/** Puts an entry that was taken from trash, or moved, into a directory where its name is free. */
export function placeEntry(change: Change, parent: InodeId, name: string, entry: Entry): void {
  const keyName = entry.kind === 'directory' ? `${name}/` : name
  change.tx.put(entryKey(parent, keyName), entryRow.encode(entry))
  if (entry.inode !== undefined) placeDirectory(change, entry.inode, parent, name)
  countInParent(change, parent, entry, 1)
}

/** All below an entry went from live to trash (`sign` 1), or came back (−1). */
export function countTrash(
  { tally }: Change,
  { files, directories, lengthBytes }: DirectoryCounters,
  sign: 1 | -1,
): void {
  tally.totals({
    files: -sign * files,
    directories: -sign * directories,
    lengthBytes: -sign * lengthBytes,
    trashBytes: sign * lengthBytes,
  })
}

/** Makes room for a directory where a hollow one, which does not show, may have its name. */
export async function clearHollow(change: Change, parent: Directory, path: Path): Promise<void> {
  const keyName = `${lastName(path)}/`
  const entry = await readRow(change.tx, entryRow, entryKey(parent.inode, keyName))
  if (entry !== undefined)
    await moveToTrash(change, { parent, keyName, entry }, { path: path.text, reason: 'replaced' })
}

/** An entry came directly into a directory (`sign` 1) or left it (−1); the totals stay. */
export function countInParent({ tally }: Change, parent: InodeId, entry: Entry, sign: 1 | -1): void {
  if (entry.kind === 'directory') tally.directory(parent, { directories: sign })
  else tally.directory(parent, { files: sign, lengthBytes: sign * (entry.content?.length ?? 0) })
}

const noCounters: DirectoryCounters = { files: 0, directories: 0, lengthBytes: 0 }

/** Counts what an entry holds, itself included. */
async function measure(tx: Transaction, entry: Entry): Promise<Walk> {
  if (entry.inode === undefined) {
    return { trail: [], counters: { ...noCounters, files: 1, lengthBytes: entry.content?.length ?? 0 } }
  }
  const walk = await continueWalk(tx, await startWalk(tx, entry.inode), measuredAtOnce)
  return { trail: walk.trail, counters: { ...walk.counters, directories: walk.counters.directories + 1 } }
}

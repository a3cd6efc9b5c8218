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
import { entryLeft, isEmpty, queuePrune } from './implicit-directories.ts'
import { childKey, entryKey, jobKey, noInode, trashDueKey, trashKey } from './keys.ts'
import type { Path } from './paths.ts'
import { type Directory, type Found, lastName } from './resolve.ts'
import { type Entry, entryRow, measureJob, readRow, type TrashRow, trashDueRow, trashRow } from './rows.ts'
import { type DirectoryCounters, noCounters } from './tally.ts'
import { continueWalk, startWalk, type Walk } from './trees.ts'
import { checkRemovable, lockedTree, lockTimeMs } from './version-locks.ts'
import { asNewest, type NamePlace, type OlderVersion, takeOlder } from './versions.ts'

/** Directories that a removal counts in its own transaction. */
const measuredAtOnce = 256

/** How something comes to trash. */
interface Removal {
  readonly path: string
  readonly reason: TrashRow['reason']
  /** Of a governance retention, which whoever asks may put aside. */
  readonly bypassGovernance?: boolean | undefined
}

/**
 * Takes an entry out of its directory and keeps it in trash.
 * @returns its number there
 * @throws {AshlarError} `object-locked`
 */
export async function moveToTrash(change: Change, found: Found, removal: Removal): Promise<Rising> {
  const { tx } = change
  const { parent, keyName, entry } = found
  await checkUnlocked(change, found, removal)
  const { counters, trail } = await measure(tx, entry)
  const unmeasured = trail.length > 0
  tx.del(entryKey(parent.inode, keyName))
  if (entry.inode !== undefined) {
    tx.del(childKey(parent.inode, entry.inode))
    placeDirectory(change, entry.inode, noInode, keyName.slice(0, -1))
  }
  const trash = keepInTrash(change, entry, { ...removal, counters: unmeasured ? undefined : counters })
  if (unmeasured) tx.put(jobKey('measure', trash), measureJob.encode({ path: removal.path, trail, ...counters }))
  else countTrash(change, counters, 1)
  countInParent(change, parent.inode, entry, -1)
  if (removal.reason === 'removed') await entryLeft(change, found)
  return trash
}

/**
 * Takes an older version out of its place and keeps it in trash; a delete marker, which holds nothing, is gone.
 * @throws {AshlarError} `object-locked`
 */
export async function trashOlder(
  change: Change,
  place: NamePlace,
  { older, ...removal }: Omit<Removal, 'path'> & { readonly older: OlderVersion },
): Promise<Rising | undefined> {
  const { entry } = older
  const { parent, path } = place
  await checkUnlocked(change, { ...place, entry }, { ...removal, path })
  takeOlder(change, place, older)
  if (parent.isImplicit) await queuePrune(change, parent.inode)
  if (entry.content === undefined) return undefined
  const lengthBytes = entry.content.length
  const counters = { ...noCounters, files: 1, lengthBytes }
  change.tally.totals({ trashBytes: lengthBytes })
  return keepInTrash(change, entry, { ...removal, path, counters })
}

/** Lets an entry leave its place, or not. Renames ask too. @throws {AshlarError} `object-locked` */
export async function checkUnlocked(
  change: Change,
  { parent, entry }: Pick<Found, 'parent' | 'entry'>,
  { path, bypassGovernance = false }: Pick<Removal, 'path' | 'bypassGovernance'>,
): Promise<void> {
  const request = { path, bypassGovernance, nowMs: lockTimeMs(change.context) }
  const objectLock = entry.objectLock ?? parent.objectLock
  if (entry.inode === undefined) checkRemovable(parent, entry, request)
  else if (objectLock !== undefined) {
    if (!(await isEmpty(change.tx, entry.inode))) throw lockedTree(path)
    // Empty is a directory that holds nothing but the object that it is itself.
    const own = await readRow(change.tx, entryRow, entryKey(entry.inode, ''))
    if (own !== undefined) checkRemovable({ objectLock }, own, request)
  }
}

/** Writes the rows of an entry in trash. @param counters undefined: not known yet */
function keepInTrash(
  change: Change,
  entry: Entry,
  { path, reason, counters }: Removal & { readonly counters: DirectoryCounters | undefined },
): Rising {
  const { tx, context } = change
  const trash = change.issue()
  const dueMs = change.nowMs + context.trashKeepMs()
  const unmeasured = counters === undefined ? true : undefined
  const deletedMs = context.wallMs()
  tx.put(
    trashKey(path, trash),
    trashRow.encode({ path, entry, deletedMs, dueMs, reason, ...(counters ?? noCounters), unmeasured }),
  )
  tx.put(trashDueKey(dueMs, trash), trashDueRow.encode({ path }))
  change.tally.totals({ trashEntries: 1 })
  return trash
}

/** Bytes that an entry of trash keeps. */
export function bytesInTrash({
  lengthBytes,
  versionBytes = 0,
}: Pick<TrashRow, 'lengthBytes' | 'versionBytes'>): number {
  return lengthBytes + versionBytes
}

/** Takes a row out of trash; the caller puts its entry where it belongs, or purges it. */
export function takeFromTrash({ tx, tally }: Change, trash: Rising, row: TrashRow): void {
  tx.del(trashKey(row.path, trash))
  tx.del(trashDueKey(row.dueMs, trash))
  if (row.unmeasured === true) tx.del(jobKey('measure', trash))
  tally.totals({ trashEntries: -1 })
}

/** Puts an entry that was taken from trash, or moved, into a directory where its name is free. @returns it as it is there */
export async function placeEntry(
  change: Change,
  { parent, name }: { readonly parent: Directory; readonly name: string },
  given: Entry,
): Promise<Entry> {
  const keyName = given.kind === 'directory' ? `${name}/` : name
  const entry = given.kind === 'file' ? await asNewest(change, { parent, keyName }, given) : given
  change.tx.put(entryKey(parent.inode, keyName), entryRow.encode(entry))
  if (entry.inode !== undefined) placeDirectory(change, entry.inode, parent.inode, name)
  countInParent(change, parent.inode, entry, 1)
  return entry
}

/** All below an entry went from live to trash (`sign` 1), or came back (−1). */
export function countTrash(
  { tally }: Change,
  { files, directories, lengthBytes, versions = 0, versionBytes = 0 }: CountedTrash,
  sign: 1 | -1,
): void {
  tally.totals({
    files: -sign * files,
    directories: -sign * directories,
    lengthBytes: -sign * lengthBytes,
    versions: -sign * versions,
    versionBytes: -sign * versionBytes,
    trashBytes: sign * (lengthBytes + versionBytes),
  })
}

type CountedTrash = Pick<TrashRow, 'files' | 'directories' | 'lengthBytes' | 'versions' | 'versionBytes'>

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

/** Counts what an entry holds, itself included. */
async function measure(tx: Transaction, entry: Entry): Promise<Walk> {
  if (entry.inode === undefined) {
    return { trail: [], counters: { ...noCounters, files: 1, lengthBytes: entry.content?.length ?? 0 } }
  }
  const walk = await continueWalk(tx, await startWalk(tx, entry.inode), measuredAtOnce)
  return { trail: walk.trail, counters: { ...walk.counters, directories: walk.counters.directories + 1 } }
}

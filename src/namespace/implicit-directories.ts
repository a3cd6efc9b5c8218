/**
 * Directories that nobody asked for: made on the way to an object, they hold no entry with the empty name, and go with
 * their last entry.
 *
 * What leaves such a directory queues it, in the same transaction, unless it waits already; the leader looks later, and removes
 * it where it is still empty. Looking reads the directory's whole range, and whoever makes an entry in it reads its row: so
 * of a pruning and a create that meet, one runs again, and no entry is ever made in a directory that is gone.
 * Until it is pruned, a directory without any file below is *hollow*: it shows nowhere, and is in nobody's way.
 * @module
 */
import type { InodeId } from '../base/ids.ts'
import { prefixEnd, type Transaction } from '../kv/txn-kv.ts'
import type { Change } from './change.ts'
import {
  childKey,
  entryKey,
  entryPrefix,
  inodeKey,
  jobIdOf,
  jobKey,
  noInode,
  queuePrefix,
  rootInode,
  versionPrefix,
} from './keys.ts'
import { type Entry, entryRow, inodeRow, readRow, walkDepth } from './rows.ts'

const jobsPerStep = 16
const levelsPerJob = 32
/**
 * Ranges that are read before a directory is taken to hold something: the rest is pruned from below. Whoever removes a
 * directory just emptied as a bucket must not be told that it is not empty, and waits a little longer.
 */
const rangesToShow = 64
const rangesToRemove = 4096
const rowsLooked = 16

/** Whether a directory is there only because objects were below it. */
export async function isHollow(tx: Transaction, entry: Entry): Promise<boolean> {
  const { inode } = entry
  if (!isPassing(entry) || inode === undefined) return false
  return !(await holdsAny(tx, { inode, start: entryPrefix(inode) }, rangesToShow))
}

/** Whether a directory holds nothing but its own entry with the empty name; later creates in it conflict. */
export async function isEmpty(tx: Transaction, inode: InodeId): Promise<boolean> {
  return !(await holdsAny(tx, { inode, start: after(entryKey(inode, '')) }, rangesToRemove))
}

/** An entry left this directory, not to be followed by another one of its name. */
export async function entryLeft(
  change: Change,
  {
    parent,
    keyName,
  }: { readonly parent: { readonly inode: InodeId; readonly isImplicit: boolean }; readonly keyName: string },
): Promise<void> {
  if (keyName === '') await makeImplicit(change, parent.inode)
  else if (!parent.isImplicit) return
  await queuePrune(change, parent.inode)
}

/** Looks at directories that lost an entry. @returns how many */
export async function pruneStep(change: Change): Promise<number> {
  const { tx } = change
  const prefix = queuePrefix('prune')
  const jobs = await tx.range({ start: prefix, end: prefixEnd(prefix), limit: jobsPerStep })
  for (const { key } of jobs) {
    tx.del(key)
    let next: InodeId | undefined = jobIdOf(key) as InodeId
    // What is in trash stays as it was.
    if (!(await isInTree(tx, next))) continue
    for (let level = 0; level < levelsPerJob && next !== undefined; level++) next = await prune(change, next)
    if (next !== undefined) await queuePrune(change, next)
  }
  return jobs.length
}

/** Of one that is in the tree. @returns the directory that it was in, which may be empty now; undefined: it stays */
async function prune(change: Change, inode: InodeId): Promise<InodeId | undefined> {
  const { tx, tally } = change
  const [first] = await tx.range({ start: entryPrefix(inode), end: prefixEnd(entryPrefix(inode)), limit: 1 })
  if (first !== undefined || (await holdsVersions(tx, inode))) return undefined
  const row = await readRow(tx, inodeRow, inodeKey(inode))
  if (row?.parent === undefined) return undefined
  const key = entryKey(row.parent, `${row.name}/`)
  const entry = await readRow(tx, entryRow, key)
  if (entry?.inode !== inode || !isPassing(entry)) return undefined
  tx.del(key)
  tx.del(inodeKey(inode))
  tx.del(childKey(row.parent, inode))
  tally.entry(row.parent, 'directory', 0, -1)
  return row.parent
}

async function isInTree(tx: Transaction, inode: InodeId): Promise<boolean> {
  let at = inode
  for (let depth = 0; depth < walkDepth && at !== rootInode && at !== noInode; depth++) {
    at = (await readRow(tx, inodeRow, inodeKey(at)))?.parent ?? noInode
  }
  return at === rootInode
}

/** Any file, or any directory that stays by itself, at or behind `start`. Bounded: in doubt, yes. */
async function holdsAny(
  tx: Transaction,
  first: { readonly inode: InodeId; readonly start: Buffer },
  ranges: number,
): Promise<boolean> {
  const open = [first]
  const lookedInto = new Set<InodeId>()
  for (let looked = 0; looked < ranges; looked++) {
    const next = open.pop()
    if (next === undefined) return false
    if (!lookedInto.has(next.inode) && (await holdsVersions(tx, next.inode))) return true
    lookedInto.add(next.inode)
    const end = prefixEnd(entryPrefix(next.inode))
    const rows = await tx.range({ start: next.start, end, limit: rowsLooked })
    const last = rows.at(-1)
    if (last !== undefined && rows.length === rowsLooked) open.push({ inode: next.inode, start: after(last.key) })
    for (const { value } of rows) {
      const entry = entryRow.decode(value)
      if (!isPassing(entry) || entry.inode === undefined) return true
      open.push({ inode: entry.inode, start: entryPrefix(entry.inode) })
    }
  }
  return true
}

/** Older versions count as what a directory holds: they would be lost with it. */
async function holdsVersions(tx: Transaction, inode: InodeId): Promise<boolean> {
  const start = versionPrefix(inode)
  return (await tx.range({ start, end: prefixEnd(start), limit: 1 })).length > 0
}

/** What was set on a directory by hand would be lost with it. */
function isPassing({ implicit, policy, versioning, xattrs = [] }: Entry): boolean {
  return implicit === true && policy === undefined && versioning === undefined && xattrs.length === 0
}

async function makeImplicit({ tx }: Change, inode: InodeId): Promise<void> {
  const row = await readRow(tx, inodeRow, inodeKey(inode))
  if (row?.parent === undefined) return
  const key = entryKey(row.parent, `${row.name}/`)
  const entry = await readRow(tx, entryRow, key)
  if (entry !== undefined) tx.put(key, entryRow.encode({ ...entry, implicit: true }))
}

/** What was in it is gone: the leader looks whether it is empty. A look costs less than a row written once more with each removal. */
export async function queuePrune({ tx }: Change, inode: InodeId): Promise<void> {
  const key = jobKey('prune', inode)
  if ((await tx.get(key)) === undefined) tx.put(key, Buffer.alloc(0))
}

function after(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.from([0])])
}

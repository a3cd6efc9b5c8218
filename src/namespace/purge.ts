/**
 * Purging what is due in trash.
 *
 * A due row leaves trash and becomes a job (or, when it is small, is taken apart) in one transaction, so it can be
 * undeleted until then and never after. A job goes on in steps of at most `limits.purgeStepChunks` chunks, each of which
 * removes the extents (or entries) that it gave back and writes how far it came: a crash between steps repeats nothing.
 * A tree is one job for each directory; a large file in it gets one of its own.
 * @module
 */
import type { InodeId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Rising } from '../base/rising.ts'
import { prefixEnd } from '../kv/txn-kv.ts'
import type { Extent } from '../wire/types/extent.ts'
import type { Change } from './change.ts'
import { dropPageOf, readExtents } from './contents.ts'
import { pruneStep } from './implicit-directories.ts'
import {
  childKey,
  directoryCountersKey,
  entryPrefix,
  inodeKey,
  jobIdOf,
  nullVersionKey,
  queuePrefix,
  trashDueKey,
  trashKey,
  versionNameBytes,
  versionPrefix,
} from './keys.ts'
import { discardContent, queuePurge, releaseExtents } from './reclaim.ts'
import {
  type Content,
  decodeRow,
  entryRow,
  measureJob,
  type PurgeJob,
  purgeJob,
  type TrashRow,
  trashDueRow,
  trashRow,
} from './rows.ts'
import { bytesInTrash, countTrash, takeFromTrash } from './trash.ts'
import { continueWalk } from './trees.ts'

/** What one step did. */
export interface PurgeStep {
  readonly entries: number
  readonly chunks: number
  /** Nothing was due. */
  readonly idle: boolean
}

/** Entries of trash, or of a directory, that one step takes: each has at most `limits.inlineExtents` extents to give back. */
export const entriesPerStep = Math.floor(limits.purgeStepChunks / limits.inlineExtents)
const directoriesPerStep = 512

/** One step: of a job under way, else of counting a removed tree, else of pruning directories, else of what is due. */
export async function purgeStep(change: Change): Promise<PurgeStep> {
  return (await jobStep(change)) ?? (await measureStep(change)) ?? (await pruned(change)) ?? (await dueStep(change))
}

async function pruned(change: Change): Promise<PurgeStep | undefined> {
  return (await pruneStep(change)) === 0 ? undefined : { entries: 0, chunks: 0, idle: false }
}

async function jobStep(change: Change): Promise<PurgeStep | undefined> {
  const prefix = queuePrefix('purge')
  const [row] = await change.tx.range({ start: prefix, end: prefixEnd(prefix), limit: 1 })
  if (row === undefined) return undefined
  const job = purgeJob.decode(row.value)
  const chunks =
    job.content === undefined
      ? await directoryStep(change, row.key, job.directory as InodeId)
      : await contentStep(change, row.key, job, job.content)
  return { entries: 0, chunks, idle: false }
}

async function contentStep(change: Change, key: Buffer, job: PurgeJob, content: Content): Promise<number> {
  const { tx, tally } = change
  const extents: Extent[] = []
  let next = job.next ?? 0
  while (next < content.extentCount && extents.length + limits.extentsPerPage <= limits.purgeStepChunks) {
    const some = await readExtents(tx, content, next)
    extents.push(...some)
    dropPageOf(tx, content, next)
    next += some.length
  }
  if (next < content.extentCount) tx.put(key, purgeJob.encode({ ...job, next }))
  else {
    tx.del(key)
    if (job.counted === true) tally.totals({ purgingBytes: -content.length })
  }
  return releaseExtents(change, extents)
}

/** Entries of a directory that is in no tree any more, older versions first. */
async function directoryStep(change: Change, key: Buffer, directory: InodeId): Promise<number> {
  const { tx } = change
  const released = await versionStep(change, directory)
  if (released !== undefined) return released
  const start = entryPrefix(directory)
  const rows = await tx.range({ start, end: prefixEnd(start), limit: entriesPerStep })
  let chunks = 0
  for (const { key: entryKey, value } of rows) {
    const { inode, content } = entryRow.decode(value)
    tx.del(entryKey)
    if (content !== undefined) chunks += await discardContent(change, content, true)
    if (inode === undefined) continue
    tx.del(childKey(directory, inode))
    queuePurge(change, { directory: inode })
  }
  if (rows.length < entriesPerStep) {
    tx.del(key)
    tx.del(inodeKey(directory))
    tx.del(directoryCountersKey(directory))
  }
  return chunks
}

/** @returns undefined: none is left */
async function versionStep(change: Change, directory: InodeId): Promise<number | undefined> {
  const { tx } = change
  const start = versionPrefix(directory)
  const rows = await tx.range({ start, end: prefixEnd(start), limit: entriesPerStep })
  if (rows.length === 0) return undefined
  let chunks = 0
  for (const { key, value } of rows) {
    const { objectVersion, content } = entryRow.decode(value)
    tx.del(key)
    if (objectVersion === undefined) tx.del(nullVersionKey(directory, versionNameBytes(key)))
    if (content !== undefined) chunks += await discardContent(change, content, true)
  }
  return chunks
}

/** Goes on counting a removed tree; the first one whose count is complete becomes trash in the totals. */
async function measureStep(change: Change): Promise<PurgeStep | undefined> {
  const { tx } = change
  const prefix = queuePrefix('measure')
  const [row] = await tx.range({ start: prefix, end: prefixEnd(prefix), limit: 1 })
  if (row === undefined) return undefined
  const { path, trail, versions = 0, versionBytes = 0, ...counted } = measureJob.decode(row.value)
  const counters = { ...counted, versions, versionBytes }
  const walk = await continueWalk(tx, { trail, counters }, directoriesPerStep)
  if (walk.trail.length > 0) tx.put(row.key, measureJob.encode({ path, trail: walk.trail, ...walk.counters }))
  else {
    tx.del(row.key)
    const key = trashKey(path, jobIdOf(row.key) as Rising)
    const trashed = trashRow.decode((await tx.get(key)) as Buffer)
    tx.put(key, trashRow.encode({ ...trashed, ...walk.counters, unmeasured: undefined }))
    countTrash(change, walk.counters, 1)
  }
  return { entries: 0, chunks: 0, idle: false }
}

/** Everything unmeasured was measured before: see {@link purgeStep}. */
async function dueStep(change: Change): Promise<PurgeStep> {
  const { tx } = change
  const due = await tx.range({
    start: trashDueKey(0, 0 as Rising),
    end: trashDueKey(change.nowMs + 1, 0 as Rising),
    limit: entriesPerStep,
  })
  const ids = due.map(({ key }) => Number(key.readBigUInt64BE(9)) as Rising)
  const keys = due.map(({ value }, index) => trashKey(trashDueRow.decode(value).path, ids[index] as Rising))
  const rows = await tx.getMany(keys)
  let chunks = 0
  for (let index = 0; index < due.length; index++) {
    const row = decodeRow(trashRow, rows[index])
    if (row === undefined) tx.del((due[index] as { key: Buffer }).key)
    else chunks += await purgeEntry(change, ids[index] as Rising, row)
  }
  return { entries: due.length, chunks, idle: due.length === 0 }
}

export async function purgeEntry(change: Change, trash: Rising, row: TrashRow): Promise<number> {
  takeFromTrash(change, trash, row)
  change.tally.totals({ trashBytes: -bytesInTrash(row), purgingBytes: bytesInTrash(row) })
  const { content, inode } = row.entry
  if (inode !== undefined) queuePurge(change, { directory: inode })
  return content === undefined ? 0 : discardContent(change, content, true)
}

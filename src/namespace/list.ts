/**
 * Listing a directory: pages in the order of names' bytes, a directory's with `/` at its end. Each page is one
 * transaction, and the next one goes on after a name, whether or not that name is still there: so a name that exists
 * throughout is never skipped or repeated. A hollow directory is left out, and an object's `dir/` is not an entry.
 * @module
 */
import type { Infer } from '../base/codec.ts'
import { AshlarError } from '../base/errors.ts'
import type { InodeId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { type KeyValue, prefixEnd, type Transaction } from '../kv/txn-kv.ts'
import type { listDirectory as listMethod } from '../wire/methods/file-methods.ts'
import type { NamespaceContext } from './context.ts'
import { attributesOf } from './entries.ts'
import { isHollow } from './implicit-directories.ts'
import { directoryCountersKey, entryKey, entryName, entryPrefix } from './keys.ts'
import { parsePlainPath } from './paths.ts'
import { policyInForce, resolveDirectory } from './resolve.ts'
import { type Entry, entryRow } from './rows.ts'
import { type DirectoryCounters, noCounters, readDirectoryCounters } from './tally.ts'

export function listDirectory(
  context: NamespaceContext,
  request: Infer<typeof listMethod.request>,
): Promise<Infer<typeof listMethod.response>> {
  const path = parsePlainPath(request.path)
  const limit = Math.min(request.limit, limits.listPageEntries)
  if (limit < 1) throw new AshlarError('invalid-argument', `Cannot list "${path.text}": a page of ${limit} entries`)
  return context.kv.transact(async (tx) => {
    const directory = await resolveDirectory(tx, path.names)
    const prefix = entryPrefix(directory.inode, request.prefix ?? '')
    // The marker has the empty name, so even a listing from the start begins after it.
    const after = Buffer.concat([entryKey(directory.inode, request.after), Buffer.from([0])])
    const start = Buffer.compare(after, prefix) > 0 ? after : prefix
    const end = prefixEnd(prefix)
    if (Buffer.compare(start, end) >= 0) return { entries: [], more: false }
    const rows = await tx.range({ start, end, limit: limit + 1 })
    const { wantXattrs = false } = request
    const page = fittingPage(rows.slice(0, limit), wantXattrs)
    const inodes = page.flatMap(({ entry }) => entry.inode ?? [])
    const counters = await tx.getMany(inodes.map(directoryCountersKey))
    const countersOf = new Map(inodes.map((inode, index) => [inode, readDirectoryCounters(counters[index])]))
    const policy = await policyInForce(tx, context, directory)
    const shown = await withoutHollow(tx, page, countersOf)
    const more = rows.length > page.length
    return {
      entries: shown.map(({ name, entry }) => ({
        name: entry.kind === 'directory' ? name.slice(0, -1) : name,
        attributes: attributesOf(entry, {
          policy: entry.policy ?? policy,
          counters: entry.inode === undefined ? undefined : countersOf.get(entry.inode),
          wantXattrs,
        }),
      })),
      more,
      next: more ? page.at(-1)?.name : undefined,
    }
  })
}

async function withoutHollow(
  tx: Transaction,
  page: readonly Listed[],
  countersOf: ReadonlyMap<InodeId, DirectoryCounters>,
): Promise<readonly Listed[]> {
  const shown: Listed[] = []
  for (const listed of page) {
    const { implicit, inode } = listed.entry
    // Mostly the counters tell.
    const holdsFile = implicit !== true || inode === undefined || hasFiles(countersOf.get(inode))
    if (holdsFile || !(await isHollow(tx, listed.entry))) shown.push(listed)
  }
  return shown
}

function hasFiles({ files, versions }: DirectoryCounters = noCounters): boolean {
  return files > 0 || versions > 0
}

/** As many rows as one answer takes, at least one. */
function fittingPage(rows: readonly KeyValue[], wantXattrs: boolean): readonly Listed[] {
  const page: Listed[] = []
  let sizeBytes = 0
  for (const { key, value } of rows) {
    const entry = entryRow.decode(value)
    sizeBytes += key.length + (entry.owner?.length ?? 0) * 4 + (entry.ownerGroup?.length ?? 0) * 4 + fixedBytes
    // A row holds its extended attributes, and little else of note.
    if (wantXattrs) sizeBytes += value.length
    if (page.length > 0 && sizeBytes > pageBytes) break
    page.push({ name: entryName(key), entry })
  }
  return page
}

interface Listed {
  readonly name: string
  readonly entry: Entry
}

/** More than the numbers of an entry take in an answer. */
const fixedBytes = 160
const pageBytes = limits.frameHeadBytes / 2

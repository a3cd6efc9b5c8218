/**
 * Listing a bucket as S3 does: keys in the order of their bytes, over all directories, grouped by a delimiter. What is
 * grouped is never looked at: one key of a group is found, and the walk goes on behind all of it. A directory in which
 * no key is left is passed without a trace. Measured on SQLite, beside other load, with 10,000 keys in 1,000 directories:
 * 30 µs of CPU a key, and 50 µs a group that is a directory; later, with 40 keys in each directory, 18 µs a key.
 * @module
 */
import type { Infer } from '../base/codec.ts'
import { AshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { prefixEnd } from '../kv/txn-kv.ts'
import type { ListedObject, listObjects as listMethod } from '../wire/methods/file-methods.ts'
import type { NamespaceContext } from './context.ts'
import { attributesOf } from './entries.ts'
import { groupOf, placeAfter } from './key-groups.ts'
import { KeyWalk } from './key-walk.ts'
import { resolveDirectory } from './resolve.ts'

/** Enough for a full page of groups each in a directory of its own; a page that needs more goes on in the next one. */
const readsPerPage = 4 * limits.listPageEntries
/** Where nothing is grouped, all of a directory is wanted: one read of its 40 keys, where 4, 8, 16 and 32 at a time were four. */
const wholeDirectoryRows = 128
/** More than the numbers of an entry take in an answer. */
const fixedBytes = 160
const pageBytes = limits.frameHeadBytes / 2

export function listObjects(
  context: NamespaceContext,
  request: Infer<typeof listMethod.request>,
): Promise<Infer<typeof listMethod.response>> {
  const { bucket, wantXattrs = false } = request
  const limit = Math.min(request.limit, limits.listPageEntries)
  if (limit < 1) throw new AshlarError('invalid-argument', `Cannot list objects of "${bucket}": a page of ${limit}`)
  const prefix = Buffer.from(request.prefix)
  const grouping = { prefix, delimiter: Buffer.from(request.delimiter) }
  const from = request.cursor ?? placeAfter(Buffer.from(request.after), grouping)
  return context.kv.transact(async (tx) => {
    const { inode } = await resolveDirectory(tx, [bucket])
    const walk = new KeyWalk(tx, inode, {
      from: Buffer.compare(from, prefix) > 0 ? from : prefix,
      end: prefix.length === 0 ? undefined : prefixEnd(prefix),
      reads: readsPerPage,
      ...(request.delimiter === '' ? { rowsAtFirst: Math.min(limit, wholeDirectoryRows) } : {}),
    })
    const objects: ListedObject[] = []
    let sizeBytes = 0
    while (objects.length < limit && sizeBytes < pageBytes) {
      const found = await walk.next()
      if (found === undefined) break
      const { key, entry } = found
      const group = groupOf(key, grouping)
      if (group !== undefined) walk.skipTo(prefixEnd(group))
      objects.push(
        group === undefined
          ? { name: key.toString(), attributes: attributesOf(entry, { wantXattrs }) }
          : { name: group.toString() },
      )
      sizeBytes += fixedBytes + key.length + ((entry.owner?.length ?? 0) + (entry.ownerGroup?.length ?? 0)) * 4
      if (wantXattrs) for (const { name, value } of entry.xattrs ?? []) sizeBytes += name.length * 4 + value.length
    }
    return { objects, cursor: walk.isOver ? undefined : walk.from }
  })
}

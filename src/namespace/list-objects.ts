/**
 * Listing a bucket as S3 does: keys in the order of their bytes, over all directories, grouped by a delimiter. What is
 * grouped is never looked at: one key of a group is found, and the walk goes on behind all of it. A directory in which
 * no key is left is passed without a trace. Measured on SQLite, beside other load, with 10,000 keys in 1,000 directories:
 * 30 µs of CPU a key, and 50 µs a group that is a directory; later, with 40 keys in each directory, 18 µs a key; without objects
 * between the rows and the answer, and rows read in few calls, 8.
 * @module
 */
import { ByteWriter } from '../base/byte-writer.ts'
import type { Infer } from '../base/codec.ts'
import { AshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { prefixEnd } from '../kv/txn-kv.ts'
import { listObjects as listMethod } from '../wire/methods/file-methods.ts'
import type { NamespaceContext } from './context.ts'
import { groupOf, placeAfter } from './key-groups.ts'
import { KeyWalk } from './key-walk.ts'
import { listedPage, writeListedObject } from './listed-object.ts'
import { resolveDirectory } from './resolve.ts'

/** Enough for a full page of groups each in a directory of its own; a page that needs more goes on in the next one. */
const readsPerPage = 4 * limits.listPageEntries
/** Where nothing is grouped, all of a directory is wanted: one read of its 40 keys, where 4, 8, 16 and 32 at a time were four. */
const wholeDirectoryRows = 128
const pageBytes = limits.frameHeadBytes / 2

export async function listObjects(
  context: NamespaceContext,
  request: Infer<typeof listMethod.request>,
): Promise<Infer<typeof listMethod.response>> {
  return listMethod.response.decode(await encodeObjects(context, request))
}

/** As {@link listObjects}: the response as its struct encodes it, made of rows without objects in between. */
export function encodeObjects(context: NamespaceContext, request: Infer<typeof listMethod.request>): Promise<Buffer> {
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
    const objects = new ByteWriter(limit * (wantXattrs ? 512 : 128))
    let count = 0
    while (count < limit && objects.length < pageBytes) {
      const found = await walk.next()
      if (found === undefined) break
      const { key, row } = found
      const group = groupOf(key, grouping)
      if (group === undefined) writeListedObject(objects, { name: key, entry: row, wantXattrs })
      else {
        walk.skipTo(prefixEnd(group))
        writeListedObject(objects, { name: group, wantXattrs })
      }
      count++
    }
    return listedPage({ count, objects: objects.finish() }, walk.isOver ? undefined : walk.from)
  })
}

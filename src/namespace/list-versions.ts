/** Listing the versions of a bucket's keys, as `list-objects.ts` lists the keys. @module */
import { bytes, field, type Infer, optional, struct, uint } from '../base/codec.ts'
import { AshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { objectPath } from '../base/object-path.ts'
import { prefixEnd, type Transaction } from '../kv/txn-kv.ts'
import type { ListedVersion, listVersions as listMethod } from '../wire/methods/version-methods.ts'
import type { NamespaceContext } from './context.ts'
import { attributesOf } from './entries.ts'
import { type Grouping, groupOf, placeAfter } from './key-groups.ts'
import { entryKey } from './keys.ts'
import { parsePath } from './paths.ts'
import { imagineMissing, lastName, resolveDirectory, resolveParent } from './resolve.ts'
import { entryRow, readRow } from './rows.ts'
import { currentVersion, VersionWalk, type WalkPlace } from './version-walk.ts'
import { findOlder, versionNameOf } from './versions.ts'

const readsPerPage = 8 * limits.listPageEntries
/** More than the numbers of an entry take in an answer. */
const fixedBytes = 200
const pageBytes = limits.frameHeadBytes / 2

const cursorStruct = struct('versions cursor', 1, {
  key: field(1, bytes(limits.pathBytes + 1)),
  below: optional(2, uint),
})

type Request = Infer<typeof listMethod.request>

export function listVersions(context: NamespaceContext, request: Request): Promise<Infer<typeof listMethod.response>> {
  const { bucket, wantXattrs = false } = request
  const limit = Math.min(request.limit, limits.listPageEntries)
  if (limit < 1) throw new AshlarError('invalid-argument', `Cannot list versions of "${bucket}": a page of ${limit}`)
  const prefix = Buffer.from(request.prefix)
  const grouping = { prefix, delimiter: Buffer.from(request.delimiter) }
  return context.kv.transact(async (tx) => {
    const { inode } = await resolveDirectory(tx, [bucket])
    const from = await placeOf(tx, request, grouping)
    const walk = new VersionWalk(tx, inode, {
      from: Buffer.compare(from.key, prefix) < 0 ? { key: prefix } : from,
      end: prefix.length === 0 ? undefined : prefixEnd(prefix),
      reads: readsPerPage,
    })
    const versions: ListedVersion[] = []
    let sizeBytes = 0
    while (versions.length < limit && sizeBytes < pageBytes) {
      const found = await walk.next()
      if (found === undefined) break
      const { key, entry, isLatest } = found
      const group = groupOf(key, grouping)
      if (group !== undefined) walk.skipTo(prefixEnd(group))
      versions.push(
        group === undefined
          ? { name: key.toString(), attributes: attributesOf(entry, { wantXattrs }), isLatest }
          : { name: group.toString() },
      )
      sizeBytes += fixedBytes + key.length + ((entry.owner?.length ?? 0) + (entry.ownerGroup?.length ?? 0)) * 4
      if (wantXattrs) for (const { name, value } of entry.xattrs ?? []) sizeBytes += name.length * 4 + value.length
    }
    return { versions, cursor: walk.isOver ? undefined : cursorStruct.encode(walk.place) }
  })
}

async function placeOf(
  tx: Transaction,
  { bucket, after, afterVersion, cursor }: Request,
  grouping: Grouping,
): Promise<WalkPlace> {
  if (cursor !== undefined) return cursorStruct.decode(cursor)
  const behind = { key: placeAfter(Buffer.from(after), grouping) }
  if (afterVersion === undefined || after === '') return behind
  const number = await numberIn(tx, objectPath(bucket, after), afterVersion)
  return number === undefined ? behind : { key: Buffer.from(after), below: number }
}

/** Where a version stands among those of its key; one that is gone stood by its name. */
async function numberIn(tx: Transaction, text: string, name: number): Promise<number | undefined> {
  const path = parsePath(text)
  const parent = await resolveParent(tx, path, imagineMissing)
  const keyName = lastName(path)
  const current = await readRow(tx, entryRow, entryKey(parent.inode, keyName))
  if (current !== undefined && versionNameOf(current) === name) return currentVersion
  const older = await findOlder(tx, { directory: parent.inode, keyName }, name)
  return older?.number ?? (name === 0 ? undefined : name)
}

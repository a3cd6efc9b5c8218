/** What is in trash below a path: by path, newest first per path, in pages of one transaction each. @module */
import type { Infer } from '../base/codec.ts'
import { AshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Rising } from '../base/rising.ts'
import { prefixEnd, type Transaction } from '../kv/txn-kv.ts'
import type { listTrash as listTrashMethod, TrashEntry } from '../wire/methods/file-methods.ts'
import { nowMs } from './change.ts'
import type { NamespaceContext } from './context.ts'
import { attributesOf } from './entries.ts'
import { trashBelowPrefix, trashIdOf, trashKey, trashPathPrefix } from './keys.ts'
import { type Path, parsePath } from './paths.ts'
import { type TrashRow, trashRow } from './rows.ts'

export function listTrash(
  context: NamespaceContext,
  request: Infer<typeof listTrashMethod.request>,
): Promise<Infer<typeof listTrashMethod.response>> {
  const path = parsePath(request.path)
  const limit = Math.min(request.limit, limits.listPageEntries)
  if (limit < 1) throw new AshlarError('invalid-argument', `Cannot list trash: a page of ${limit} entries`)
  return context.kv.transact(async (tx) => {
    const { found, more } = await scanTrash(tx, path, { after: request.cursor, limit })
    const entries: TrashEntry[] = []
    let sizeBytes = 0
    for (const { trash, row } of found) {
      sizeBytes += row.path.length * 3 + entryBytes
      if (sizeBytes > pageBytes && entries.length > 0) break
      entries.push({
        trash,
        path: row.path,
        attributes: attributesOf(row.entry),
        deletedMs: row.deletedMs,
        keptForMs: Math.max(0, row.dueMs - nowMs(context)),
        reason: row.reason,
      })
    }
    const isCut = more || entries.length < found.length
    return { entries, cursor: isCut ? found[entries.length - 1]?.key : undefined }
  })
}

/** More than the numbers and owners of an entry take in an answer. */
const entryBytes = 2_200
const pageBytes = limits.frameHeadBytes / 2

export interface Trashed {
  readonly key: Buffer
  readonly trash: Rising
  readonly row: TrashRow
}

/** Trash of the path and below it, after the key `after`. A page may be short although there is more. */
export async function scanTrash(
  tx: Transaction,
  path: Path,
  { after, limit }: { readonly after?: Buffer | undefined; readonly limit: number },
): Promise<{ readonly found: readonly Trashed[]; readonly more: boolean }> {
  const below = path.names.length === 0 ? '/' : `${path.text}/`
  const found: Trashed[] = []
  for (const prefix of [trashPathPrefix(path.text), trashBelowPrefix(below)]) {
    const end = prefixEnd(prefix)
    const start = after !== undefined && Buffer.compare(after, prefix) >= 0 ? Buffer.concat([after, zero]) : prefix
    if (Buffer.compare(start, end) >= 0) continue
    const rows = await tx.range({ start, end, limit: limit - found.length + 1 })
    for (const { key, value } of rows) {
      if (found.length === limit) return { found, more: true }
      const row = trashRow.decode(value)
      // Keys hold only the beginning of a very long path.
      if (row.path === path.text || row.path.startsWith(below)) found.push({ key, trash: trashIdOf(key), row })
    }
    if (found.length === limit && rows.length > limit) return { found, more: true }
  }
  return { found, more: false }
}

/** The newest trash of exactly this path, or the one of this number. */
export async function findTrash(tx: Transaction, path: Path, trash: Rising | undefined): Promise<Trashed | undefined> {
  const prefix = trashPathPrefix(path.text)
  const start = trash === undefined ? prefix : trashKey(path.text, trash)
  const end = trash === undefined ? prefixEnd(prefix) : Buffer.concat([start, zero])
  // More than one only where very long paths share the beginning that keys hold, or where others have the path.
  for (const { key, value } of await tx.range({ start, end, limit: trash === undefined ? sharedKeys : 1 })) {
    const row = trashRow.decode(value)
    // An object's path is also that of a directory that was removed.
    if (row.path === path.text && !(path.isObject && row.entry.inode !== undefined))
      return { key, trash: trashIdOf(key), row }
  }
  return undefined
}

const sharedKeys = 16
const zero = Buffer.from([0])

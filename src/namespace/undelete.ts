/**
 * Out of trash again: back to a path, or gone for good. Undelete finds what had the path by the path, so it also brings
 * back what was in a directory that was made anew since. A row in trash proves that nothing of it was purged: purging
 * removes the row first.
 * @module
 */
import type { Infer } from '../base/codec.ts'
import { AshlarError, isAshlarError } from '../base/errors.ts'
import type { Rising } from '../base/rising.ts'
import { prefixEnd, type Transaction } from '../kv/txn-kv.ts'
import { emptyTrash as emptyMethod, undelete as undeleteMethod } from '../wire/methods/file-methods.ts'
import type { Change } from './change.ts'
import type { NamespaceContext } from './context.ts'
import { resolveDirectoryFor } from './directories.ts'
import { attributesOf } from './entries.ts'
import { alreadyExists, isDirectory } from './failures.ts'
import { trashDueKey, trashKey, trashPathPrefix } from './keys.ts'
import { findTrash, scanTrash, type Trashed } from './list-trash.ts'
import { type Path, parseEntryPath, parsePath } from './paths.ts'
import { entriesPerStep, purgeEntry } from './purge.ts'
import { makeWay } from './replacing.ts'
import { applyOnce } from './requests.ts'
import { find, lastName, lookup } from './resolve.ts'
import { type Entry, trashDueRow, trashRow } from './rows.ts'
import { bytesInTrash, clearHollow, countTrash, placeEntry, takeFromTrash } from './trash.ts'
import { checkStaysOnTop } from './version-locks.ts'
import { promoteVersion, takeOlder } from './versions.ts'

export function undelete(
  context: NamespaceContext,
  request: Infer<typeof undeleteMethod.request>,
): Promise<Infer<typeof undeleteMethod.response>> {
  const path = parseEntryPath(request.path, 'undelete')
  const target = request.to === undefined ? path : parseEntryPath(request.to, 'undelete to')
  return applyOnce(context, undeleteMethod, request, async (change) => {
    const isPlain = request.trash === undefined && request.to === undefined
    const uncovered = isPlain ? await uncover(change, path) : undefined
    if (uncovered !== undefined) return { attributes: attributesOf(uncovered), path: path.text }
    const trashed = await findTrash(change.tx, path, request.trash)
    if (trashed === undefined) throw await notInTrash(change.tx, path)
    const { row, trash } = trashed
    const isTree = row.entry.inode !== undefined
    if (target.isObject && isTree) throw isDirectory(target.text)
    checkStaysOnTop(row.entry, target)
    const parent = await resolveDirectoryFor(change, target, true)
    const found = await lookup(change.tx, parent, target)
    if (found !== undefined && found.entry.kind !== 'marker') throw alreadyExists(target.text)
    if (isTree) await clearHollow(change, parent, target)
    takeFromTrash(change, trash, row)
    // Of a tree that is not counted yet: nothing.
    countTrash(change, row, -1)
    await makeWay(change, { parent, keyName: lastName(target), path: target.text }, undefined)
    const entry = await placeEntry(change, { parent, name: lastName(target) }, row.entry)
    return { attributes: attributesOf(entry), path: target.text }
  })
}

/**
 * Where versions are kept, what removed a file is a delete marker on top of it: without that, it is back as it was.
 * @returns undefined: there is none, or it is not what the request is about
 */
async function uncover(change: Change, path: Path): Promise<Entry | undefined> {
  for (let markers = 0; markers < mostMarkers; markers++) {
    const found = await find(change.tx, path, { orMarker: true }).catch((error: unknown) => {
      if (isAshlarError(error, 'not-found', 'not-a-directory')) return undefined
      throw error
    })
    if (found?.entry.kind !== 'delete-marker' || found.older === undefined) return undefined
    const place = { ...found, path: path.text }
    takeOlder(change, place, { entry: found.entry, number: found.older })
    const back = await promoteVersion(change, place)
    if (back !== undefined) return back
  }
  return undefined
}

/** One on the other, of a name that was removed again and again. */
const mostMarkers = 256

/** Takes at most a step's entries for good; a large tree that is not yet counted is made due. */
export function emptyTrash(
  context: NamespaceContext,
  request: Infer<typeof emptyMethod.request>,
): Promise<Infer<typeof emptyMethod.response>> {
  const path = parsePath(request.path)
  return applyOnce(
    context,
    emptyMethod,
    request,
    async (change) => {
      const { found, more } = await findDoomed(change.tx, path, request.trash)
      let lengthBytes = 0
      for (const trashed of found) {
        lengthBytes += bytesInTrash(trashed.row)
        await doom(change, trashed)
      }
      return { entries: found.length, lengthBytes, done: !more }
    },
    { freesRoom: true },
  )
}

async function findDoomed(
  tx: Transaction,
  path: Path,
  trash: Rising | undefined,
): Promise<{ readonly found: readonly Trashed[]; readonly more: boolean }> {
  if (trash !== undefined) {
    const one = await findTrash(tx, path, trash)
    if (one === undefined) throw await notInTrash(tx, path)
    return { found: [one], more: false }
  }
  const found: Trashed[] = []
  let page: Awaited<ReturnType<typeof scanTrash>> | undefined
  do {
    page = await scanTrash(tx, path, { after: page?.found.at(-1)?.key, limit: entriesPerStep })
    // Those made due before wait only to be counted.
    found.push(...page.found.filter(({ row }) => row.dueMs > 0))
  } while (page.more && found.length === 0)
  return { found, more: page.more }
}

async function doom(change: Change, { trash, row }: Trashed): Promise<void> {
  if (row.unmeasured !== true) {
    await purgeEntry(change, trash, row)
    return
  }
  const { tx } = change
  tx.del(trashDueKey(row.dueMs, trash))
  tx.put(trashDueKey(0, trash), trashDueRow.encode({ path: row.path }))
  tx.put(trashKey(row.path, trash), trashRow.encode({ ...row, dueMs: 0 }))
}

/** Names the removed directory that it may be in. */
async function notInTrash(tx: Transaction, path: Path): Promise<AshlarError> {
  for (let depth = path.names.length - 1; depth > 0; depth--) {
    const above = `/${path.names.slice(0, depth).join('/')}`
    const prefix = trashPathPrefix(above)
    if ((await tx.range({ start: prefix, end: prefixEnd(prefix), limit: 1 })).length > 0) {
      return new AshlarError(
        'not-found',
        `Cannot find "${path.text}" in trash: "${above}" is there, which may hold it; undelete that`,
      )
    }
  }
  return new AshlarError(
    'not-found',
    `Cannot find "${path.text}" in trash: nothing was removed from this path, or its time is over`,
  )
}

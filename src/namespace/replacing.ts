/**
 * What becomes of a file whose name is given to another one, or to none: a version where its directory keeps versions,
 * trash elsewhere.
 *
 *                    the file there                              what takes its name
 *     not versioned  trash                                       –
 *     enabled        an older version                            a version with a number
 *     suspended      older version; the null version: trash      the null version
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import type { NewAttributes } from '../wire/types/attributes.ts'
import type { Change } from './change.ts'
import { entryLeft } from './implicit-directories.ts'
import { entryKey } from './keys.ts'
import type { Found } from './place.ts'
import type { Entry } from './rows.ts'
import { moveToTrash, trashOlder } from './trash.ts'
import { hasLock } from './version-locks.ts'
import { coverVersion, findOlderNull, type NamePlace, putDeleteMarker } from './versions.ts'

/** Makes room for what takes the name. @returns whether something went to trash */
export async function makeWay(change: Change, place: NamePlace, found: Found | undefined): Promise<boolean> {
  const { parent, path } = place
  const file = found?.entry.kind === 'file' ? found : undefined
  if (parent.versioning === undefined) {
    if (file !== undefined) await moveToTrash(change, file, { path, reason: 'replaced' })
    return file !== undefined
  }
  // A marker holds nothing to be kept, but a lock may be on it.
  return await clearNull(change, place, found !== undefined && hasLock(found.entry) ? found : file)
}

/**
 * Takes the name from what is there, as a removal of it does. Where versions are kept, a delete marker says so, even
 * where nothing was there.
 */
export async function coverName(
  change: Change,
  place: NamePlace,
  { found, chosen }: { readonly found: Found | undefined; readonly chosen?: NewAttributes | undefined },
): Promise<{ readonly marker: number }> {
  await clearNull(change, place, found)
  const marker = putDeleteMarker(change, place, chosen)
  if (found !== undefined) await entryLeft(change, found)
  return { marker }
}

/**
 * Holds a change of bytes in place to directories that keep no versions: a version is what it is.
 * @throws {AshlarError} `not-supported`
 */
export function checkChangeable({ parent, entry }: Pick<Found, 'parent' | 'entry'>, path: string): void {
  if (parent.versioning !== 'enabled' && entry.objectVersion === undefined) return
  throw new AshlarError(
    'not-supported',
    `Cannot change the bytes of "${path}" in place: its bucket keeps versions; write it whole instead`,
  )
}

/** Of an entry, `path` unknown to whoever writes its row. */
export function checkSameContent(found: Found, entry: Entry): void {
  if (entry.content !== found.entry.content) checkChangeable(found, found.keyName)
}

/** Makes an older version of what is current. A name has one null version: the newer one, but that a marker holds nothing. */
async function cover(change: Change, place: NamePlace, found: Found): Promise<void> {
  const { tx } = change
  const { parent, keyName, entry } = found
  const older = entry.objectVersion === undefined ? await findOlderNull(tx, parent.inode, keyName) : undefined
  if (older !== undefined && entry.kind === 'marker' && !hasLock(entry)) {
    tx.del(entryKey(parent.inode, keyName))
    return
  }
  if (older !== undefined) await trashOlder(change, place, { older, reason: 'replaced' })
  coverVersion(change, found)
}

/** Frees the name as the table says. @returns whether something went to trash */
async function clearNull(change: Change, place: NamePlace, found: Found | undefined): Promise<boolean> {
  const { parent, keyName, path } = place
  if (parent.versioning === 'enabled') {
    if (found !== undefined) await cover(change, place, found)
    return false
  }
  if (found?.entry.objectVersion !== undefined) await cover(change, place, found)
  else if (found?.entry.kind === 'file') {
    await moveToTrash(change, found, { path, reason: 'replaced' })
    return true
  } else if (found !== undefined) {
    // A marker holds nothing to be kept.
    change.tx.del(entryKey(parent.inode, keyName))
  }
  const older = await findOlderNull(change.tx, parent.inode, keyName)
  if (older !== undefined) await trashOlder(change, place, { older, reason: 'replaced' })
  return older?.entry.content !== undefined
}

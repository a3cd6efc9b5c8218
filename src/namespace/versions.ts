/**
 * Versions of files, where a directory keeps them: what is replaced or removed there becomes an older version (a row `V`)
 * instead of trash, and a removal leaves a delete marker. Content moves with its entry, so no chunk is touched.
 *
 * Invariants, between any two transactions:
 * - the file in `D` is newer than all rows `V` of its name; where there is none, the newest `V` is a delete marker;
 * - at most one version of a name is the null version: the one without a number of its own, written while versioning was
 *   not enabled. Where it is older, a row `v` says where.
 *
 * What goes for good goes to trash, as everything does: only what had no bytes (a delete marker) is gone at once.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import type { InodeId } from '../base/ids.ts'
import { prefixEnd, type Transaction } from '../kv/txn-kv.ts'
import type { NewAttributes } from '../wire/types/attributes.ts'
import type { Change } from './change.ts'
import { emptyContent } from './contents.ts'
import { entryKey, nullVersionKey, versionKey, versionNumberOf, versionsOfPrefix } from './keys.ts'
import type { Directory, Found } from './place.ts'
import { decodeRow, type Entry, entryRow, numberRow, readRow } from './rows.ts'
import { defaultRetention } from './version-locks.ts'

/** How requests name the null version. */
export const nullVersion = 0

/** A name in a directory, and how messages call it. */
export interface NamePlace {
  readonly parent: Directory
  readonly keyName: string
  readonly path: string
}

/** A version in a row `V`. */
export interface OlderVersion {
  readonly entry: Entry
  readonly number: number
}

/** The name that requests have for a version. */
export function versionNameOf({ objectVersion = nullVersion }: Entry): number {
  return objectVersion
}

/**
 * What an entry has to become to be written to a directory: a version of its own there, where that gives numbers; and newer
 * than what lies there of its name, also where a tree with versions was moved to a place that keeps none.
 */
export async function asNewest(
  change: Change,
  { parent, keyName }: Pick<NamePlace, 'parent' | 'keyName'>,
  entry: Entry,
): Promise<Entry> {
  if (parent.versioning === undefined && (await newestOlder(change.tx, parent.inode, keyName)) === undefined) {
    return { ...entry, objectVersion: undefined }
  }
  const version = change.issue()
  const { objectLock } = parent
  return {
    ...entry,
    version,
    objectVersion: parent.versioning === 'enabled' ? version : undefined,
    retention: entry.retention ?? (objectLock && defaultRetention(objectLock, change.context.wallMs())),
  }
}

/** A current file becomes the newest older version; its place in `D` is the caller's to fill or to give up. */
export function coverVersion({ tx, tally }: Change, { parent, keyName, entry }: Found): void {
  // The object that making a directory made shows as an empty file, and was never counted as one.
  const isMarker = entry.kind === 'marker'
  const file: Entry = isMarker ? { ...entry, kind: 'file', content: emptyContent(entry.version) } : entry
  if (!isMarker) tally.entry(parent.inode, 'file', file.content?.length ?? 0, -1)
  // Of the null version: higher than those beneath it, since it is newer, and lower than all that come.
  putOlder({ tx, tally }, { parent, keyName, number: file.objectVersion ?? file.version, entry: file })
  tx.del(entryKey(parent.inode, keyName))
}

/** Says that the name was removed: the newest of its versions from now on. @returns its name */
export function putDeleteMarker(change: Change, { parent, keyName }: NamePlace, chosen: NewAttributes = {}): number {
  const version = change.issue()
  const wallMs = change.context.wallMs()
  const { owner, ownerGroup, xattrs } = chosen
  const objectVersion = parent.versioning === 'enabled' ? version : undefined
  putOlder(change, {
    parent,
    keyName,
    number: version,
    entry: {
      ...{ kind: 'delete-marker', version, modifiedMs: wallMs, createdMs: wallMs, mode: 0 },
      ...{ owner, ownerGroup, xattrs, objectVersion },
    },
  })
  return objectVersion ?? nullVersion
}

/** Takes a row out of `V`; the caller keeps its entry somewhere, or lets go of what it holds. */
export function takeOlder({ tx, tally }: Change, place: NamePlace, { entry, number }: OlderVersion): void {
  const { parent, keyName } = place
  tx.del(versionKey(parent.inode, keyName, number))
  if (entry.objectVersion === undefined) tx.del(nullVersionKey(parent.inode, keyName))
  tally.version(parent.inode, entry.content?.length ?? 0, -1)
}

/** After the newest version of a name left `D`: the next one, where it is a file, takes its place. @returns that */
export async function promoteVersion(change: Change, place: NamePlace): Promise<Entry | undefined> {
  const { parent, keyName } = place
  const newest = await newestOlder(change.tx, parent.inode, keyName)
  if (newest === undefined || newest.entry.kind === 'delete-marker') return undefined
  takeOlder(change, place, newest)
  change.tx.put(entryKey(parent.inode, keyName), entryRow.encode(newest.entry))
  change.tally.entry(parent.inode, 'file', newest.entry.content?.length ?? 0, 1)
  return newest.entry
}

export async function newestOlder(
  tx: Transaction,
  directory: InodeId,
  keyName: string | Buffer,
): Promise<OlderVersion | undefined> {
  const prefix = versionsOfPrefix(directory, keyName)
  const [row] = await tx.range({ start: prefix, end: prefixEnd(prefix), limit: 1 })
  return row === undefined ? undefined : { number: versionNumberOf(row.key), entry: entryRow.decode(row.value) }
}

/** The null version, where it is an older one. */
export async function findOlderNull(
  tx: Transaction,
  directory: InodeId,
  keyName: string,
): Promise<OlderVersion | undefined> {
  const pointer = await readRow(tx, numberRow, nullVersionKey(directory, keyName))
  return pointer === undefined ? undefined : await readOlder(tx, { directory, keyName }, pointer.value)
}

/** A version by the name that requests have for it. @returns undefined also for the current one */
export async function findOlder(
  tx: Transaction,
  { directory, keyName }: { readonly directory: InodeId; readonly keyName: string },
  name: number,
): Promise<OlderVersion | undefined> {
  if (name === nullVersion) return findOlderNull(tx, directory, keyName)
  const older = await readOlder(tx, { directory, keyName }, name)
  // The null version stands under a number that is not its name.
  return older?.entry.objectVersion === name ? older : undefined
}

export function noSuchVersion(path: string, name: number): AshlarError {
  const shown = name === nullVersion ? 'null version' : `version ${name}`
  return new AshlarError('not-found', `Cannot find the ${shown} of "${path}": it has none of this name`)
}

async function readOlder(
  tx: Transaction,
  { directory, keyName }: { readonly directory: InodeId; readonly keyName: string },
  number: number,
): Promise<OlderVersion | undefined> {
  const entry = decodeRow(entryRow, await tx.get(versionKey(directory, keyName, number)))
  return entry === undefined ? undefined : { entry, number }
}

function putOlder(
  { tx, tally }: Pick<Change, 'tx' | 'tally'>,
  { parent, keyName, number, entry }: OlderVersion & Pick<NamePlace, 'parent' | 'keyName'>,
): void {
  tx.put(versionKey(parent.inode, keyName, number), entryRow.encode(entry))
  if (entry.objectVersion === undefined) {
    tx.put(nullVersionKey(parent.inode, keyName), numberRow.encode({ value: number }))
  }
  tally.version(parent.inode, entry.content?.length ?? 0, 1)
}

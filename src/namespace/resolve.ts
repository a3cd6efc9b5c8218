/**
 * From a path to its entry, inside a transaction: every `D` row on the way joins the read set, so an operation under a
 * directory that is renamed or removed meanwhile runs again. Nothing on the way is written, so creates do not conflict.
 * @module
 */
import type { InodeId } from '../base/ids.ts'
import type { Transaction } from '../kv/txn-kv.ts'
import { emptyContent } from './contents.ts'
import type { NamespaceContext } from './context.ts'
import { notDirectory, notFound } from './failures.ts'
import { isHollow } from './implicit-directories.ts'
import { keptDirectories } from './kept-rows.ts'
import { entryKey, noInode, rootInode } from './keys.ts'
import type { Path } from './paths.ts'
import type { Directory, Found, FoundDirectory, FoundFile } from './place.ts'
import { type DirectoryEntryRow, entryRow, readRow } from './rows.ts'
import { findOlder, newestOlder, noSuchVersion, versionNameOf } from './versions.ts'

export type { Directory, Found, FoundDirectory, FoundFile } from './place.ts'

export const rootDirectory: Directory = {
  ...{ inode: rootInode, policy: undefined, isImplicit: false },
  ...{ versioning: undefined, objectLock: undefined },
}

/** Makes a directory that is missing on the way. */
export type MakeMissing = (parent: Directory, name: string) => Promise<Directory>

/** Stands for a directory that would be made: it inherits, and holds nothing. */
export const imagineMissing: MakeMissing = (parent) => Promise.resolve({ ...parent, inode: nowhere })

/** An inode that nothing has. */
const nowhere = Number.MAX_SAFE_INTEGER as InodeId

export interface ResolveOptions {
  readonly makeMissing?: MakeMissing | undefined
  /** A file of a directory's name is not in the way. */
  readonly isObject?: boolean
}

/**
 * The directory that `names` lead to.
 * @throws {AshlarError} `not-found`, `not-a-directory`
 */
export async function resolveDirectory(
  tx: Transaction,
  names: readonly string[],
  { makeMissing, isObject = false }: ResolveOptions = {},
): Promise<Directory> {
  let directory = rootDirectory
  for (let depth = 0; depth < names.length; depth++) {
    const name = names[depth] as string
    const entry = keptDirectories.decode(await tx.get(entryKey(directory.inode, `${name}/`)))
    if (entry !== undefined) {
      directory = enter(directory, entry as DirectoryEntryRow)
      continue
    }
    const text = `/${names.slice(0, depth + 1).join('/')}`
    if (!isObject && (await tx.get(entryKey(directory.inode, name))) !== undefined) throw notDirectory(text)
    // A bucket is never made on the way: it may have been removed just now.
    if (makeMissing === undefined || (isObject && depth === 0)) throw notFound(text)
    directory = await makeMissing(directory, name)
  }
  return directory
}

/** The directory that holds the last name of `path`, which is not the root. */
export function resolveParent(tx: Transaction, path: Path, makeMissing?: MakeMissing): Promise<Directory> {
  return resolveDirectory(tx, path.names.slice(0, -1), { makeMissing, isObject: path.isObject })
}

/**
 * What has the last name of `path`. Where a file and a directory have it (S3 may make that), `a` is the file, and the
 * directory is `a/`. A hollow directory is as good as none.
 */
export async function lookup(tx: Transaction, parent: Directory, path: Path): Promise<Found | undefined> {
  const name = lastName(path)
  const file = await readRow(tx, entryRow, entryKey(parent.inode, name))
  if (file !== undefined) return { parent, keyName: name, entry: file }
  return path.isObject ? undefined : lookupDirectory(tx, parent, name)
}

async function lookupDirectory(tx: Transaction, parent: Directory, name: string): Promise<Found | undefined> {
  const entry = await readRow(tx, entryRow, entryKey(parent.inode, `${name}/`))
  if (entry === undefined || (await isHollow(tx, entry))) return undefined
  return { parent, keyName: `${name}/`, entry }
}

/** Which version of a file: by its name. */
export interface WhichVersion {
  readonly objectVersion?: number | undefined
  /** Where nothing has the path any more, the delete marker that says so. */
  readonly orMarker?: boolean | undefined
}

/** The entry of a path. @throws {AshlarError} `not-found`, `not-a-directory` */
export async function find(tx: Transaction, path: Path, which: WhichVersion = {}): Promise<Found> {
  if (path.names.length === 0) return findRoot(tx)
  const parent = await resolveParent(tx, path)
  const isOfVersion = which.objectVersion !== undefined || which.orMarker === true
  const version = isOfVersion ? await findVersion(tx, { parent, path }, which) : undefined
  if (version !== undefined) return version
  const directory = path.directoryOnly ? await lookupDirectory(tx, parent, lastName(path)) : undefined
  const found = directory ?? (await lookup(tx, parent, path))
  if (found === undefined) throw notFound(path.text)
  if (path.directoryOnly && found.entry.kind !== 'directory') throw notDirectory(path.text)
  return found
}

async function findVersion(
  tx: Transaction,
  { parent, path }: { readonly parent: Directory; readonly path: Path },
  { objectVersion }: WhichVersion,
): Promise<Found | undefined> {
  const keyName = lastName(path)
  const current = await readRow(tx, entryRow, entryKey(parent.inode, keyName))
  if (objectVersion === undefined) {
    const newest = current === undefined ? await newestOlder(tx, parent.inode, keyName) : undefined
    return newest && { parent, keyName, entry: newest.entry, older: newest.number }
  }
  if (current !== undefined && versionNameOf(current) === objectVersion) return { parent, keyName, entry: current }
  const older = await findOlder(tx, { directory: parent.inode, keyName }, objectVersion)
  if (older === undefined) throw noSuchVersion(path.text, objectVersion)
  return { parent, keyName, entry: older.entry, older: older.number }
}

export async function findRoot(tx: Transaction): Promise<Found> {
  const entry = await readRow(tx, entryRow, entryKey(noInode, '/'))
  if (entry === undefined) throw notFound('/')
  return { parent: { ...rootDirectory, inode: noInode }, keyName: '/', entry }
}

export function isDirectoryFound(found: Found): found is FoundDirectory {
  return found.entry.kind === 'directory'
}

export function isFileFound(found: Found): found is FoundFile {
  return found.entry.kind === 'file'
}

/** The bytes that a path leads to: those of a directory's marker, which only an object path finds, are none. */
export function readable(found: Found): FoundFile | undefined {
  if (found.entry.kind !== 'marker') return isFileFound(found) ? found : undefined
  return { ...found, entry: { ...found.entry, kind: 'file', content: emptyContent(found.entry.version) } }
}

/** A directory's entry as the directory that it leads to. */
export function enter(parent: Directory, entry: DirectoryEntryRow): Directory {
  return {
    inode: entry.inode,
    policy: entry.policy ?? parent.policy,
    isImplicit: entry.implicit === true,
    versioning: entry.versioning ?? parent.versioning,
    objectLock: entry.objectLock ?? parent.objectLock,
  }
}

/** The name of the policy in force in `directory`. */
export async function policyInForce(tx: Transaction, context: NamespaceContext, directory: Directory): Promise<string> {
  return directory.policy ?? (await findRoot(tx)).entry.policy ?? context.defaultPolicy()
}

export function lastName(path: Path): string {
  return path.names[path.names.length - 1] as string
}

/**
 * From a path to its entry, inside a transaction: every `D` row on the way joins the read set, so an operation under a
 * directory that is renamed or removed meanwhile runs again. Nothing on the way is written, so creates do not conflict.
 * @module
 */
import type { InodeId } from '../base/ids.ts'
import type { Transaction } from '../kv/txn-kv.ts'
import type { NamespaceContext } from './context.ts'
import { notDirectory, notFound } from './failures.ts'
import { entryKey, noInode, rootInode } from './keys.ts'
import type { Path } from './paths.ts'
import { type DirectoryEntryRow, type Entry, entryRow, type FileEntry, readRow } from './rows.ts'

/** A directory as a path led to it. */
export interface Directory {
  readonly inode: InodeId
  /** Of the nearest directory on the way that names one, the root aside. */
  readonly policy: string | undefined
}

export const rootDirectory: Directory = { inode: rootInode, policy: undefined }

/** An entry, and where it stands. */
export interface Found {
  readonly parent: Directory
  /** As in the key: a directory's ends with `/`. */
  readonly keyName: string
  readonly entry: Entry
}

export interface FoundFile extends Found {
  readonly entry: FileEntry
}

export interface FoundDirectory extends Found {
  readonly entry: DirectoryEntryRow
}

/** Makes a directory that is missing on the way. */
export type MakeMissing = (parent: Directory, name: string) => Promise<Directory>

/**
 * The directory that `names` lead to.
 * @throws {AshlarError} `not-found`, `not-a-directory`
 */
export async function resolveDirectory(
  tx: Transaction,
  names: readonly string[],
  makeMissing?: MakeMissing,
): Promise<Directory> {
  let directory = rootDirectory
  for (let depth = 0; depth < names.length; depth++) {
    const name = names[depth] as string
    const entry = await readRow(tx, entryRow, entryKey(directory.inode, `${name}/`))
    if (entry !== undefined) {
      directory = enter(directory, entry as DirectoryEntryRow)
      continue
    }
    const text = `/${names.slice(0, depth + 1).join('/')}`
    if ((await tx.get(entryKey(directory.inode, name))) !== undefined) throw notDirectory(text)
    if (makeMissing === undefined) throw notFound(text)
    directory = await makeMissing(directory, name)
  }
  return directory
}

/** The directory that holds the last name of `path`, which is not the root. */
export function resolveParent(tx: Transaction, path: Path, makeMissing?: MakeMissing): Promise<Directory> {
  return resolveDirectory(tx, path.names.slice(0, -1), makeMissing)
}

/** The entry of this name. Where both have it (S3 may make that), `a` is the file, and the directory is `a/`. */
export async function lookup(tx: Transaction, parent: Directory, name: string): Promise<Found | undefined> {
  const file = await readRow(tx, entryRow, entryKey(parent.inode, name))
  if (file !== undefined) return { parent, keyName: name, entry: file }
  const directory = await readRow(tx, entryRow, entryKey(parent.inode, `${name}/`))
  return directory && { parent, keyName: `${name}/`, entry: directory }
}

/** The entry of a path. @throws {AshlarError} `not-found`, `not-a-directory` */
export async function find(tx: Transaction, path: Path): Promise<Found> {
  if (path.names.length === 0) return findRoot(tx)
  const parent = await resolveParent(tx, path)
  const name = lastName(path)
  const entry = path.directoryOnly ? await readRow(tx, entryRow, entryKey(parent.inode, `${name}/`)) : undefined
  const found = entry === undefined ? await lookup(tx, parent, name) : { parent, keyName: `${name}/`, entry }
  if (found === undefined) throw notFound(path.text)
  if (path.directoryOnly && found.entry.kind !== 'directory') throw notDirectory(path.text)
  return found
}

export async function findRoot(tx: Transaction): Promise<Found> {
  const entry = await readRow(tx, entryRow, entryKey(noInode, '/'))
  if (entry === undefined) throw notFound('/')
  return { parent: { inode: noInode, policy: undefined }, keyName: '/', entry }
}

export function isDirectoryFound(found: Found): found is FoundDirectory {
  return found.entry.kind === 'directory'
}

export function isFileFound(found: Found): found is FoundFile {
  return found.entry.kind === 'file'
}

/** A directory's entry as the directory that it leads to. */
export function enter(parent: Directory, entry: DirectoryEntryRow): Directory {
  return { inode: entry.inode, policy: entry.policy ?? parent.policy }
}

/** The name of the policy in force in `directory`. */
export async function policyInForce(tx: Transaction, context: NamespaceContext, directory: Directory): Promise<string> {
  return directory.policy ?? (await findRoot(tx)).entry.policy ?? context.defaultPolicy()
}

export function lastName(path: Path): string {
  return path.names[path.names.length - 1] as string
}

/**
 * Making directories. Those that somebody asked for hold a marker, an entry with the empty name: they stay when their
 * last file goes. One that is made on the way to an object holds none: see `implicit-directories.ts`.
 * @module
 */

import type { Infer } from '../base/codec.ts'
import type { InodeId } from '../base/ids.ts'
import { type Rising, rising } from '../base/rising.ts'
import { makeDirectory as makeDirectoryMethod } from '../wire/methods/file-methods.ts'
import type { Change } from './change.ts'
import { transactChange } from './change.ts'
import type { NamespaceContext } from './context.ts'
import { attributesOf, defaultDirectoryMode } from './entries.ts'
import { alreadyExists, notDirectory } from './failures.ts'
import { childKey, entryKey, inodeKey, noInode, rootInode } from './keys.ts'
import { type Path, parsePlainPath } from './paths.ts'
import { applyOnce } from './requests.ts'
import {
  type Directory,
  enter,
  findRoot,
  lastName,
  lookup,
  type MakeMissing,
  policyInForce,
  resolveParent,
} from './resolve.ts'
import { type DirectoryEntryRow, type Entry, entryRow, inodeRow, readRow } from './rows.ts'

type MakeDirectoryRequest = Infer<typeof makeDirectoryMethod.request>
type MakeDirectoryResponse = Infer<typeof makeDirectoryMethod.response>

/** Makes the root if it is missing. */
export function initialize(context: NamespaceContext): Promise<void> {
  return transactChange(context, async (change) => {
    const key = entryKey(noInode, '/')
    if ((await change.tx.get(key)) !== undefined) return
    // No number is issued yet; all that will be are greater.
    const version = rising(context.generation, 0)
    change.tx.put(key, entryRow.encode(directoryRow(change, rootInode, { version, mode: defaultDirectoryMode })))
    change.tx.put(inodeKey(rootInode), inodeRow.encode({ kind: 'directory', parent: noInode, name: '' }))
  })
}

export function makeDirectory(
  context: NamespaceContext,
  request: MakeDirectoryRequest,
): Promise<MakeDirectoryResponse> {
  const path = parsePlainPath(request.path)
  return applyOnce(context, makeDirectoryMethod, request, async (change) => {
    const { tx } = change
    if (path.names.length === 0) {
      if (!request.recursive) throw alreadyExists('/')
      return { attributes: attributesOf((await findRoot(tx)).entry), made: false }
    }
    const name = lastName(path)
    const parent = await resolveDirectoryFor(change, path, request.recursive)
    const found = await lookup(tx, parent, path)
    if (found?.entry.kind === 'file') throw request.recursive ? notDirectory(path.text) : alreadyExists(path.text)
    if (found !== undefined && !request.recursive) throw alreadyExists(path.text)
    const entry = await ensureDirectory(change, parent, { name, mode: request.mode })
    const policy = await policyInForce(tx, context, enter(parent, entry as DirectoryEntryRow))
    return { attributes: attributesOf(entry, { policy }), made: found === undefined }
  })
}

/** Makes what is missing on the way to a path. */
function missingMaker(change: Change, { isObject }: { readonly isObject: boolean }): MakeMissing {
  return async (parent, name) => enter(parent, createDirectory(change, parent, { name, isImplicit: isObject }))
}

/** Resolves the parent of a path, making what is missing when `makeParents`; always on the way to an object. */
export function resolveDirectoryFor(change: Change, path: Path, makeParents: boolean): Promise<Directory> {
  return resolveParent(change.tx, path, makeParents || path.isObject ? missingMaker(change, path) : undefined)
}

interface MadeDirectory {
  readonly name: string
  readonly mode?: number | undefined
  readonly isImplicit?: boolean
}

/** The directory of this name, which somebody asked for: it stays from now on, however it was made. */
async function ensureDirectory(change: Change, parent: Directory, made: MadeDirectory): Promise<Entry> {
  const { tx } = change
  const key = entryKey(parent.inode, `${made.name}/`)
  const known = await readRow(tx, entryRow, key)
  if (known?.inode === undefined) return createDirectory(change, parent, made)
  if (known.implicit !== true) return known
  const entry = { ...known, implicit: undefined, mode: made.mode ?? known.mode }
  tx.put(key, entryRow.encode(entry))
  if ((await tx.get(entryKey(known.inode, ''))) === undefined) putMarker(change, { ...entry, inode: known.inode })
  return entry
}

/** The name was read and is absent as a directory, and as what would be in its way. */
function createDirectory(change: Change, parent: Directory, made: MadeDirectory): DirectoryEntryRow {
  const { tx, tally } = change
  const { name, mode = defaultDirectoryMode, isImplicit = false } = made
  const inode = change.issue() as number as InodeId
  const plain = directoryRow(change, inode, { version: change.issue(), mode })
  const row = isImplicit ? { ...plain, implicit: true } : plain
  tx.put(entryKey(parent.inode, `${name}/`), entryRow.encode(row))
  if (!isImplicit) putMarker(change, row)
  placeDirectory(change, inode, parent.inode, name)
  tally.entry(parent.inode, 'directory', 0, 1)
  return row
}

function putMarker({ tx }: Change, { inode, ...row }: DirectoryEntryRow): void {
  tx.put(entryKey(inode, ''), entryRow.encode({ ...row, kind: 'marker', inode: undefined, policy: undefined }))
}

/** Writes where a directory is; `parent` 0: in trash. */
export function placeDirectory({ tx }: Change, inode: InodeId, parent: InodeId, name: string): void {
  tx.put(inodeKey(inode), inodeRow.encode({ kind: 'directory', parent, name }))
  if (parent !== noInode) tx.put(childKey(parent, inode), Buffer.alloc(0))
}

interface NewDirectory {
  readonly version: Rising
  readonly mode: number
}

function directoryRow(change: Change, inode: InodeId, { version, mode }: NewDirectory): DirectoryEntryRow {
  const wallMs = change.context.wallMs()
  return { kind: 'directory', version, modifiedMs: wallMs, createdMs: wallMs, mode, inode }
}

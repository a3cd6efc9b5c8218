/**
 * Making directories. Those made through these operations hold a marker, an entry with the empty name: they stay when
 * their last file goes (a directory that the S3 door makes on the way will have none, and goes with its last entry).
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
import { parsePath } from './paths.ts'
import { applyOnce } from './requests.ts'
import {
  type Directory,
  enter,
  findRoot,
  lastName,
  lookup,
  type MakeMissing,
  policyInForce,
  resolveDirectory,
  resolveParent,
} from './resolve.ts'
import { type DirectoryEntryRow, entryRow, inodeRow } from './rows.ts'

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
  const path = parsePath(request.path)
  return applyOnce(context, makeDirectoryMethod, request, async (change) => {
    const { tx } = change
    if (path.names.length === 0) {
      if (!request.recursive) throw alreadyExists('/')
      return { attributes: attributesOf((await findRoot(tx)).entry), made: false }
    }
    const name = lastName(path)
    const parent = await resolveParent(tx, path, request.recursive ? missingMaker(change) : undefined)
    const found = await lookup(tx, parent, name)
    if (found?.entry.kind === 'file') throw request.recursive ? notDirectory(path.text) : alreadyExists(path.text)
    if (found !== undefined && !request.recursive) throw alreadyExists(path.text)
    const entry = found?.entry ?? createDirectory(change, parent, name, request.mode)
    const policy = await policyInForce(tx, context, enter(parent, entry as DirectoryEntryRow))
    return { attributes: attributesOf(entry, { policy }), made: found === undefined }
  })
}

/** Makes what is missing on the way to a path. */
export function missingMaker(change: Change): MakeMissing {
  return async (parent, name) => enter(parent, createDirectory(change, parent, name))
}

/** Resolves the parent of a path, making what is missing when `makeParents`. */
export function resolveDirectoryFor(
  change: Change,
  names: readonly string[],
  makeParents: boolean,
): Promise<Directory> {
  return resolveDirectory(change.tx, names, makeParents ? missingMaker(change) : undefined)
}

/** The name was read and is absent, as a file and as a directory. */
function createDirectory(change: Change, parent: Directory, name: string, mode?: number): DirectoryEntryRow {
  const { tx, tally } = change
  const inode = change.issue() as number as InodeId
  const row = directoryRow(change, inode, { version: change.issue(), mode: mode ?? defaultDirectoryMode })
  tx.put(entryKey(parent.inode, `${name}/`), entryRow.encode(row))
  tx.put(entryKey(inode, ''), entryRow.encode({ ...row, kind: 'marker', inode: undefined }))
  placeDirectory(change, inode, parent.inode, name)
  tally.entry(parent.inode, 'directory', 0, 1)
  return row
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

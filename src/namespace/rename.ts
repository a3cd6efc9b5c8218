/**
 * Rename of files and directories: one transaction that moves one `D` row. A cycle shows in the paths, since there is
 * one path to a directory; and as every row on both ways is in the read set, two renames that together would make one
 * cannot both commit.
 * A file's version stays, since its content and attributes do; it gets a new one where versions are kept, or lie under the
 * name that it takes. What comes to another top directory counts as made then, as a copy would: rules of a bucket count from its
 * coming, and not from what it was elsewhere.
 * @module
 */
import type { Infer } from '../base/codec.ts'
import { AshlarError } from '../base/errors.ts'
import { rename as renameMethod } from '../wire/methods/file-methods.ts'
import type { Change } from './change.ts'
import type { NamespaceContext } from './context.ts'
import { resolveDirectoryFor } from './directories.ts'
import { attributesOf, checkPrecondition } from './entries.ts'
import { alreadyExists, isDirectory, notDirectory, notEmpty } from './failures.ts'
import { entryLeft, isEmpty } from './implicit-directories.ts'
import { childKey, entryKey } from './keys.ts'
import { type Path, parseEntryPath } from './paths.ts'
import { coverName, makeWay } from './replacing.ts'
import { applyOnce } from './requests.ts'
import { type Directory, type Found, find, lastName, lookup } from './resolve.ts'
import type { Entry } from './rows.ts'
import { checkUnlocked, clearHollow, countInParent, moveToTrash, placeEntry } from './trash.ts'
import { checkStaysOnTop } from './version-locks.ts'

export function rename(
  context: NamespaceContext,
  request: Infer<typeof renameMethod.request>,
): Promise<Infer<typeof renameMethod.response>> {
  const from = parseEntryPath(request.from, 'rename')
  const to = parseEntryPath(request.to, 'rename onto')
  return applyOnce(context, renameMethod, request, async (change) => {
    const source = await find(change.tx, from)
    checkPrecondition(from.text, request.precondition, source.entry)
    if (to.directoryOnly && source.entry.kind === 'file') throw notDirectory(from.text)
    const isObject = from.isObject || to.isObject
    if (isObject && source.entry.kind !== 'file') throw isDirectory(from.text)
    if (from.text === to.text) return { attributes: attributesOf(source.entry) }
    return { attributes: attributesOf(await moveEntry(change, source, { ...request, from, to })) }
  })
}

interface Move {
  readonly from: Path
  readonly to: Path
  readonly replace: boolean
  readonly makeParents: boolean
}

async function moveEntry(change: Change, source: Found, move: Move): Promise<Entry> {
  const { tx } = change
  const { from, to } = move
  const { inode } = source.entry
  if (inode !== undefined && to.text.startsWith(`${from.text}/`)) throw cycle(move)
  const parent = await resolveDirectoryFor(change, to, move.makeParents)
  await checkUnlocked(change, source, { path: from.text })
  checkStaysOnTop(source.entry, to)
  await clearTarget(change, source, parent, move)
  tx.del(entryKey(source.parent.inode, source.keyName))
  if (inode !== undefined) tx.del(childKey(source.parent.inode, inode))
  countInParent(change, source.parent.inode, source.entry, -1)
  await leaveMarker(change, source, from)
  await entryLeft(change, source)
  return await placeEntry(change, { parent, name: lastName(to) }, asArrived(change, source.entry, { from, to, parent }))
}

function asArrived(
  { context }: Change,
  entry: Entry,
  { from, to, parent }: Pick<Move, 'from' | 'to'> & { readonly parent: Directory },
): Entry {
  const comesFromElsewhere = to.names.length > 1 && from.names[0] !== to.names[0]
  const isNewVersion = entry.kind === 'file' && parent.versioning !== undefined
  return comesFromElsewhere || isNewVersion ? { ...entry, createdMs: context.wallMs() } : entry
}

/** Where versions are kept, older ones of the name would show again without one. */
async function leaveMarker(change: Change, { parent, keyName, entry }: Found, from: Path): Promise<void> {
  if (parent.versioning === undefined || entry.inode !== undefined) return
  await coverName(change, { parent, keyName, path: from.text }, { found: undefined })
}

/** Makes room at the target: what may be replaced goes to trash. */
async function clearTarget(change: Change, source: Found, parent: Directory, { to, replace }: Move): Promise<void> {
  const target = await lookup(change.tx, parent, to)
  if (source.entry.inode !== undefined && target === undefined) await clearHollow(change, parent, to)
  const place = { parent, keyName: lastName(to), path: to.text }
  // A marker holds nothing to be kept.
  if (target === undefined || (target.entry.kind === 'marker' && replace)) {
    if (source.entry.inode === undefined) await makeWay(change, place, target)
    return
  }
  if (!replace) throw alreadyExists(to.text)
  if (target.entry.inode !== undefined) {
    if (source.entry.inode === undefined) throw isDirectory(to.text)
    if (!(await isEmpty(change.tx, target.entry.inode))) throw notEmpty(to.text)
  } else if (source.entry.inode !== undefined) throw notDirectory(to.text)
  if (target.entry.inode === undefined) await makeWay(change, place, target)
  else await moveToTrash(change, target, { path: to.text, reason: 'replaced' })
}

function cycle({ from, to }: Move): AshlarError {
  return new AshlarError(
    'invalid-argument',
    `Cannot rename "${from.text}" to "${to.text}": a directory cannot be moved into itself`,
  )
}

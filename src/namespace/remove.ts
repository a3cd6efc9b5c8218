/**
 * Removal: an entry goes to trash in one transaction, however large the tree below it. A file goes beneath a delete marker
 * instead, where its directory keeps versions.
 * @module
 */
import type { Infer } from '../base/codec.ts'
import { AshlarError } from '../base/errors.ts'
import type { Rising } from '../base/rising.ts'
import { remove as removeMethod } from '../wire/methods/file-methods.ts'
import type { Change } from './change.ts'
import type { NamespaceContext } from './context.ts'
import { checkPrecondition } from './entries.ts'
import { notDirectory, notEmpty } from './failures.ts'
import { isEmpty } from './implicit-directories.ts'
import { parseEntryPath } from './paths.ts'
import { coverName } from './replacing.ts'
import { applyOnce } from './requests.ts'
import { type Found, find, readable } from './resolve.ts'
import { moveToTrash } from './trash.ts'

export function remove(
  context: NamespaceContext,
  request: Infer<typeof removeMethod.request>,
): Promise<Infer<typeof removeMethod.response>> {
  const path = parseEntryPath(request.path, 'remove')
  return applyOnce(
    context,
    removeMethod,
    request,
    async (change) => {
      const found = await find(change.tx, path)
      const { kind, inode } = found.entry
      checkPrecondition(path.text, request.precondition, found.entry)
      if (request.only === 'file' && kind === 'directory') throw needsRecursive(path.text)
      if (request.only === 'directory' && kind !== 'directory') throw notDirectory(path.text)
      if (inode !== undefined && !request.recursive && !(await isEmpty(change.tx, inode))) throw notEmpty(path.text)
      const { parent, keyName } = found
      if (parent.versioning !== undefined && inode === undefined) {
        await coverName(change, { parent, keyName, path: path.text }, { found })
        return { trash: notInTrash }
      }
      const removed = kind === 'marker' ? countMarker(change, found) : found
      return { trash: await moveToTrash(change, removed, { path: path.text, reason: 'removed' }) }
    },
    { freesRoom: true },
  )
}

function needsRecursive(path: string): AshlarError {
  const state = 'it is a directory; say recursive (rm -r) to remove it with all that is in it'
  return new AshlarError('is-a-directory', `Cannot remove "${path}": ${state}`)
}

/** Answered where what was removed stays as an older version. */
export const notInTrash = 0 as Rising

/** The object `dir/` that making the directory made: it goes as the empty file that it shows as. */
export function countMarker({ tally }: Change, found: Found): Found {
  tally.entry(found.parent.inode, 'file', 0, 1)
  return readable(found) ?? found
}

/** Removal: an entry goes to trash in one transaction, however large the tree below it. @module */
import type { Infer } from '../base/codec.ts'
import { remove as removeMethod } from '../wire/methods/file-methods.ts'
import type { NamespaceContext } from './context.ts'
import { checkPrecondition } from './entries.ts'
import { isDirectory, notDirectory, notEmpty } from './failures.ts'
import { parseEntryPath } from './paths.ts'
import { isEmpty } from './rename.ts'
import { applyOnce } from './requests.ts'
import { find } from './resolve.ts'
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
      if (request.only === 'file' && kind === 'directory') throw isDirectory(path.text)
      if (request.only === 'directory' && kind !== 'directory') throw notDirectory(path.text)
      if (inode !== undefined && !request.recursive && !(await isEmpty(change.tx, inode))) throw notEmpty(path.text)
      return { trash: await moveToTrash(change, found, { path: path.text, reason: 'removed' }) }
    },
    { freesRoom: true },
  )
}

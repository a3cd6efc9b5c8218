/**
 * The end of a long append: what a hidden inode gathered becomes the end of a file, in one transaction, so that nobody ever
 * sees a part of it. Behind bytes, its extents move into the file's own pages: no bytes, one row for `limits.extentsPerPage`
 * of them (`C` rows stay as they are). Measured with SQLite, 16,384
 * of them: 30 ms. An empty file takes the content as it is.
 * @module
 */
import type { Infer } from '../base/codec.ts'
import { AshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { linkAppend as linkMethod } from '../wire/methods/write-methods.ts'
import { replaceEntry } from './commit.ts'
import { checkCrc, extendContent, takeExtents } from './contents.ts'
import type { NamespaceContext } from './context.ts'
import { attributesOf } from './entries.ts'
import { isDirectory, lengthChanged } from './failures.ts'
import { readHidden, unhide } from './hidden-files.ts'
import { parsePlainFilePath } from './paths.ts'
import { applyOnce } from './requests.ts'
import { find, isFileFound } from './resolve.ts'

export function linkAppend(
  context: NamespaceContext,
  request: Infer<typeof linkMethod.request>,
): Promise<Infer<typeof linkMethod.response>> {
  const path = parsePlainFilePath(request.path)
  const { inode, expectedLength } = request
  return applyOnce(context, linkMethod, request, async (change) => {
    const { tx } = change
    const { session } = request.request
    const { content: hidden } = await readHidden(tx, inode, session)
    if (hidden.length !== request.length) throw lengthChanged(`inode ${inode}`, request.length, hidden.length)
    checkCrc(path.text, hidden.crc, request.crc)
    const found = await find(tx, path)
    if (!isFileFound(found)) throw isDirectory(path.text)
    const { content: old } = found.entry
    if (old.length !== expectedLength) throw lengthChanged(path.text, expectedLength, old.length)
    if (old.length > 0 && hidden.extentCount > limits.extentsPerAppend) {
      throw new AshlarError(
        'too-large',
        `Cannot append to "${path.text}": ${hidden.extentCount} chunks at once are more than ${limits.extentsPerAppend}; append fewer bytes at a time`,
      )
    }
    unhide(change, inode, session)
    const added = { ...hidden, crc: hidden.crc ?? request.crc }
    const content = old.length === 0 ? added : await extendContent(tx, old, await takeExtents(tx, hidden), added.crc)
    const modifiedMs = request.modifiedMs ?? context.wallMs()
    const entry = replaceEntry(change, found, { ...found.entry, version: change.issue(), modifiedMs, content })
    return { attributes: attributesOf(entry, { policy: found.parent.policy }) }
  })
}

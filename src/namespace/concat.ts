/**
 * Concatenation: the extents of the sources move to the end of the target, and the sources are gone, in one transaction.
 * Nothing goes to trash: every byte lives on in the target.
 * @module
 */
import type { Infer } from '../base/codec.ts'
import { AshlarError } from '../base/errors.ts'
import type { ContentId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { concat as concatMethod } from '../wire/methods/file-methods.ts'
import type { Extent } from '../wire/types/extent.ts'
import type { Change } from './change.ts'
import { replaceEntry } from './commit.ts'
import { extendContent, takeExtents } from './contents.ts'
import type { NamespaceContext } from './context.ts'
import { attributesOf } from './entries.ts'
import { isDirectory } from './failures.ts'
import { entryLeft } from './implicit-directories.ts'
import { chunkKey, entryKey } from './keys.ts'
import { type Path, parsePlainFilePath } from './paths.ts'
import { checkChangeable } from './replacing.ts'
import { applyOnce } from './requests.ts'
import { type FoundFile, find, isFileFound } from './resolve.ts'
import { chunkRow, decodeRow } from './rows.ts'

/** Extents that one concatenation moves: their `C` rows are written again. */
const extentsPerConcat = limits.extentsPerPage * 8

export function concat(
  context: NamespaceContext,
  request: Infer<typeof concatMethod.request>,
): Promise<Infer<typeof concatMethod.response>> {
  const path = parsePlainFilePath(request.path)
  const sources = request.sources.map((source) => parsePlainFilePath(source))
  const distinct = new Set([path, ...sources].map(({ text }) => text))
  if (sources.length === 0 || distinct.size !== sources.length + 1) {
    throw new AshlarError('invalid-argument', `Cannot concat to "${path.text}": each path must be named once`)
  }
  return applyOnce(context, concatMethod, request, async (change) => {
    const target = await findFile(change, path)
    let { content } = target.entry
    let left = extentsPerConcat
    for (const source of sources) {
      const found = await findFile(change, source)
      checkChangeable(found, source.text)
      left -= found.entry.content.extentCount
      if (left < 0) {
        throw new AshlarError(
          'too-large',
          `Cannot concat to "${path.text}": the sources have more than ${extentsPerConcat} extents; concat fewer at a time`,
        )
      }
      const extents = await removeSource(change, found, content.id)
      content = await extendContent(change.tx, content, extents, found.entry.content.crc)
    }
    const entry = { ...target.entry, version: change.issue(), modifiedMs: context.wallMs(), content }
    return { attributes: attributesOf(replaceEntry(change, target, entry), { policy: target.parent.policy }) }
  })
}

/** Removes a source, and hands its chunks to another content. */
async function removeSource(change: Change, found: FoundFile, content: ContentId): Promise<Extent[]> {
  const { parent, keyName, entry } = found
  const { tx } = change
  const source = entry.content
  const extents = await takeExtents(tx, source)
  const chunks = [...new Set(extents.map(({ chunk }) => chunk))]
  const rows = await tx.getMany(chunks.map(chunkKey))
  chunks.forEach((chunk, index) => {
    const row = decodeRow(chunkRow, rows[index])
    // A shared chunk stays with the content that brought it.
    if (row?.content !== source.id) return
    const version = row.version ?? (row.content as number as typeof entry.version)
    tx.put(chunkKey(chunk), chunkRow.encode({ ...row, content, version }))
  })
  tx.del(entryKey(parent.inode, keyName))
  change.tally.entry(parent.inode, 'file', source.length, -1)
  await entryLeft(change, found)
  return extents
}

async function findFile(change: Change, path: Path): Promise<FoundFile> {
  const found = await find(change.tx, path)
  if (!isFileFound(found)) throw isDirectory(path.text)
  return found
}

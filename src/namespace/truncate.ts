/**
 * Cutting a file short. The old content goes to trash whole, as a replaced one does, so a cut can be undone through
 * every door: what stays is shared between both (to length 0, nothing is). That costs one `R` row for each chunk that
 * stays, until the trash is purged.
 * @module
 */
import type { Infer } from '../base/codec.ts'
import { AshlarError } from '../base/errors.ts'
import { truncate as truncateMethod } from '../wire/methods/file-methods.ts'
import type { NamespaceContext } from './context.ts'
import { attributesOf, checkPrecondition } from './entries.ts'
import { entryKey } from './keys.ts'
import { parsePlainFilePath } from './paths.ts'
import { checkChangeable } from './replacing.ts'
import type { FoundFile } from './resolve.ts'
import { type Content, entryRow } from './rows.ts'
import { shareStep } from './sharing.ts'
import { moveToTrash } from './trash.ts'

type TruncateResponse = Infer<typeof truncateMethod.response>

/** @throws {AshlarError} `invalid-argument` — the file is shorter: there are no holes */
export async function truncate(
  context: NamespaceContext,
  request: Infer<typeof truncateMethod.request>,
): Promise<TruncateResponse> {
  const path = parsePlainFilePath(request.path)
  const sharing = {
    from: path,
    begin: async (_change: unknown, { entry, parent }: FoundFile) => {
      checkPrecondition(path.text, request.precondition, entry)
      checkChangeable({ parent, entry }, path.text)
      if (request.length > entry.content.length) {
        throw new AshlarError(
          'invalid-argument',
          `Cannot extend "${path.text}" from ${entry.content.length} to ${request.length} bytes: append them instead`,
        )
      }
    },
    lengthOf: () => request.length,
    finish: async (change: Parameters<typeof moveToTrash>[0], source: FoundFile, content: Content) => {
      // The bucket may have been told to keep versions since the first step.
      checkChangeable(source, path.text)
      await moveToTrash(change, source, { path: path.text, reason: 'replaced' })
      const entry = { ...source.entry, version: change.issue(), modifiedMs: context.wallMs(), content }
      change.tx.put(entryKey(source.parent.inode, source.keyName), entryRow.encode(entry))
      change.tally.entry(source.parent.inode, 'file', content.length, 1)
      return { attributes: attributesOf(entry, { policy: source.parent.policy }) }
    },
  }
  // Bounded by the extents of the file: each step takes some, and ends when the file changes.
  for (;;) {
    const response = await shareStep(context, { method: truncateMethod, request }, sharing)
    if (response !== undefined) return response
  }
}

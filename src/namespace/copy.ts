/** Copies a file without moving bytes: its chunks become shared. @module */
import type { Infer } from '../base/codec.ts'
import { copyFile as copyMethod } from '../wire/methods/file-methods.ts'
import { findPlace, foreseePlace, putFile } from './commit.ts'
import type { NamespaceContext } from './context.ts'
import { checkPrecondition } from './entries.ts'
import { parseFilePath } from './paths.ts'
import { shareStep } from './sharing.ts'

/** The copy has the source's mode, owner and extended attributes where the request names none. */
export async function copyFile(
  context: NamespaceContext,
  request: Infer<typeof copyMethod.request>,
): Promise<Infer<typeof copyMethod.response>> {
  const to = parseFilePath(request.to)
  const response = await shareStep(
    context,
    { method: copyMethod, request },
    {
      from: parseFilePath(request.from),
      objectVersion: request.objectVersion,
      begin: async (change, source) => {
        checkPrecondition(request.from, { ifVersion: request.sourceVersion }, source.entry)
        await foreseePlace(change, to, request)
      },
      lengthOf: (source) => source.entry.content.length,
      finish: async (change, source, content) => {
        const { mode, owner, ownerGroup, xattrs } = source.entry
        const { attributes } = request
        const chosen = {
          ...attributes,
          mode: attributes.mode ?? mode,
          owner: attributes.owner ?? owner,
          ownerGroup: attributes.ownerGroup ?? ownerGroup,
          xattrs: attributes.xattrs ?? xattrs,
        }
        const place = await findPlace(change, to, request)
        return { attributes: await putFile(change, place, { version: change.issue(), content, chosen }), done: true }
      },
    },
  )
  return response ?? { done: false }
}

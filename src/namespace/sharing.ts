/**
 * Making a file out of another one's extents without moving bytes: copies, and truncation (which copies what stays, so
 * that the whole old content can go to trash and come back from there).
 *
 * A long list goes in bounded steps: they fill a hidden inode, whose number stands in the request's `Y` row until the
 * answer does, so whoever repeats the request goes on where it was. Each step reads the source by its path, takes one
 * reference to every chunk (each must be live), and aborts, giving all references back, when the source is no longer at
 * the version that the first step saw.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import type { InodeId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Method } from '../wire/method.ts'
import type { RequestId } from '../wire/types/attributes.ts'
import type { Extent } from '../wire/types/extent.ts'
import { type Change, transactChange } from './change.ts'
import { crcOfExtents, emptyContent, extendContent, readExtents } from './contents.ts'
import type { NamespaceContext } from './context.ts'
import { changed, isDirectory } from './failures.ts'
import { makeHidden, readHidden, unhide } from './hidden-files.ts'
import { inodeKey, requestKey, sessionKey } from './keys.ts'
import type { Path } from './paths.ts'
import { dropHidden, shareExtents } from './reclaim.ts'
import { checkMethod, checkSession } from './requests.ts'
import { type FoundFile, find, readable } from './resolve.ts'
import { type Content, decodeRow, inodeRow, requestRow, sessionRow } from './rows.ts'

/** Extents that one step shares. */
const extentsPerStep = limits.extentsPerPage * 2

export interface Sharing<Response> {
  readonly from: Path
  /** Not the current version, but this one. */
  readonly objectVersion?: number | undefined
  /** Refuses early: run by the first step. */
  readonly begin: (change: Change, source: FoundFile) => Promise<void>
  /** Bytes of the source to take, from its start. */
  readonly lengthOf: (source: FoundFile) => number
  /** Gives the content its place, in the transaction of the last step. */
  readonly finish: (change: Change, source: FoundFile, content: Content) => Promise<Response>
}

/** @returns the answer, or undefined: take another step */
export async function shareStep<Request extends { readonly request: RequestId }, Response>(
  context: NamespaceContext,
  { method, request }: { readonly method: Method<Request, Response>; readonly request: Request },
  sharing: Sharing<Response>,
): Promise<Response | undefined> {
  const { session, sequence } = request.request
  const key = requestKey(session, sequence)
  const outcome = await transactChange(
    context,
    async (change): Promise<Outcome<Response>> => {
      const [requestValue, sessionValue] = await change.tx.getMany([key, sessionKey(session)])
      const known = decodeRow(requestRow, requestValue)
      if (known !== undefined) checkMethod(known.method, method.number, request.request)
      if (known?.response !== undefined) return { response: method.response.decode(known.response) }
      checkSession(decodeRow(sessionRow, sessionValue), request.request)
      const source = await findSource(change, sharing, { inode: known?.inode, session })
      if (source instanceof AshlarError) {
        await dropHidden(change, known?.inode as InodeId)
        change.tx.del(key)
        return { failure: source }
      }
      if (known?.inode === undefined) await sharing.begin(change, source)
      const content = await shareMore(change, source, {
        session,
        inode: known?.inode,
        length: sharing.lengthOf(source),
      })
      if (typeof content === 'number') {
        change.tx.put(key, requestRow.encode({ method: method.number, inode: content }))
        return {}
      }
      const response = await sharing.finish(change, source, content)
      change.tx.put(key, requestRow.encode({ method: method.number, response: method.response.encode(response) }))
      return { response }
    },
    {
      // A step that was applied and is run again goes on from the row, so only the last one must be known.
      witness: async (tx) => decodeRow(requestRow, await tx.get(key))?.response !== undefined,
    },
  )
  if (outcome.failure !== undefined) throw outcome.failure
  return outcome.response
}

interface Outcome<Response> {
  readonly response?: Response
  readonly failure?: AshlarError
}

/** The source; once steps were taken, an error where it is not what they saw: they are to be undone. */
async function findSource(
  { tx }: Change,
  { from, objectVersion }: Pick<Sharing<never>, 'from' | 'objectVersion'>,
  { inode, session }: { readonly inode: InodeId | undefined; readonly session: number },
): Promise<FoundFile | AshlarError> {
  try {
    const source = readable(await find(tx, from, { objectVersion }))
    if (source === undefined) throw isDirectory(from.text)
    const seen = inode === undefined ? undefined : (await readHidden(tx, inode, session)).sourceVersion
    if (seen !== undefined && seen !== source.entry.version) throw changed(from.text, seen, source.entry.version)
    return source
  } catch (error) {
    if (inode !== undefined && error instanceof AshlarError) return error
    throw error
  }
}

/** @returns the whole content, out of its hiding; or the hidden inode that waits for more */
async function shareMore(
  change: Change,
  source: FoundFile,
  {
    session,
    inode,
    length,
  }: { readonly session: number; readonly inode: InodeId | undefined; readonly length: number },
): Promise<Content | InodeId> {
  const { tx } = change
  const sourceVersion = source.entry.version
  const before = inode === undefined ? emptyContent(change.issue()) : (await readHidden(tx, inode, session)).content
  const content = await shareSome(change, source.entry.content, { before, length })
  if (content.length === length) {
    if (inode !== undefined) unhide(change, inode, session)
    return length === source.entry.content.length ? { ...content, crc: source.entry.content.crc } : content
  }
  const hidden = inode ?? (await makeHidden(change, session, {}))
  tx.put(inodeKey(hidden), inodeRow.encode({ kind: 'hidden', session, content, sourceVersion }))
  return hidden
}

async function shareSome(
  change: Change,
  source: Content,
  { before, length }: { readonly before: Content; readonly length: number },
): Promise<Content> {
  const extents: Extent[] = []
  let reached = before.length
  while (reached < length && extents.length + limits.extentsPerPage <= extentsPerStep) {
    for (const extent of await readExtents(change.tx, source, before.extentCount + extents.length)) {
      if (reached >= length) break
      const taken = Math.min(extent.length, length - reached)
      extents.push(taken === extent.length ? extent : { ...extent, length: taken })
      reached += taken
    }
  }
  await shareExtents(change, extents)
  return extendContent(change.tx, before, extents, crcOfExtents(extents))
}

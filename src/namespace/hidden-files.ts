/**
 * Files too large for one commit: a hidden inode that belongs to its session takes proven chunks in bounded
 * transactions; the last one only gives it its name, under the precondition. It reads both the inode and the session,
 * so a file whose session ended is never linked: what it holds is reclaimed with the session.
 * @module
 */
import type { Infer } from '../base/codec.ts'
import { AshlarError } from '../base/errors.ts'
import type { InodeId } from '../base/ids.ts'
import type { Transaction } from '../kv/txn-kv.ts'
import {
  abandonFile as abandonMethod,
  type addExtents as addMethod,
  beginFile as beginMethod,
  linkFile as linkMethod,
} from '../wire/methods/write-methods.ts'
import { type Change, transactChange } from './change.ts'
import { findPlace, foreseePlace, putFile } from './commit.ts'
import { checkCrc, crcOfExtents, emptyContent, extendContent } from './contents.ts'
import type { NamespaceContext } from './context.ts'
import { lengthChanged } from './failures.ts'
import { hold } from './holding.ts'
import { heldKey, inodeKey } from './keys.ts'
import { parseFilePath } from './paths.ts'
import { readProof, sortProof, wasApplied } from './proofs.ts'
import { dropHidden } from './reclaim.ts'
import { applyOnce } from './requests.ts'
import { type Content, type Inode, inodeRow, readRow } from './rows.ts'

type BeginFileResponse = Infer<typeof beginMethod.response>

export function beginFile(
  context: NamespaceContext,
  request: Infer<typeof beginMethod.request>,
): Promise<BeginFileResponse> {
  const path = parseFilePath(request.path)
  return applyOnce(context, beginMethod, request, async (change) => {
    await foreseePlace(change, path, request)
    return { inode: await makeHidden(change, request.request.session, {}) }
  })
}

export async function addExtents(
  context: NamespaceContext,
  request: Infer<typeof addMethod.request>,
): Promise<Infer<typeof addMethod.response>> {
  const { inode, extents, expectedLength } = request
  if (extents.length === 0)
    throw new AshlarError('invalid-argument', `Cannot add to inode ${inode}: there are no extents`)
  const proof = sortProof(request)
  return transactChange(
    context,
    async (change) => {
      const rows = await readProof(change, proof)
      if (rows.applied !== undefined) {
        return { length: extents.reduce((sum, extent) => sum + extent.length, expectedLength) }
      }
      const hidden = await readHidden(change.tx, inode, request.request.session)
      if (hidden.content.length !== expectedLength) {
        throw lengthChanged(`inode ${inode}`, expectedLength, hidden.content.length)
      }
      rows.admit(change, { content: hidden.content.id, version: change.issue() })
      const content = await extendContent(change.tx, hidden.content, extents, crcOfExtents(extents))
      change.tx.put(inodeKey(inode), inodeRow.encode({ ...hidden, content }))
      return { length: content.length }
    },
    { witness: (tx) => wasApplied(tx, proof) },
  )
}

export function linkFile(
  context: NamespaceContext,
  request: Infer<typeof linkMethod.request>,
): Promise<Infer<typeof linkMethod.response>> {
  const path = parseFilePath(request.path)
  const { inode } = request
  return applyOnce(context, linkMethod, request, async (change) => {
    const { content } = await readHidden(change.tx, inode, request.request.session)
    if (content.length !== request.length) throw lengthChanged(path.text, request.length, content.length)
    checkCrc(path.text, content.crc, request.crc)
    const place = await findPlace(change, path, request)
    unhide(change, inode, request.request.session)
    const version = change.issue()
    const known = { ...content, crc: content.crc ?? request.crc }
    return { attributes: await putFile(change, place, { version, content: known, chosen: request.attributes }) }
  })
}

export function abandonFile(
  context: NamespaceContext,
  request: Infer<typeof abandonMethod.request>,
): Promise<Record<never, never>> {
  const { inode } = request
  return applyOnce(
    context,
    abandonMethod,
    request,
    async (change) => {
      const row = await readRow(change.tx, inodeRow, inodeKey(inode))
      if (row?.kind === 'hidden' && row.session === request.request.session) await dropHidden(change, inode)
      return {}
    },
    { freesRoom: true },
  )
}

export type HiddenFile = Inode & { readonly content: Content }

/** Makes an empty hidden file that belongs to the session, which the transaction has read. */
export async function makeHidden(change: Change, session: number, more: Partial<Inode>): Promise<InodeId> {
  const inode = change.issue() as number as InodeId
  const content = emptyContent(change.issue())
  change.tx.put(inodeKey(inode), inodeRow.encode({ kind: 'hidden', session, content, ...more }))
  await hold(change.tx, session, 'inode', inode)
  return inode
}

/** @throws {AshlarError} `not-found` — there is none of this session */
export async function readHidden(tx: Transaction, inode: InodeId, session: number): Promise<HiddenFile> {
  const row = await readRow(tx, inodeRow, inodeKey(inode))
  if (row?.kind !== 'hidden' || row.session !== session || row.content === undefined) {
    throw new AshlarError(
      'not-found',
      `Cannot use inode ${inode}: session ${session} has no file of this number in hand`,
    )
  }
  return { ...row, content: row.content }
}

/** Takes the hidden inode away from around its content, which gets a name in the same transaction. */
export function unhide({ tx }: Change, inode: InodeId, session: number): void {
  tx.del(inodeKey(inode))
  tx.del(heldKey(session, 'inode', inode))
}

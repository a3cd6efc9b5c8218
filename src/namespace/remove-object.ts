/** Removing objects as S3 does: a delete marker on top, or one version for good. @module */
import type { Infer } from '../base/codec.ts'
import { AshlarError } from '../base/errors.ts'
import { removeObject as removeMethod } from '../wire/methods/version-methods.ts'
import type { Change } from './change.ts'
import type { NamespaceContext } from './context.ts'
import { resolveDirectoryFor } from './directories.ts'
import { checkPrecondition } from './entries.ts'
import { notFound } from './failures.ts'
import { entryKey } from './keys.ts'
import { type Path, parsePath } from './paths.ts'
import { countMarker } from './remove.ts'
import { coverName } from './replacing.ts'
import { applyOnce } from './requests.ts'
import { type Found, lastName } from './resolve.ts'
import { entryRow, readRow } from './rows.ts'
import { moveToTrash, trashOlder } from './trash.ts'
import { findOlder, type NamePlace, promoteVersion, versionNameOf } from './versions.ts'

type Request = Infer<typeof removeMethod.request>
type Removal = Omit<Request, 'request'>
type Response = Infer<typeof removeMethod.response>

export function removeObject(context: NamespaceContext, request: Request): Promise<Response> {
  const path = parsePath(request.path)
  if (!path.isObject) {
    throw new AshlarError('invalid-argument', `Cannot remove "${path.text}" as an object: its path names a file`)
  }
  return applyOnce(context, removeMethod, request, (change) => removeFrom(change, path, request), { freesRoom: true })
}

/** As {@link removeObject}, in a transaction of the leader's. */
export function removeInside(change: Change, request: Removal): Promise<Response> {
  return removeFrom(change, parsePath(request.path), request)
}

async function removeFrom(change: Change, path: Path, request: Removal): Promise<Response> {
  const { objectVersion, precondition, marker } = request
  // What is made on the way to nothing goes again with the attempt, or holds the marker.
  const parent = await resolveDirectoryFor(change, path, true)
  const place = { parent, keyName: lastName(path), path: path.text }
  const entry = await readRow(change.tx, entryRow, entryKey(parent.inode, place.keyName))
  const found = entry && { parent, keyName: place.keyName, entry }
  if (objectVersion !== undefined) return await removeVersion(change, place, { ...request, objectVersion, found })
  checkPrecondition(path.text, precondition, entry)
  if (parent.versioning !== undefined) {
    const covered = await coverName(change, place, { found, chosen: marker })
    return { objectVersion: covered.marker, isDeleteMarker: true, found: found !== undefined }
  }
  if (found === undefined) throw notFound(path.text)
  return { trash: await trashCurrent(change, place, { found }), isDeleteMarker: false, found: true }
}

async function removeVersion(
  change: Change,
  place: NamePlace,
  request: Removal & { readonly objectVersion: number; readonly found: Found | undefined },
): Promise<Response> {
  const { objectVersion, precondition, bypassGovernance, found } = request
  if (found !== undefined && versionNameOf(found.entry) === objectVersion) {
    checkPrecondition(place.path, precondition, found.entry)
    const trash = await trashCurrent(change, place, { found, bypassGovernance })
    await promoteVersion(change, place)
    return { trash, objectVersion, isDeleteMarker: false, found: true }
  }
  const older = await findOlder(change.tx, { directory: place.parent.inode, keyName: place.keyName }, objectVersion)
  if (older === undefined) throw notFound(place.path)
  checkPrecondition(place.path, precondition, older.entry)
  const trash = await trashOlder(change, place, { older, reason: 'removed', bypassGovernance })
  if (found === undefined) await promoteVersion(change, place)
  const isDeleteMarker = older.entry.kind === 'delete-marker'
  return { trash, objectVersion, isDeleteMarker, found: true }
}

function trashCurrent(
  change: Change,
  { path }: NamePlace,
  { found, bypassGovernance }: { readonly found: Found; readonly bypassGovernance?: boolean | undefined },
) {
  const removed = found.entry.kind === 'marker' ? countMarker(change, found) : found
  return moveToTrash(change, removed, { path, reason: 'removed', bypassGovernance })
}

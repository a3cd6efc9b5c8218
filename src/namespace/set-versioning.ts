/** Making a directory keep versions, and locking them. @module */
import type { Infer } from '../base/codec.ts'
import { AshlarError } from '../base/errors.ts'
import { setObjectLock as lockMethod, setVersioning as versioningMethod } from '../wire/methods/version-methods.ts'
import { replaceEntry } from './commit.ts'
import type { NamespaceContext } from './context.ts'
import { attributesOf } from './entries.ts'
import { isDirectory, notDirectory, notFound } from './failures.ts'
import { parseEntryPath, parsePath } from './paths.ts'
import { applyOnce } from './requests.ts'
import { find } from './resolve.ts'
import { checkPeriods, checkRetentionChange, lockTimeMs } from './version-locks.ts'

/** Only buckets: what keeps versions, and what is locked, is a whole bucket or none of it. */
export function setVersioning(
  context: NamespaceContext,
  request: Infer<typeof versioningMethod.request>,
): Promise<Infer<typeof versioningMethod.response>> {
  const path = parseEntryPath(request.path, 'keep versions in')
  if (path.names.length !== 1 || path.isObject) {
    throw new AshlarError(
      'invalid-argument',
      `Cannot keep versions in "${path.text}": only a top directory, a bucket, can`,
    )
  }
  checkPeriods(request)
  return applyOnce(context, versioningMethod, request, async (change) => {
    const found = await find(change.tx, path)
    if (found.entry.kind !== 'directory') throw notDirectory(path.text)
    const versioning = request.versioning ?? found.entry.versioning
    const objectLock = request.objectLock ?? found.entry.objectLock
    if (objectLock !== undefined && versioning !== 'enabled') {
      throw new AshlarError(
        'invalid-argument',
        `Cannot have object lock in "${path.text}" without versions: they must be enabled, and stay so`,
      )
    }
    const entry = replaceEntry(change, found, { ...found.entry, version: change.issue(), versioning, objectLock })
    return { attributes: attributesOf(entry) }
  })
}

export function setObjectLock(
  context: NamespaceContext,
  request: Infer<typeof lockMethod.request>,
): Promise<Infer<typeof lockMethod.response>> {
  const path = parsePath(request.path)
  checkPeriods(request)
  return applyOnce(context, lockMethod, request, async (change) => {
    const found = await find(change.tx, path, { objectVersion: request.objectVersion })
    const { entry, parent } = found
    if (entry.kind === 'directory') throw isDirectory(path.text)
    if (entry.kind === 'delete-marker') throw notFound(path.text)
    if (parent.objectLock === undefined) {
      throw new AshlarError('invalid-argument', `Cannot lock "${path.text}": its bucket has no object lock`)
    }
    const retention = request.clearRetention === true ? undefined : (request.retention ?? entry.retention)
    const { bypassGovernance = false } = request
    const nowMs = lockTimeMs(context)
    checkRetentionChange(path.text, { before: entry.retention, after: retention }, { nowMs, bypassGovernance })
    const legalHold = request.legalHold ?? entry.legalHold
    const locked = replaceEntry(change, found, { ...entry, version: change.issue(), retention, legalHold })
    return { attributes: attributesOf(locked) }
  })
}

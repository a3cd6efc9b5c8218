/**
 * A prefix of a bucket as it was at a moment: which version of each key was current then, found among the versions that the
 * bucket keeps and what is in trash. The plan is read before anything is done; doing it makes new versions (or takes
 * things from trash) and removes what came later as any removal does, so a rewind can be rewound.
 *
 * Both lists come in the order of keys, so a plan needs memory for one key. It goes as far back as versions and trash do; what came
 * back from trash counts as never gone, since only versions remember that.
 * @module
 */
import { AshlarError, isAshlarError } from '../base/errors.ts'
import { objectPath } from '../base/object-path.ts'
import type { FileSystem, Store, TrashEntry } from './filesystem.ts'
import type { CallOptions } from './options.ts'
import type { RewindOptions, RewindStep } from './versions.ts'

type Calls = Pick<FileSystem, 'copyFile'> & Pick<Store, 'listTrash' | 'undelete' | 'versions'>

/** What is known of one key: from the newest on, and what was its before. */
interface KeyHistory {
  readonly key: string
  readonly versions: readonly Known[]
  readonly trashed: readonly TrashEntry[]
}

interface Known {
  readonly objectVersion: number
  readonly version: number
  readonly createdMs: number
  readonly isDeleteMarker: boolean
  readonly isLatest: boolean
}

export async function* planRewind(
  calls: Calls,
  bucket: string,
  { toMs, prefix = '', signal }: RewindOptions,
): AsyncGenerator<RewindStep, void, undefined> {
  if (!Number.isSafeInteger(toMs) || toMs < 0) {
    throw new AshlarError('invalid-argument', `Cannot rewind ${bucket}: ${toMs} is not a time since 1970`)
  }
  for await (const history of histories(calls, bucket, { prefix, signal })) {
    const step = stepOf(history, toMs)
    if (step !== undefined) yield step
  }
}

/** @returns false: the key was changed after the plan was made, and is left as it is */
export async function applyRewind(
  calls: Calls,
  bucket: string,
  { key, action, source, current, signal }: RewindStep & CallOptions,
): Promise<boolean> {
  const path = objectPath(bucket, key)
  try {
    if (source !== undefined && 'objectVersion' in source) {
      const precondition = current === undefined ? { ifAbsent: true } : { ifVersion: current }
      await calls.copyFile(path, path, { sourceObjectVersion: source.objectVersion, ...precondition, signal })
      return true
    }
    const removed =
      current === undefined ? undefined : await calls.versions.remove(path, { ifVersion: current, signal })
    if (action === 'remove' || source === undefined) return true
    try {
      await calls.undelete(path, { trashId: source.trashId, signal })
    } catch (error) {
      // What was in trash is there no more, so what made room for it comes back.
      if (removed !== undefined) await calls.undelete(path, { trashId: removed.trashId, signal })
      throw error
    }
    return true
  } catch (error) {
    if (isAshlarError(error, 'changed', 'already-exists', 'not-found')) return false
    throw error
  }
}

function stepOf({ key, versions, trashed }: KeyHistory, toMs: number): RewindStep | undefined {
  const kept = versions.find(({ createdMs }) => createdMs <= toMs)
  const lost = trashed
    .filter(({ stats, deletedMs }) => stats.createdMs <= toMs && toMs < deletedMs)
    .sort((a, b) => b.stats.createdMs - a.stats.createdMs)[0]
  const latest = versions.find(({ isLatest }) => isLatest)
  const isThere = latest !== undefined && !latest.isDeleteMarker
  const current = isThere ? latest.version : undefined
  if (lost !== undefined && (kept === undefined || lost.stats.createdMs > kept.createdMs)) {
    const source = { trashId: lost.trashId }
    return { key, action: 'restore', source, current, madeMs: lost.stats.createdMs, why: 'it is in trash' }
  }
  if (kept === undefined || kept.isDeleteMarker) {
    const why = kept === undefined ? 'it was made later' : 'it was removed before'
    return isThere ? { key, action: 'remove', source: undefined, current, madeMs: latest.createdMs, why } : undefined
  }
  if (isThere && latest === kept) return undefined
  const source = { objectVersion: kept.objectVersion }
  return { key, action: 'restore', source, current, madeMs: kept.createdMs, why: 'an older version was current' }
}

/** Of every key of which there is anything, in the order of keys. */
async function* histories(
  calls: Calls,
  bucket: string,
  { prefix, signal }: { readonly prefix: string } & CallOptions,
): AsyncGenerator<KeyHistory, void, undefined> {
  const versions = keyed(versionsOf(calls, bucket, { prefix, signal }))
  const trashed = keyed(trashOf(calls, bucket, { prefix, signal }))
  let left = await versions.next()
  let right = await trashed.next()
  while (left.done !== true || right.done !== true) {
    const order = left.done === true ? 1 : right.done === true ? -1 : compareKeys(left.value.key, right.value.key)
    const ofVersions = order <= 0 && left.done !== true ? left.value : undefined
    const ofTrash = order >= 0 && right.done !== true ? right.value : undefined
    const key = (ofVersions ?? ofTrash)?.key as string
    yield { key, versions: ofVersions?.items ?? [], trashed: ofTrash?.items ?? [] }
    if (ofVersions !== undefined) left = await versions.next()
    if (ofTrash !== undefined) right = await trashed.next()
  }
}

async function* versionsOf(
  { versions }: Calls,
  bucket: string,
  options: { readonly prefix: string } & CallOptions,
): AsyncGenerator<readonly [string, Known], void, undefined> {
  for await (const item of versions.list(bucket, options)) {
    if (!('key' in item)) continue
    const { key, stats, isLatest } = item
    const { objectVersion = 0, version, createdMs, isDeleteMarker } = stats
    yield [key, { objectVersion, version, createdMs, isDeleteMarker, isLatest }]
  }
}

/** Files only: a removed tree is brought back whole, by undelete. */
async function* trashOf(
  calls: Calls,
  bucket: string,
  { prefix, signal }: { readonly prefix: string } & CallOptions,
): AsyncGenerator<readonly [string, TrashEntry], void, undefined> {
  const folder = `/${bucket}/`
  for await (const entry of calls.listTrash(`/${bucket}`, { signal })) {
    const key = entry.path.slice(folder.length)
    if (entry.path.startsWith(folder) && entry.stats.isFile() && key.startsWith(prefix)) yield [key, entry]
  }
}

/** Neighbours of one key, together. */
async function* keyed<Item>(
  items: AsyncIterable<readonly [string, Item]>,
): AsyncGenerator<{ readonly key: string; readonly items: readonly Item[] }, void, undefined> {
  let gathered: { key: string; items: Item[] } | undefined
  for await (const [key, item] of items) {
    if (gathered?.key === key) gathered.items.push(item)
    else {
      if (gathered !== undefined) yield gathered
      gathered = { key, items: [item] }
    }
  }
  if (gathered !== undefined) yield gathered
}

/** By their bytes. */
function compareKeys(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other))
}

/**
 * Turns the parts of an upload into an object without moving a byte: see the states in `uploads.ts`.
 *
 * The chosen parts are compared twice, before and after no part can change any more, so a part that was sent again in between
 * is noticed. Several completes of one upload may run at once, also on other gateways: each step is one transaction that one of
 * them wins, and the others go on from there.
 * Invariant: the object to be is made before the plan that names it, under a name that no other complete uses, and never again.
 * So once it is not there any more it was linked, and nobody puts an empty one in its place.
 * @module
 */
import { combineCrc32 } from '../../../base/crc.ts'
import { AshlarError, isAshlarError } from '../../../base/errors.ts'
import type { AshlarClient, FileStats } from '../../../client/index.ts'
import { S3Error } from '../rules/s3-error.ts'
import { type ObjectRecord, objectXattrs } from './object-record.ts'
import { partName, partsIn, type StoredPart, type Upload, uploadFolder } from './uploads.ts'

/** As many as one transaction of the store joins. */
const joinedAtOnce = 256
const maxAttempts = 64

export interface CompleteOptions {
  /** Chooses from what is there, or refuses. */
  readonly choose: (parts: ReadonlyMap<number, StoredPart>) => readonly StoredPart[]
  readonly recordOf: (chosen: readonly StoredPart[]) => ObjectRecord
  readonly target: string
  /** No other complete has the same: a few random letters. */
  readonly attempt: string
  /** Of the target. */
  readonly precondition: { readonly ifAbsent?: boolean; readonly ifVersion?: number }
  readonly signal: AbortSignal
}

export async function completeUpload(
  client: AshlarClient,
  upload: Upload,
  options: CompleteOptions,
): Promise<{ readonly stats: FileStats; readonly record: ObjectRecord }> {
  const { choose, recordOf, attempt, target, signal } = options
  const folder = uploadFolder(upload)
  const completing = `${folder}/completing`
  const before = await readParts(client, `${folder}/parts`, signal)
  // Refused before anything was changed: the upload stays as it is.
  if (before !== undefined) recordOf(choose(before))
  await freezeParts(client, folder, signal)
  const frozen = (await readParts(client, completing, signal)) ?? new Map<number, StoredPart>()
  const plan =
    (await readPlan(client, folder, signal)) ??
    (await makePlan(client, upload, { frozen, choose, recordOf, attempt, signal }))
  const from = `${folder}/${plan.object}`
  await joinParts(client, { folder, target: from, parts: plan.parts, signal })
  const { precondition } = options
  const stats = await link(client, { from, target, precondition, lock: upload.lock, signal })
  return { stats, record: plan.record }
}

/** What is being joined, kept with what was joined so far. */
interface Plan {
  /** Name of the file that becomes the object. */
  readonly object: string
  readonly record: ObjectRecord
  /** Number and bytes. */
  readonly parts: readonly (readonly [number, number])[]
  /** Of all bytes. */
  readonly crc32: number
}

async function readParts(
  client: AshlarClient,
  folder: string,
  signal: AbortSignal,
): Promise<Map<number, StoredPart> | undefined> {
  const parts = new Map<number, StoredPart>()
  for await (const part of partsIn(client, folder, { after: 0, signal })) parts.set(part.number, part)
  return parts.size === 0 ? undefined : parts
}

/** From here on no part changes. */
async function freezeParts(client: AshlarClient, folder: string, signal: AbortSignal): Promise<void> {
  try {
    await client.rename(`${folder}/parts`, `${folder}/completing`, { replace: false, signal })
  } catch (error) {
    // Another complete did it, or an earlier one that did not get to its end.
    if (!isAshlarError(error, 'not-found', 'already-exists')) throw error
    if (!(await client.exists(`${folder}/completing`, { signal }))) throw gone(folder, error)
  }
}

async function readPlan(client: AshlarClient, folder: string, signal: AbortSignal): Promise<Plan | undefined> {
  try {
    return JSON.parse(await client.readFile(`${folder}/plan`, { encoding: 'utf8', signal })) as Plan
  } catch (error) {
    if (isAshlarError(error, 'not-found')) return undefined
    throw error
  }
}

/** The first plan that is written is the one that every complete of this upload carries out. */
async function makePlan(
  client: AshlarClient,
  upload: Upload,
  {
    frozen,
    choose,
    recordOf,
    attempt,
    signal,
  }: Pick<CompleteOptions, 'choose' | 'recordOf' | 'attempt' | 'signal'> & {
    readonly frozen: ReadonlyMap<number, StoredPart>
  },
): Promise<Plan> {
  const folder = uploadFolder(upload)
  let chosen: readonly StoredPart[]
  try {
    chosen = choose(frozen)
  } catch (error) {
    // The upload is open again.
    await client.rename(`${folder}/completing`, `${folder}/parts`, { signal })
    throw error
  }
  const parts = chosen.map(({ number, info }) => [number, info.stats.size] as const)
  const plan: Plan = { object: `object-${attempt}`, record: recordOf(chosen), parts, crc32: crcOf(chosen) }
  await makeObject(client, { upload, plan, signal })
  try {
    await client.writeFile(`${folder}/plan`, JSON.stringify(plan), { ifAbsent: true, signal })
    return plan
  } catch (error) {
    if (!isAshlarError(error, 'already-exists')) throw error
    const other = await readPlan(client, folder, signal)
    if (other === undefined) throw gone(folder, error)
    return other
  }
}

async function makeObject(
  client: AshlarClient,
  { upload, plan, signal }: { readonly upload: Upload; readonly plan: Plan; readonly signal: AbortSignal },
): Promise<void> {
  const length = plan.parts.reduce((sum, [, size]) => sum + size, 0)
  const xattrs = objectXattrs(plan.record, { length, crc32: plan.crc32 }, { tags: upload.tags, acl: upload.acl })
  const path = `${uploadFolder(upload)}/${plan.object}`
  await client.writeFile(path, '', { ifAbsent: true, xattrs, ...upload.lock, signal })
}

/** Another complete has ended it, or an abort: which, shows in the object. */
function gone(folder: string, cause: unknown): AshlarError {
  return new AshlarError('not-found', `Cannot complete upload ${folder.slice(-32)}: it is not there any more`, {
    cause,
  })
}

/** Joins what is not joined yet. */
async function joinParts(
  client: AshlarClient,
  {
    folder,
    target,
    parts,
    signal,
  }: {
    readonly folder: string
    readonly target: string
    readonly parts: Plan['parts']
    readonly signal: AbortSignal
  },
): Promise<void> {
  let atOnce = joinedAtOnce
  for (let attempt = 0; attempt < maxAttempts + parts.length; attempt++) {
    const joined = await client.stat(target, { signal })
    const next = firstNotJoined(parts, joined.size)
    if (next >= parts.length) return
    const sources = parts.slice(next, next + atOnce).map(([number]) => `${folder}/completing/${partName(number)}`)
    try {
      await client.concat(target, sources, { signal })
    } catch (error) {
      // Many extents a part: fewer parts a transaction.
      if (isAshlarError(error, 'too-large') && atOnce > 1) atOnce = Math.ceil(atOnce / 4)
      // Another complete was faster.
      else if (!isAshlarError(error, 'not-found')) throw error
    }
  }
  throw new AshlarError('busy', 'Cannot complete the upload: it was changed again and again meanwhile')
}

/** Empty parts have nothing to join: they never count as missing. */
function firstNotJoined(parts: Plan['parts'], joinedBytes: number): number {
  let bytes = 0
  let index = 0
  for (; index < parts.length; index++) {
    const size = (parts[index] as readonly [number, number])[1]
    if (size > 0 && bytes + size > joinedBytes) break
    bytes += size
  }
  return index
}

async function link(
  client: AshlarClient,
  {
    from,
    target,
    precondition,
    lock,
    signal,
  }: Pick<CompleteOptions, 'target' | 'precondition' | 'signal'> & {
    readonly from: string
    readonly lock: Upload['lock']
  },
): Promise<FileStats> {
  const { ifAbsent = false, ifVersion } = precondition
  if (ifVersion !== undefined)
    return await client.copyFile(from, target, { ifVersion, makeParents: true, ...lock, signal })
  return await client.rename(from, target, { replace: !ifAbsent, makeParents: true, signal })
}

function crcOf(parts: readonly StoredPart[]): number {
  return parts.reduce((crc, { info: { stats } }) => {
    if (stats.crc32 === undefined) throw new S3Error('InternalError', 'A part has no checksum.')
    return combineCrc32(crc, stats.crc32, stats.size)
  }, 0)
}

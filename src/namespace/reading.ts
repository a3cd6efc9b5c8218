/** Reading a path: its attributes, its extents, its chunks. Each is one transaction that writes nothing. @module */
import type { Infer } from '../base/codec.ts'
import { AshlarError } from '../base/errors.ts'
import { groupOf } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Rising } from '../base/rising.ts'
import type { Transaction } from '../kv/txn-kv.ts'
import type * as methods from '../wire/methods/file-methods.ts'
import type { Policy } from '../wire/types/cluster-map.ts'
import { readExtents } from './contents.ts'
import type { NamespaceContext } from './context.ts'
import { attributesOf } from './entries.ts'
import { isDirectory, notFound } from './failures.ts'
import { directoryCountersKey, groupKey, recordKey } from './keys.ts'
import type { ExtentDescriptions } from './operations.ts'
import { parseFilePath, parsePath } from './paths.ts'
import { areUnderReplicated, owingMembers } from './repairs.ts'
import {
  enter,
  type FoundFile,
  find,
  imagineMissing,
  isDirectoryFound,
  lookup,
  policyInForce,
  readable,
  resolveParent,
  type WhichVersion,
} from './resolve.ts'
import { decodeRow, type Entry, groupRow, numberRow, readRow } from './rows.ts'
import { readDirectoryCounters } from './tally.ts'

const mapVersionKey = recordKey('counter', 'mapVersion')
/** That are given at once with the inline ones. */
const furtherExtents = limits.extentsPerPage - limits.inlineExtents

export function stat(
  context: NamespaceContext,
  request: Infer<typeof methods.stat.request>,
): Promise<Infer<typeof methods.stat.response>> {
  const path = parsePath(request.path)
  return context.kv.transact(async (tx) => {
    const found = await find(tx, path, request)
    const { entry } = found
    const { wantXattrs } = request
    if (isDirectoryFound(found)) {
      const policy = await policyInForce(tx, context, enter(found.parent, found.entry))
      const counters = readDirectoryCounters(await tx.get(directoryCountersKey(found.entry.inode)))
      const { versioning, objectLock } = enter(found.parent, found.entry)
      return { attributes: { ...attributesOf(entry, { policy, counters, wantXattrs }), versioning, objectLock } }
    }
    const policy = await policyInForce(tx, context, found.parent)
    const underReplicated = await isUnderReplicated(tx, entry)
    return { attributes: attributesOf(entry, { policy, wantXattrs, underReplicated }) }
  })
}

export function openFile(
  context: NamespaceContext,
  request: Infer<typeof methods.openFile.request>,
): Promise<Infer<typeof methods.openFile.response>> {
  const path = parsePath(request.path)
  return context.kv.transact(async (tx) => {
    const { entry, parent } = await findFile(tx, path, request)
    const { content } = entry
    const isAllInline = content.extentCount <= limits.inlineExtents
    const further = isAllInline ? [] : await readExtents(tx, content, limits.inlineExtents, furtherExtents)
    return {
      attributes: attributesOf(entry, { policy: parent.policy, wantXattrs: request.wantXattrs }),
      extents: isAllInline ? content.inline : [...content.inline, ...further],
      extentCount: content.extentCount,
      content: content.id,
      mapVersion: await readMapVersion(tx),
    }
  })
}

export function getExtents(
  context: NamespaceContext,
  request: Infer<typeof methods.getExtents.request>,
): Promise<Infer<typeof methods.getExtents.response>> {
  const path = parsePath(request.path)
  return context.kv.transact(async (tx) => {
    const { content } = (await findFile(tx, path, request)).entry
    if (content.id !== request.content) {
      throw new AshlarError('changed', `Cannot read on in "${path.text}": it was replaced meanwhile; open it again`)
    }
    return { extents: await readExtents(tx, content, request.from) }
  })
}

/** The namespace half of `describeChunks`. */
export function describeExtents(
  context: NamespaceContext,
  request: { readonly path: string; readonly from: number },
): Promise<ExtentDescriptions> {
  const path = parsePath(request.path)
  return context.kv.transact(async (tx) => {
    const { content } = (await findFile(tx, path)).entry
    const extents = await readExtents(tx, content, request.from)
    const ids = [...new Set(extents.map(({ chunk }) => groupOf(chunk)))]
    const values = await tx.getMany(ids.map(groupKey))
    const groups = new Map(ids.map((id, index) => [id, decodeRow(groupRow, values[index])?.group]))
    const described = []
    for (const extent of extents) {
      described.push({
        extent,
        group: groups.get(groupOf(extent.chunk)),
        owing: await owingMembers(tx, extent.chunk),
      })
    }
    return { extents: described, extentCount: content.extentCount }
  })
}

/** @see Namespace.resolvePolicy */
export function resolvePolicy(
  context: NamespaceContext,
  text: string,
  { makeParents = false }: { readonly makeParents?: boolean } = {},
): Promise<Policy> {
  const path = parseFilePath(text)
  return context.kv.transact(async (tx) => {
    const parent = await resolveParent(tx, path, makeParents ? imagineMissing : undefined)
    if ((await lookup(tx, parent, path))?.entry.kind === 'directory') throw isDirectory(path.text)
    const name = await policyInForce(tx, context, parent)
    const policy = context.policy(name)
    if (policy === undefined) {
      throw new AshlarError('not-supported', `Cannot write "${path.text}": its directory's policy "${name}" is unknown`)
    }
    return policy
  })
}

export async function readMapVersion(tx: Transaction): Promise<Rising> {
  return ((await readRow(tx, numberRow, mapVersionKey))?.value ?? 0) as Rising
}

async function findFile(
  tx: Transaction,
  path: ReturnType<typeof parsePath>,
  { objectVersion }: WhichVersion = {},
): Promise<FoundFile> {
  const any = await find(tx, path, { objectVersion })
  if (any.entry.kind === 'delete-marker') throw notFound(path.text)
  const found = readable(any)
  if (found === undefined) throw isDirectory(path.text)
  return found
}

/** Looks at the first page of extents; a longer file says it per chunk. */
async function isUnderReplicated(tx: Transaction, { content }: Entry): Promise<boolean> {
  if (content === undefined) return false
  if (await areUnderReplicated(tx, content.inline)) return true
  return areUnderReplicated(tx, await readExtents(tx, content, limits.inlineExtents))
}

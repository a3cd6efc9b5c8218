/**
 * The namespace: files, directories, sessions, allocations and trash, each operation one transaction (or bounded
 * steps of transactions) over a TxnKV. This file is the door; the mechanisms are in the files beside it.
 *
 * Invariants:
 * - Nothing is kept between calls: any number of masters may run these operations on one TxnKV.
 * - A request and a response are exactly the messages of the wire.
 * - A mutation is applied once, however often it is sent: see `requests.ts` (by `Y` rows) and `proofs.ts` (by `C` rows).
 * - What only the leader may do is on {@link Leader}: each of its transactions reads the leader's row first and fails
 *   with `stale-leader` when another one took over.
 *
 * It never waits, times or retries by itself: the master around it does.
 * @module
 */
import { insertAllocation, releaseAllocations } from './allocations.ts'
import { appendFile, commitFile } from './commit.ts'
import { concat } from './concat.ts'
import type { NamespaceContext } from './context.ts'
import { copyFile } from './copy.ts'
import { initialize, makeDirectory } from './directories.ts'
import { readEvents } from './events.ts'
import { fenceRequest } from './fence.ts'
import * as gc from './gc.ts'
import { abandonFile, addExtents, beginFile, linkFile } from './hidden-files.ts'
import { recordKey } from './keys.ts'
import { createLeader } from './leading.ts'
import { linkAppend } from './link-append.ts'
import { listDirectory } from './list.ts'
import { encodeObjects, listObjects } from './list-objects.ts'
import { listTrash } from './list-trash.ts'
import { listVersions } from './list-versions.ts'
import { lock, unlock } from './locks.ts'
import * as mapRows from './map-rows.ts'
import { persistedClusterTimeMs, readLeaderEpoch, reserveIssueBlock, takeLeadership } from './numbers.ts'
import type { Namespace } from './operations.ts'
import { describeExtents, getExtents, openFile, readMapVersion, resolvePolicy, stat } from './reading.ts'
import { remove } from './remove.ts'
import { removeObject } from './remove-object.ts'
import { rename } from './rename.ts'
import { endSession, keepSession, openSession } from './sessions.ts'
import { setAttributes, setXattrs } from './set-attributes.ts'
import { setObjectLock, setVersioning } from './set-versioning.ts'
import { summarize } from './summary.ts'
import { judgeStrays, surveyFiles } from './survey.ts'
import { readTotals, totalsKey } from './tally.ts'
import { truncate } from './truncate.ts'
import { emptyTrash, undelete } from './undelete.ts'

export type * from './operations.ts'

/** @param context what the master lends; its `kv` stays the master's to close */
export function createNamespace(context: NamespaceContext): Namespace {
  const { kv } = context
  // Each is async, so that a request that is refused before its transaction rejects too.
  return {
    openSession: async () => openSession(context),
    keepSession: async (request) => keepSession(context, request),
    endSession: async (request) => {
      await endSession(context, request.session)
      return {}
    },
    lock: async (request) => lock(context, request),
    unlock: async (request) => unlock(context, request),
    fenceRequest: async (request) => fenceRequest(context, request),

    releaseAllocations: async (request) => {
      await releaseAllocations(context, request)
      return {}
    },
    commitFile: async (request) => commitFile(context, request),
    beginFile: async (request) => beginFile(context, request),
    addExtents: async (request) => addExtents(context, request),
    linkFile: async (request) => linkFile(context, request),
    linkAppend: async (request) => linkAppend(context, request),
    appendFile: async (request) => appendFile(context, request),
    abandonFile: async (request) => abandonFile(context, request),

    stat: async (request) => stat(context, request),
    listDirectory: async (request) => listDirectory(context, request),
    listObjects: async (request) => listObjects(context, request),
    encodeObjects: async (request) => encodeObjects(context, request),
    openFile: async (request) => openFile(context, request),
    getExtents: async (request) => getExtents(context, request),
    summarize: async (request) => summarize(context, request),
    listTrash: async (request) => listTrash(context, request),

    makeDirectory: async (request) => makeDirectory(context, request),
    rename: async (request) => rename(context, request),
    remove: async (request) => remove(context, request),
    truncate: async (request) => truncate(context, request),
    concat: async (request) => concat(context, request),
    copyFile: async (request) => copyFile(context, request),
    setAttributes: async (request) => setAttributes(context, request),
    setXattrs: async (request) => setXattrs(context, request),
    undelete: async (request) => undelete(context, request),
    emptyTrash: async (request) => emptyTrash(context, request),

    listVersions: async (request) => listVersions(context, request),
    setVersioning: async (request) => setVersioning(context, request),
    removeObject: async (request) => removeObject(context, request),
    setObjectLock: async (request) => setObjectLock(context, request),

    initialize: async () => initialize(context),
    becomeLeader: async () => createLeader(context, await takeLeadership(context)),
    leaderEpoch: () => kv.transact(readLeaderEpoch),
    reserveIssueBlock: (count) => reserveIssueBlock(context, count),
    persistedClusterTimeMs: async () => persistedClusterTimeMs(context),
    resolvePolicy: async (path, options) => resolvePolicy(context, path, options),
    insertAllocation: async (order) => insertAllocation(context, order),
    getGroups: (page) => kv.transact((tx) => mapRows.getGroups(tx, page)),
    getServers: (page) => kv.transact((tx) => mapRows.getServers(tx, page)),
    mapVersion: () => kv.transact(readMapVersion),
    getSettings: () => kv.transact(mapRows.getSettings),
    getRecord: (name) => kv.transact((tx) => tx.get(recordKey('record', name))),
    describeExtents: async (request) => describeExtents(context, request),
    pageDigests: (group, page) => kv.transact((tx) => gc.pageDigests(tx, group, page)),
    allPageDigests: (page) => kv.transact((tx) => gc.allPageDigests(tx, page)),
    pageChunks: (group, page) => kv.transact((tx) => gc.pageChunks(tx, group, page)),
    pageIsClosed: (group, page) => kv.transact((tx) => gc.pageIsClosed(tx, group, page)),
    judgeStrays: (chunks) => kv.transact((tx) => judgeStrays(tx, chunks)),
    surveyFiles: (part) => kv.transact((tx) => surveyFiles(tx, part)),
    readEvents: (page) => kv.transact((tx) => readEvents(tx, page)),
    totals: async () => readTotals(await kv.transact((tx) => tx.get(totalsKey))),
  }
}

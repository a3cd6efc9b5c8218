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
import * as gc from './gc.ts'
import { abandonFile, addExtents, beginFile, linkFile } from './hidden-files.ts'
import { recordKey } from './keys.ts'
import { createLeader } from './leading.ts'
import { listDirectory } from './list.ts'
import { listTrash } from './list-trash.ts'
import { lock, unlock } from './locks.ts'
import * as mapRows from './map-rows.ts'
import { persistedClusterTimeMs, readLeaderEpoch, reserveIssueBlock, takeLeadership } from './numbers.ts'
import type { Namespace } from './operations.ts'
import { describeExtents, getExtents, openFile, readMapVersion, resolvePolicy, stat } from './reading.ts'
import { remove } from './remove.ts'
import { rename } from './rename.ts'
import { endSession, keepSession, openSession } from './sessions.ts'
import { setAttributes, setXattrs } from './set-attributes.ts'
import { summarize } from './summary.ts'
import { readTotals, totalsKey } from './tally.ts'
import { truncate } from './truncate.ts'
import { emptyTrash, undelete } from './undelete.ts'

export type * from './operations.ts'

/** @param context what the master lends; its `kv` stays the master's to close */
export function createNamespace(context: NamespaceContext): Namespace {
  const { kv } = context
  return {
    openSession: () => openSession(context),
    keepSession: (request) => keepSession(context, request),
    endSession: async (request) => {
      await endSession(context, request.session)
      return {}
    },
    lock: (request) => lock(context, request),
    unlock: (request) => unlock(context, request),

    releaseAllocations: async (request) => {
      await releaseAllocations(context, request)
      return {}
    },
    commitFile: (request) => commitFile(context, request),
    beginFile: (request) => beginFile(context, request),
    addExtents: (request) => addExtents(context, request),
    linkFile: (request) => linkFile(context, request),
    appendFile: (request) => appendFile(context, request),
    abandonFile: (request) => abandonFile(context, request),

    stat: (request) => stat(context, request),
    listDirectory: (request) => listDirectory(context, request),
    openFile: (request) => openFile(context, request),
    getExtents: (request) => getExtents(context, request),
    summarize: (request) => summarize(context, request),
    listTrash: (request) => listTrash(context, request),

    makeDirectory: (request) => makeDirectory(context, request),
    rename: (request) => rename(context, request),
    remove: (request) => remove(context, request),
    truncate: (request) => truncate(context, request),
    concat: (request) => concat(context, request),
    copyFile: (request) => copyFile(context, request),
    setAttributes: (request) => setAttributes(context, request),
    setXattrs: (request) => setXattrs(context, request),
    undelete: (request) => undelete(context, request),
    emptyTrash: (request) => emptyTrash(context, request),

    initialize: () => initialize(context),
    becomeLeader: async () => createLeader(context, await takeLeadership(context)),
    leaderEpoch: () => kv.transact(readLeaderEpoch),
    reserveIssueBlock: (count) => reserveIssueBlock(context, count),
    persistedClusterTimeMs: () => persistedClusterTimeMs(context),
    resolvePolicy: (path, options) => resolvePolicy(context, path, options),
    insertAllocation: (order) => insertAllocation(context, order),
    getGroups: (page) => kv.transact((tx) => mapRows.getGroups(tx, page)),
    getServers: (page) => kv.transact((tx) => mapRows.getServers(tx, page)),
    mapVersion: () => kv.transact(readMapVersion),
    getSettings: () => kv.transact(mapRows.getSettings),
    getRecord: (name) => kv.transact((tx) => tx.get(recordKey('record', name))),
    describeExtents: (request) => describeExtents(context, request),
    pageDigests: (group, page) => kv.transact((tx) => gc.pageDigests(tx, group, page)),
    pageChunks: (group, page) => kv.transact((tx) => gc.pageChunks(tx, group, page)),
    pageIsClosed: (group, page) => kv.transact((tx) => gc.pageIsClosed(tx, group, page)),
    totals: async () => readTotals(await kv.transact((tx) => tx.get(totalsKey))),
  }
}

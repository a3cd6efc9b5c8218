/**
 * The leader's operations: each of its transactions reads the leader's row first, so a master that lost the leadership
 * changes nothing more, however late it notices.
 * @module
 */
import { isAshlarError } from '../base/errors.ts'
import { objectPath } from '../base/object-path.ts'
import type { Rising } from '../base/rising.ts'
import type { Transaction, TransactOptions } from '../kv/txn-kv.ts'
import { expireAllocations } from './allocations.ts'
import { type Change, transactChange } from './change.ts'
import { findPlace, putFile } from './commit.ts'
import { emptyContent } from './contents.ts'
import type { NamespaceContext } from './context.ts'
import { appendEvents } from './events.ts'
import * as gc from './gc.ts'
import { expiryIdOf, expiryKey, recordKey } from './keys.ts'
import * as mapRows from './map-rows.ts'
import { replaceInGroup, settleInGroup } from './member-changes.ts'
import { checkLeader, persistClusterTime } from './numbers.ts'
import type { Leader, Notice, PurgeProgress } from './operations.ts'
import { parseEntryPath, parseFilePath } from './paths.ts'
import { purgeStep } from './purge.ts'
import { removeInside } from './remove-object.ts'
import * as repairs from './repairs.ts'
import { find } from './resolve.ts'
import { endStep, markEnded } from './sessions.ts'
import { moveToTrash } from './trash.ts'

/** Also for what lets servers come back and groups be repaired, which a full disk must not stop (small rows, rewritten in place). */
const freesRoom: TransactOptions = { freesRoom: true }

export function createLeader(context: NamespaceContext, epoch: Rising): Leader {
  const read = <T>(body: (tx: Transaction) => Promise<T>): Promise<T> =>
    context.kv.transact(async (tx) => {
      await checkLeader(tx, epoch)
      return body(tx)
    })
  const change = <T>(body: (change: Change) => Promise<T>, options?: TransactOptions): Promise<T> =>
    transactChange(
      context,
      async (changing) => {
        await checkLeader(changing.tx, epoch)
        return body(changing)
      },
      options,
    )
  return {
    epoch,
    putGroup: (record) => change((changing) => mapRows.putGroup(changing, record)),
    replaceMember: (replacement) => change((changing) => replaceInGroup(changing, replacement), freesRoom),
    settleMember: (settlement) => change((changing) => settleInGroup(changing, settlement), freesRoom),
    removeGroup: (group) => change((changing) => mapRows.removeGroup(changing, group)),
    putServer: (record) => change((changing) => mapRows.putServer(changing, record), freesRoom),
    removeServer: (server) => change((changing) => mapRows.removeServer(changing, server)),
    raiseMapVersion: () => change(async (changing) => mapRows.raiseMapVersion(changing)),
    putSetting: (name, value) => change(async ({ tx }) => tx.put(recordKey('setting', name), Buffer.from(value))),
    putRecord: (name, value) => change(async ({ tx }) => tx.put(recordKey('record', name), value)),
    persistClusterTime: (timeMs) => change(({ tx }) => persistClusterTime(tx, timeMs)),
    expireAllocations: (limit) => change((changing) => expireAllocations(changing, limit), freesRoom),
    expireSessions: (limit) => expireSessions(change, limit),
    purgeDue: (limit) => purgeDue(change, limit),
    dueDeletes: (group, page) => read((tx) => gc.dueDeletes(tx, group, page)),
    groupsWithDeletes: (page) => read((tx) => gc.groupsWithDeletes(tx, page)),
    confirmDeleted: (confirmation) => change((changing) => gc.confirmDeleted(changing, confirmation), freesRoom),
    dropTombstones: (limit) => change((changing) => gc.dropTombstones(changing, limit), freesRoom),
    expireObject: ({ bucket, key, ifVersion, notices, ...named }) => {
      const request = { path: objectPath(bucket, key), precondition: { ifVersion: ifVersion as Rising }, ...named }
      return change(async (changing) => {
        const removed = await removeInside(changing, request)
        for (const notice of notices?.(removed) ?? []) await putNotice(changing, notice)
      }, freesRoom)
    },
    dropUpload: (path) => change((changing) => dropTree(changing, path), freesRoom),
    appendEvents: (events) => change(({ tx }) => appendEvents(tx, events), freesRoom),
    queueRepair: (chunk, server) => change((changing) => repairs.queueLiveRepair(changing, chunk, server)),
    dueRepairs: (page) => change((changing) => repairs.dueRepairs(changing, page)),
    repairDone: (chunk, server) => change((changing) => repairs.repairDone(changing, chunk, server), freesRoom),
  }
}

async function dropTree(change: Change, text: string): Promise<void> {
  const path = parseEntryPath(text, 'drop')
  const found = await find(change.tx, path).catch((error: unknown) => {
    if (isAshlarError(error, 'not-found', 'not-a-directory')) return undefined
    throw error
  })
  if (found !== undefined) await moveToTrash(change, found, { path: path.text, reason: 'removed' })
}

async function putNotice(change: Change, { path: text, xattrs }: Notice): Promise<void> {
  const path = parseFilePath(text)
  const place = await findPlace(change, path, { precondition: {}, makeParents: true })
  const version = change.issue()
  await putFile(change, place, { version, content: emptyContent(version), chosen: { xattrs } })
}

type RunChange = <T>(body: (change: Change) => Promise<T>, options?: TransactOptions) => Promise<T>

/** One session a step: it is marked and its first part emptied, or its next part. */
async function expireSessions(run: RunChange, limit: number): Promise<number> {
  for (let steps = 0; steps < limit; steps++) {
    const isDue = await run(async (change) => {
      const [due] = await change.tx.range({
        start: expiryKey('session', 0, 0),
        end: expiryKey('session', change.nowMs + 1, 0),
        limit: 1,
      })
      if (due === undefined) return false
      const session = expiryIdOf(due.key)
      if (!(await markEnded(change, session))) change.tx.del(due.key)
      await endStep(change, session)
      return true
    }, freesRoom)
    if (!isDue) return steps
  }
  return limit
}

async function purgeDue(run: RunChange, limit: number): Promise<PurgeProgress> {
  let entries = 0
  let chunks = 0
  for (let steps = 0; steps < limit; steps++) {
    const step = await run(purgeStep, freesRoom)
    if (step.idle) return { entries, chunks, more: false }
    entries += step.entries
    chunks += step.chunks
  }
  return { entries, chunks, more: true }
}

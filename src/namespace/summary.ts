/**
 * Totals of a subtree (`du`), from the directories' counters: a bounded number of directories a call, files never.
 * A part counted before a change and one counted after it may be added up; each call by itself is one transaction.
 * @module
 */
import { field, type Infer, list, struct } from '../base/codec.ts'
import type { summarize as summarizeMethod } from '../wire/methods/file-methods.ts'
import type { NamespaceContext } from './context.ts'
import { parsePath } from './paths.ts'
import { find } from './resolve.ts'
import { walkDepth, walkPoint } from './rows.ts'
import { noCounters } from './tally.ts'
import { continueWalk, startWalk, type Walk } from './trees.ts'

const directoriesPerCall = 1024

const cursorStruct = struct('summary cursor', 1, { trail: field(1, list(walkPoint, walkDepth)) })

/** The directory itself is counted. */
export function summarize(
  context: NamespaceContext,
  request: Infer<typeof summarizeMethod.request>,
): Promise<Infer<typeof summarizeMethod.response>> {
  const path = parsePath(request.path)
  return context.kv.transact(async (tx) => {
    if (request.cursor !== undefined) {
      const { trail } = cursorStruct.decode(request.cursor)
      return partOf(await continueWalk(tx, { trail, counters: noCounters }, directoriesPerCall))
    }
    const { entry } = await find(tx, path)
    if (entry.inode === undefined) return { files: 1, directories: 0, lengthBytes: entry.content?.length ?? 0 }
    const walk = await continueWalk(tx, await startWalk(tx, entry.inode), directoriesPerCall)
    return partOf({ ...walk, counters: { ...walk.counters, directories: walk.counters.directories + 1 } })
  })
}

function partOf({ trail, counters }: Walk): Infer<typeof summarizeMethod.response> {
  const cursor = trail.length === 0 ? undefined : cursorStruct.encode({ trail })
  return { ...counters, cursor }
}

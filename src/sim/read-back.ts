/**
 * Everything is read back once all is well: each file, each list, and the trash, noted as calls like any other, so that
 * what was acknowledged and is gone contradicts the history. Here no failure has an excuse.
 * @module
 */
import type { AshlarClient } from '../client/index.ts'
import type { History } from './history.ts'
import type { Action } from './operations.ts'
import type { Violation } from './oracles/violation.ts'
import type { Script } from './script.ts'
import { OperationRun } from './workload.ts'

/** Its calls stand in the history under this client; operations go on behind the script's. */
export const readerClient = -1
/** Paths whose newest trash is brought back, and read: it must be whole, too. */
const mostUndeleted = 6

export async function readBack(client: AshlarClient, history: History, script: Script): Promise<readonly Violation[]> {
  const violations: Violation[] = []
  let id = 1 + Math.max(-1, ...script.operations.map((operation) => operation.id))
  const run = async (action: Action) => {
    const before = history.calls.length
    await new OperationRun(client, { ...action, id: id++, client: readerClient }, history).run()
    for (const { outcome, step } of history.calls.slice(before)) {
      if ((outcome.kind !== 'void' && outcome.kind !== 'unknown') || outcome.code === 'no-answer') continue
      const path = 'path' in step ? step.path : ''
      violations.push({ oracle: 'readable', text: `${step.kind} ${path} fails when all is well: ${outcome.code}` })
    }
  }

  const readTree = async () => {
    for (const directories = ['/']; directories.length > 0; ) {
      const path = directories.pop() as string
      // The smallest pages: every boundary between two names is one between pages.
      await run({ kind: 'list', path, pageEntries: 1 })
      for await (const entry of client.list(path)) {
        if (entry.isDirectory()) directories.push(entry.path)
        else await run({ kind: 'read', path: entry.path })
      }
    }
  }

  await readTree()
  await run({ kind: 'list-trash', path: '/' })
  const trashed = new Set<string>()
  for await (const { path } of client.listTrash('/')) trashed.add(path)
  for (const path of [...trashed].slice(0, mostUndeleted)) {
    await run({ kind: 'undelete', path })
    await run({ kind: 'read', path })
  }
  return violations
}

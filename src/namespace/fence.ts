/**
 * The end of a doubt. A request was sent twice: the first sending hangs in a connection that broke, the second was
 * refused. Before the client does the same under another id, it fences the request: in one transaction its `Y` row says
 * that it is not to be applied any more, and the allocations of the chunks it names are closed. Then it asks once more.
 *
 * A mutation without chunks finds either its answer or the fence. A commit of chunks finds its `C` rows (it was applied),
 * or no open allocation: commits read no `Y` row, and need none.
 * Invariant: a request that was applied before its fence keeps its answer.
 * @module
 */
import type { Infer } from '../base/codec.ts'
import type { fenceRequest as fenceMethod } from '../wire/methods/session-methods.ts'
import { closeHeldAllocations } from './allocations.ts'
import { transactChange } from './change.ts'
import type { NamespaceContext } from './context.ts'
import { requestKey, sessionKey } from './keys.ts'
import { dropHidden } from './reclaim.ts'
import { checkSession, checkWindow, fencedMethod } from './requests.ts'
import { decodeRow, requestRow, sessionRow } from './rows.ts'

/** @throws {AshlarError} `session-ended`; `invalid-argument` — the request was acknowledged */
export function fenceRequest(
  context: NamespaceContext,
  { request, allocations }: Infer<typeof fenceMethod.request>,
): Promise<Infer<typeof fenceMethod.response>> {
  const { session, sequence } = request
  const key = requestKey(session, sequence)
  return transactChange(
    context,
    async (change) => {
      const [answered, sessionValue] = await change.tx.getMany([key, sessionKey(session)])
      checkWindow(checkSession(decodeRow(sessionRow, sessionValue), request), request)
      const row = decodeRow(requestRow, answered)
      if (row?.response === undefined) {
        if (row?.inode !== undefined) await dropHidden(change, row.inode)
        change.tx.put(key, requestRow.encode({ method: fencedMethod }))
      }
      await closeHeldAllocations(change, session, allocations)
      return {}
    },
    { freesRoom: true },
  )
}

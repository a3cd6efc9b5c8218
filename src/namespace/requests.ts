/**
 * Once and only once, for mutations that name no chunks: the answer is kept in a `Y` row under (session, sequence),
 * written in the transaction of the mutation, and given again to whoever sends the request again. The row is also the
 * witness of a commit whose result the engine does not know.
 *
 * `Y` rows go only with the client's acknowledged mark (`keepSession`, and each {@link trimEvery}th request) or with
 * the session; below the mark and after the session's end, requests are refused, so none is applied twice.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import type { Transaction } from '../kv/txn-kv.ts'
import type { Method } from '../wire/method.ts'
import type { RequestId } from '../wire/types/attributes.ts'
import { type Change, transactChange } from './change.ts'
import type { NamespaceContext } from './context.ts'
import { sessionEnded } from './failures.ts'
import { requestKey, sessionKey } from './keys.ts'
import { decodeRow, requestRow, type Session, sessionRow } from './rows.ts'
import { trimRequests } from './sessions.ts'

/** A client that never keeps its session still has its answers dropped, by every so many of its requests. */
const trimEvery = 1024

/**
 * Applies a mutation once. What `body` throws is not kept: the request may be sent again.
 * @throws {AshlarError} `session-ended`; `invalid-argument` — the request was acknowledged, or its id was another method's
 */
export async function applyOnce<Request extends { readonly request: RequestId }, Response>(
  context: NamespaceContext,
  method: Method<Request, Response>,
  request: Request,
  body: (change: Change) => Promise<Response>,
  { freesRoom = false }: { readonly freesRoom?: boolean } = {},
): Promise<Response> {
  const { session, sequence, acknowledged } = request.request
  const key = requestKey(session, sequence)
  if (sequence % trimEvery === 0) await trimRequests(context, session, acknowledged)
  return transactChange(
    context,
    async (change) => {
      const [answered, sessionValue] = await change.tx.getMany([key, sessionKey(session)])
      const known = decodeRow(requestRow, answered)
      if (known?.response !== undefined) {
        checkMethod(known.method, method.number, request.request)
        return method.response.decode(known.response)
      }
      checkSession(decodeRow(sessionRow, sessionValue), request.request)
      const result = await body(change)
      change.tx.put(key, requestRow.encode({ method: method.number, response: method.response.encode(result) }))
      return result
    },
    { freesRoom, witness: async (tx) => (await tx.get(key)) !== undefined },
  )
}

/** The session of a request, read for use in its transaction. @throws as {@link applyOnce} */
export async function readSession(tx: Transaction, request: RequestId): Promise<Session> {
  return checkSession(decodeRow(sessionRow, await tx.get(sessionKey(request.session))), request)
}

export function checkSession(session: Session | undefined, request: RequestId): Session {
  if (session === undefined || session.ended) throw sessionEnded(request.session)
  if (request.sequence <= session.acknowledged) {
    throw new AshlarError(
      'invalid-argument',
      `Cannot apply request ${request.sequence} of session ${request.session}: the client acknowledged all up to ${session.acknowledged}`,
    )
  }
  return session
}

export function checkMethod(found: number, expected: number, request: RequestId): void {
  if (found !== expected) {
    throw new AshlarError(
      'invalid-argument',
      `Cannot apply request ${request.sequence} of session ${request.session}: its number was used for another request`,
    )
  }
}

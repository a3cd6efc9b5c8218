/**
 * Once and only once, for mutations that name no chunks: the answer is kept in a `Y` row under (session, sequence),
 * written in the transaction of the mutation, and given again to whoever sends the request again. The row is also the
 * witness of a commit whose result the engine does not know.
 *
 * `Y` rows go only with the client's acknowledged mark or with the session; below the mark and after the session's end,
 * requests are refused, so none is applied twice. `applied: no` of a refusal is about this sending: whoever sent the
 * request before, without an answer, learns what became of that only behind a fence (`fence.ts`).
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Method } from '../wire/method.ts'
import type { RequestId } from '../wire/types/attributes.ts'
import { type Change, transactChange } from './change.ts'
import type { NamespaceContext } from './context.ts'
import { sessionEnded } from './failures.ts'
import { keptSessions } from './kept-rows.ts'
import { requestKey, sessionKey } from './keys.ts'
import { decodeRow, requestRow, type Session } from './rows.ts'
import { trimStep } from './sessions.ts'

/** Between two marks of `keepSession`, a request that acknowledges so many more than the last mark moves it. */
const trimEvery = 4096

/**
 * Applies a mutation once. What `body` throws is not kept: the request may be sent again.
 * @throws {AshlarError} `session-ended`; `busy`; `invalid-argument` — the request was acknowledged, or its id was another method's
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
  return transactChange(
    context,
    async (change) => {
      const [answered, sessionValue] = await change.tx.getMany([key, sessionKey(session)])
      const answer = decodeRow(requestRow, answered)
      if (answer !== undefined) checkMethod(answer.method, method.number, request.request)
      if (answer?.response !== undefined) return method.response.decode(answer.response)
      const known = checkSession(keptSessions.decode(sessionValue), request.request)
      checkWindow(known, request.request)
      if (acknowledged >= known.acknowledged + trimEvery) await trimStep(change.tx, session, acknowledged)
      const result = await body(change)
      change.tx.put(key, requestRow.encode({ method: method.number, response: method.response.encode(result) }))
      return result
    },
    { freesRoom, witness: async (tx) => decodeRow(requestRow, await tx.get(key))?.response !== undefined },
  )
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

/** The method of a `Y` row that stands for a request which is not to be applied any more. */
export const fencedMethod = 0

/** So that the answers kept for a client that acknowledges none are bounded. */
export function checkWindow(session: Session, { sequence, acknowledged }: RequestId): void {
  if (sequence - Math.max(session.acknowledged, acknowledged) > limits.unacknowledgedRequests) {
    throw new AshlarError(
      'busy',
      `Cannot apply request ${sequence}: ${limits.unacknowledgedRequests} answers before it are not acknowledged`,
    )
  }
}

export function checkMethod(found: number, expected: number, request: RequestId): void {
  if (found === fencedMethod) {
    throw new AshlarError(
      'invalid-argument',
      `Cannot apply request ${request.sequence} of session ${request.session}: the client gave it up before`,
    )
  }
  if (found !== expected) {
    throw new AshlarError(
      'invalid-argument',
      `Cannot apply request ${request.sequence} of session ${request.session}: its number was used for another request`,
    )
  }
}

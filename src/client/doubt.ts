/**
 * Requests in doubt: sent before without an answer, so that an earlier sending may still be under way, in a connection
 * that broke or in the master itself. A refusal of a later sending then says nothing of it.
 *
 * {@link settleDoubt} has the master fence the request, so that no sending is applied from then on, and asks once more:
 * what comes back is what became of it. Only a refusal that is known this way, or was never in doubt, may be followed by the
 * same work under another id.
 * @module
 */
import { type ErrorCode, errorTable } from '../base/error-table.ts'
import { type AshlarError, isAshlarError, toAshlarError } from '../base/errors.ts'
import type { AllocationId } from '../base/ids.ts'
import type { Log } from '../env/log.ts'
import type { Method } from '../wire/method.ts'
import { fenceRequest } from '../wire/methods/session-methods.ts'
import type { Reply } from '../wire/peer.ts'
import type { RequestId } from '../wire/types/attributes.ts'
import { withApplied } from './applied.ts'
import type { MasterCallOptions, MasterLink } from './master-link.ts'

/** What a request that changes something carries. */
export interface Mutation {
  readonly request: RequestId
  /** Of commits: whose chunks they name. */
  readonly allocations?: readonly AllocationId[]
}

/** Codes that the link itself ends with, or that do not tell what became of an earlier sending. */
const noAnswers: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'unavailable',
  'busy',
  'transaction-conflict',
  'closed',
  'session-ended',
  'unauthenticated',
])

/** Whether the master refused this sending, for good. */
export function isRefusal(error: unknown): error is AshlarError {
  return isAshlarError(error) && errorTable[error.code].applied === 'no' && !noAnswers.has(error.code)
}

/** From now on no sending of this request is applied; its chunks can be committed by nobody. */
export async function fence(link: MasterLink, message: Mutation, options?: MasterCallOptions): Promise<void> {
  await link.call(fenceRequest, { request: message.request, allocations: message.allocations ?? [] }, options)
}

/**
 * Finds out what became of a request that was refused in doubt.
 * @returns its answer: an earlier sending was applied
 * @throws {AshlarError} `refusal`, with `applied: 'no'` — it was not applied and never will be; with `'unknown'` — the master could not be asked
 */
export async function settleDoubt<Request extends Mutation, Response>(
  { link, log }: { readonly link: MasterLink; readonly log: Log },
  { method, message, refusal }: { method: Method<Request, Response>; message: Request; refusal: AshlarError },
  options: MasterCallOptions,
): Promise<Reply<Response>> {
  let isFenced = false
  try {
    await fence(link, message, options)
    isFenced = true
    return await link.call(method, message, options)
  } catch (error) {
    const { code } = toAshlarError(error)
    log.debug('asked again behind a fence', { method: method.name, refusal: refusal.code, isFenced, outcome: code })
    throw withApplied(refusal, isFenced && isRefusal(error) ? 'no' : 'unknown')
  }
}

/**
 * `GET /?explain-deny=REQUEST-ID`, no operation of S3: why this gateway refused a request, as JSON. For the root account alone,
 * since it names users and statements.
 * @module
 */
import { limits } from '../../../base/limits.ts'
import { accessDenied } from '../door/access.ts'
import type { S3Answer } from '../door/s3-answer.ts'
import { isRoot, type S3Call } from '../door/s3-call.ts'
import { S3Error } from '../rules/s3-error.ts'

export async function explainDeny({ services, request, caller }: S3Call): Promise<S3Answer> {
  if (!isRoot(caller.account)) throw accessDenied()
  const requestId = (request.query.get('explain-deny') ?? '').toUpperCase()
  const refusal = services.refusals.find(requestId)
  if (refusal === undefined) {
    throw new S3Error(
      'InvalidArgument',
      `This gateway refused no request of this id, or it was long ago: each keeps its own last ${limits.s3RefusalsKept} since its start.`,
      { status: 404 },
    )
  }
  return { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(refusal) }
}

/** `ashlar s3 explain-deny`: asks the door that refused a request, with the root key, which rule it was. @module */
import { AshlarError } from '../../base/errors.ts'
import { readClusterFile } from '../../client/cluster-file.ts'
import type { Env } from '../../env/env.ts'
import type { Refusal } from '../../gateway/s3/door/refusals.ts'
import type { Output } from '../output.ts'
import { SignedRequests } from './signed-request.ts'

export interface ExplainOptions {
  readonly cluster: string
  readonly endpoint?: string
  readonly env: Env
  readonly output: Output
  readonly stop: AbortSignal
}

/** @throws {AshlarError} `not-found`: this door knows no such request; `unavailable` */
export async function explainDeny(requestId: string | undefined, options: ExplainOptions): Promise<void> {
  const { cluster, env, output, stop } = options
  if (requestId === undefined || !/^[0-9A-Fa-f]{16}$/.test(requestId)) {
    throw new AshlarError(
      'invalid-argument',
      'Cannot explain a refusal: give the id of the request, 16 hexadecimal digits, as its answer has it (x-amz-request-id)',
    )
  }
  const { s3 } = await readClusterFile(env.disk, cluster)
  const endpoint = options.endpoint ?? s3?.endpoint
  if (s3 === undefined || endpoint === undefined) {
    throw new AshlarError('unavailable', `Cannot ask an S3 door: ${cluster} names none. Start "ashlar s3 serve"`)
  }
  const door = new SignedRequests({ env, endpoint, key: s3, stop })
  const { status, body, message } = await door.send('GET', `/?explain-deny=${requestId}`)
  if (status === 404) {
    throw new AshlarError(
      'not-found',
      `Cannot explain request ${requestId}: the door at ${endpoint} does not know it. ${message} Name another door by --endpoint`,
    )
  }
  if (status !== 200) throw new AshlarError('forbidden', `Cannot explain request ${requestId}: ${message}`)
  const refusal = JSON.parse(body.toString('utf8')) as Refusal
  output.object(refusal)
  for (const line of describe(refusal)) output.line(line)
}

function describe({ method, resource, operation, userName, atMs, code, message, reasons }: Refusal): string[] {
  const who = userName === undefined ? 'nobody who proved who they are' : `user ${userName}`
  const time = new Date(atMs).toISOString().slice(0, 19).replace('T', ' ')
  return [
    `${time}  ${method} ${resource}${operation === undefined ? '' : ` (${operation})`}, asked by ${who}`,
    `${code}: ${message}`,
    ...reasons.map((reason) => `  ${reason}`),
  ]
}

/** What a browser asks before it sends a request of another origin. Nobody is authenticated for it. @module */
import type { S3Answer } from '../door/s3-answer.ts'
import type { S3Call } from '../door/s3-call.ts'
import { preflightHeaders } from '../rules/cors.ts'
import { corsRulesOf } from '../store/bucket-settings.ts'

export async function preflight({ services, request, signal }: S3Call): Promise<S3Answer> {
  const bucket = request.bucket === undefined ? undefined : await services.buckets.open(request.bucket, { signal })
  const headers = preflightHeaders(bucket === undefined ? undefined : corsRulesOf(bucket), {
    origin: request.headers.get('origin'),
    method: request.headers.get('access-control-request-method'),
    headers: request.headers.get('access-control-request-headers'),
  })
  return { status: 200, headers }
}

/**
 * The cluster's HTTP door: files at `/files/PATH`, the cluster at `/nodes` and `/status`. Described by `docs/openapi.yaml`.
 *
 * It uses the public client only. Every request carries the cluster's key (`Authorization: Bearer`); nothing, the routes
 * included, is told without it, save what watchers ask of the process (env/health-door.ts). A request's body is not read before it is authenticated.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { AshlarError, toAshlarError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import type { AshlarClient } from '../../client/filesystem.ts'
import type { Env } from '../../env/env.ts'
import { answerHealth, type HealthReport } from '../../env/health-door.ts'
import { answerError, answerJson, answerMethodNotAllowed, requireBearer } from '../../env/http-answers.ts'
import type { HttpListener } from '../../env/network.ts'
import { formatLabel, underLabel } from '../../env/request-label.ts'
import { serveFile } from './files-route.ts'
import { filePath } from './paths.ts'

export interface HttpGatewayOptions {
  readonly env: Env
  readonly client: AshlarClient
  /** `host:port`; port 0 takes any. */
  readonly listenAddress: string
  /** What a bearer must present. */
  readonly clientKey: Buffer
  /** Answers `/metrics`, `/healthz` and `/readyz`, without a key. */
  readonly health?: HealthReport
}

/** @throws {AshlarError} `in-use` — the port is taken */
export async function startHttpGateway(options: HttpGatewayOptions): Promise<HttpListener> {
  const { env, listenAddress } = options
  return await env.network.serveHttp(
    {
      address: listenAddress,
      maxConnections: limits.connectionsPerListener,
      idleTimeoutMs: limits.idleConnectionTimeoutMs,
    },
    (request, response) => {
      const label = env.nextLabel?.()
      if (label !== undefined) response.setHeader('X-Request-Id', formatLabel(label))
      return underLabel(label, answer, request, response, options)
    },
  )
}

async function answer(request: IncomingMessage, response: ServerResponse, options: HttpGatewayOptions): Promise<void> {
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  try {
    if (await answerHealth(request, response, options.health)) return
    requireBearer(request, options.clientKey)
    await route(request, response, { client: options.client, signal: gone.signal })
  } catch (error) {
    const failure = toAshlarError(error, `answer ${request.method}`)
    if (failure.code === 'internal')
      options.env.log.error('A request failed', { method: request.method, error: failure })
    answerError(request, response, failure, conditionFailed(request, failure) ? { statusCode: 412 } : {})
  }
}

async function route(
  request: IncomingMessage,
  response: ServerResponse,
  { client, signal }: { readonly client: AshlarClient; readonly signal: AbortSignal },
): Promise<void> {
  const url = request.url ?? ''
  const queryAt = url.indexOf('?')
  const rawPath = queryAt < 0 ? url : url.slice(0, queryAt)
  const rawQuery = queryAt < 0 ? '' : url.slice(queryAt + 1)
  if (rawPath === '/nodes' || rawPath === '/status') {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      answerMethodNotAllowed(request, response, ['GET', 'HEAD'])
      return
    }
    const what = rawPath === '/nodes' ? client.nodes({ signal }) : client.status({ signal })
    return answerJson(response, 200, await what)
  }
  if (rawPath === '/files' || rawPath.startsWith('/files/')) {
    const path = filePath(rawPath.slice('/files'.length))
    return await serveFile(request, response, { client, path, query: new URLSearchParams(rawQuery), signal })
  }
  throw new AshlarError('not-found', 'Cannot answer: there are only /files/PATH, /nodes and /status')
}

/** `If-None-Match: *` asked for the path to be absent: what it met is a failed condition, not a conflict. */
function conditionFailed(request: IncomingMessage, { code }: AshlarError): boolean {
  return code === 'already-exists' && request.headers['if-none-match'] !== undefined
}

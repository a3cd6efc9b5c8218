/**
 * What every process answers to those who watch it: `/metrics`, `/healthz` (it runs) and `/readyz` (it serves). Without a key, as
 * watchers expect: they tell counts and states, never names of files or bytes.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { answerMethodNotAllowed } from './http-answers.ts'

export interface HealthReport {
  /** In the text format of Prometheus. */
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>
  /** Why it does not serve now; undefined: it does. */
  readonly notReady: () => string | undefined
}

/** @returns whether it was a question for this door */
export async function answerHealth(
  request: IncomingMessage,
  response: ServerResponse,
  health: HealthReport | undefined,
): Promise<boolean> {
  const [path = ''] = (request.url ?? '').split('?', 1)
  if (health === undefined || !['/metrics', '/healthz', '/readyz'].includes(path)) return false
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    answerMethodNotAllowed(request, response, ['GET', 'HEAD'])
    return true
  }
  if (path === '/metrics') {
    const { contentType, text } = await health.metrics()
    answerText(response, 200, text, contentType)
    return true
  }
  const reason = path === '/readyz' ? health.notReady() : undefined
  answerText(response, reason === undefined ? 200 : 503, `${reason ?? 'ok'}\n`)
  return true
}

function answerText(
  response: ServerResponse,
  statusCode: number,
  text: string,
  contentType = 'text/plain; charset=utf-8',
): void {
  const body = Buffer.from(text)
  response.statusCode = statusCode
  response.setHeader('Content-Type', contentType)
  response.setHeader('X-Content-Type-Options', 'nosniff')
  response.setHeader('Cache-Control', 'no-store')
  response.setHeader('Content-Length', body.length)
  response.end(body)
}

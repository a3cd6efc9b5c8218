/**
 * What every HTTP door answers the same way: JSON, errors by the error table, and who asks.
 * @module
 */
import { timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { errorTable } from '../base/error-table.ts'
import { AshlarError } from '../base/errors.ts'

/** `Authorization: Bearer` with base64 or base64url. @throws {AshlarError} `unauthenticated` — none was sent */
export function bearerToken(request: IncomingMessage): Buffer {
  const match = /^Bearer ([A-Za-z0-9+/_=-]{1,1024})$/.exec(request.headers.authorization ?? '')
  if (match === null)
    throw new AshlarError('unauthenticated', 'Cannot answer: send "Authorization: Bearer" with the key')
  return Buffer.from(match[1] as string, 'base64')
}

/** In constant time. @throws {AshlarError} `unauthenticated` */
export function requireBearer(request: IncomingMessage, key: Uint8Array): void {
  const given = bearerToken(request)
  if (given.length !== key.length || !timingSafeEqual(given, key)) {
    throw new AshlarError('unauthenticated', 'Cannot answer: the key is not the one of this cluster')
  }
}

export function answerJson(response: ServerResponse, statusCode: number, value: unknown): void {
  response.statusCode = statusCode
  response.setHeader('Content-Type', 'application/json')
  response.setHeader('X-Content-Type-Options', 'nosniff')
  const body = Buffer.from(`${JSON.stringify(value)}\n`)
  response.setHeader('Content-Length', body.length)
  response.end(body)
}

/** Answers 405: the resource is there, and knows only the methods of `allow`. */
export function answerMethodNotAllowed(
  request: IncomingMessage,
  response: ServerResponse,
  allow: readonly string[],
): void {
  const error = new AshlarError('not-supported', `Cannot ${request.method}: use ${allow.join(', ')}`)
  answerError(request, response, error, { statusCode: 405, headers: { Allow: allow.join(', ') } })
}

/** Answers `{code, message, retry, applied, details}`, by default with the status of the error table. */
export function answerError(
  request: IncomingMessage,
  response: ServerResponse,
  error: AshlarError,
  options: { readonly statusCode?: number; readonly headers?: Readonly<Record<string, string>> } = {},
): void {
  if (response.headersSent) {
    // The length was promised: only a cut connection says that the bytes are not whole.
    response.destroy()
    return
  }
  for (const name of response.getHeaderNames()) if (name !== 'x-request-id') response.removeHeader(name)
  // What was not read of the body is not read: the connection ends with the answer.
  if (!request.complete) response.setHeader('Connection', 'close')
  if (error.code === 'unauthenticated') response.setHeader('WWW-Authenticate', 'Bearer')
  const { code, message, retry, applied, details } = error
  if (code === 'range-not-satisfiable' && typeof details['length'] === 'number') {
    response.setHeader('Content-Range', `bytes */${details['length']}`)
  }
  for (const [name, value] of Object.entries(options.headers ?? {})) response.setHeader(name, value)
  answerJson(response, options.statusCode ?? errorTable[code].http, { code, message, retry, applied, details })
}

/** Resolves when the socket has taken the bytes, so that their memory may be used again. @throws {AshlarError} `connection-lost` */
export function writeBody(response: ServerResponse, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const lost = (cause?: unknown) =>
      reject(new AshlarError('connection-lost', 'Cannot send the answer: the client went away', { cause }))
    const onClose = () => lost()
    response.once('close', onClose)
    response.write(bytes, (error) => {
      response.off('close', onClose)
      if (error) lost(error)
      else resolve()
    })
  })
}

/**
 * HTTP doors on `node:http`, with every wait bounded: headers by `limits.httpHeadersTimeoutMs`, a connection on which
 * nothing moves by the caller's idle timeout, or for longest where all places are taken (http-connections.ts). A whole request has no limit of time, since uploads take as long as
 * they take. The server does no I/O of its own: networks feed it with connections.
 * @module
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { limits } from '../base/limits.ts'
import { errnoOf } from './errno.ts'
import { HttpConnections } from './http-connections.ts'
import type { Log } from './log.ts'
import type { HttpOptions } from './network.ts'

export type HttpHandler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>

/** A server that does not listen yet. */
export function createHttpServer(
  { maxConnections, idleTimeoutMs, expectations }: Omit<HttpOptions, 'address'>,
  { handle, log }: { readonly handle: HttpHandler; readonly log: Log },
): Server {
  const underWay = new WeakMap<Duplex, ServerResponse>()
  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    if (!connections.admit(request, response)) return
    underWay.set(request.socket, response)
    void answer(request, response, { handle, log })
  }
  const server = nodeHttp().createServer(
    {
      requestTimeout: 0,
      headersTimeout: limits.httpHeadersTimeoutMs,
      keepAliveTimeout: idleTimeoutMs,
      keepAlive: true,
      keepAliveInitialDelay: limits.keepAliveAfterMs,
      noDelay: true,
    },
    onRequest,
  )
  if (expectations === 'handled') server.on('checkContinue', onRequest).on('checkExpectation', onRequest)
  const connections = new HttpConnections(maxConnections)
  server.on('connection', (connection: Duplex) => connections.take(connection))
  // With those that are refused, and those that close.
  server.maxConnections = maxConnections + 2 * limits.handshakesPerListener
  server.timeout = idleTimeoutMs
  const ending = new WeakSet<Duplex>()
  server.on('clientError', (error: Error, socket: Duplex) => {
    // Said again for whatever else comes.
    if (ending.has(socket)) return
    const last = underWay.get(socket)
    if (last?.req.complete !== true || last.writableFinished) return refuse(error, socket)
    ending.add(socket)
    endAfter(last, socket)
  })
  return server
}

/**
 * Not imported: an import reads every export of the module, and one of them loads undici. That was 60 of the 150 ms of
 * processor time that a command of the CLI took to start.
 */
function nodeHttp(): typeof import('node:http') {
  return process.getBuiltinModule('node:http')
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { handle, log }: { readonly handle: HttpHandler; readonly log: Log },
): Promise<void> {
  try {
    await handle(request, response)
  } catch (error) {
    log.error('A request failed', { method: request.method, path: request.url?.split('?')[0], error })
    if (response.headersSent) {
      // The status is out: only a broken connection tells the client that the body is not whole.
      response.destroy()
      return
    }
    for (const name of response.getHeaderNames()) response.removeHeader(name)
    response.writeHead(500, { 'content-type': 'text/plain', connection: 'close' }).end('internal error\n')
  }
}

/**
 * What follows a whole request is no other one: a body that is longer than was said, mostly. Its sender is owed the answer to the
 * request, and then nothing that came is read as anything else.
 */
function endAfter(response: ServerResponse, socket: Duplex): void {
  if (!response.headersSent) response.setHeader('connection', 'close')
  response.once('close', () => socket.end())
}

/** Answers bytes that are no request. */
function refuse(error: Error, socket: Duplex): void {
  if (!socket.writable || errnoOf(error) === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const status = statusOf(errnoOf(error))
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
}

function statusOf(code: string | undefined): string {
  if (code === 'HPE_HEADER_OVERFLOW') return '431 Request Header Fields Too Large'
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return '408 Request Timeout'
  return '400 Bad Request'
}

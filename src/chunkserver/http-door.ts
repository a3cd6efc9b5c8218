/**
 * Chunks over plain HTTP, for people and simple clients: `GET|PUT|HEAD|DELETE /chunks/:id` and `GET /status`.
 *
 * Every request is authenticated: chunks by a capability token (`Authorization: Bearer <base64url>`), and a delete by one that
 * the leader minted for exactly that (an order, refused when a later leader was seen); `/status` by the client key.
 * Nothing of a body is read before that. Ids are parsed, so no name becomes a path.
 * A PUT names the group's epoch in `X-Ashlar-Epoch` and may name the bytes' CRC-32 in `X-Ashlar-Crc32` (hex).
 * Described for people in `docs/chunk-server-http.md`.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { AshlarError, toAshlarError } from '../base/errors.ts'
import { parseRange } from '../base/http-range.ts'
import { type ChunkId, type ClusterId, parseChunkId, type ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Rising } from '../base/rising.ts'
import type { Env } from '../env/env.ts'
import { answerHealth, type HealthReport } from '../env/health-door.ts'
import {
  answerError,
  answerJson,
  answerMethodNotAllowed,
  bearerToken,
  requireBearer,
  writeBody,
} from '../env/http-answers.ts'
import { formatLabel, underLabel } from '../env/request-label.ts'
import type { ChunkReader, ChunkStore, ReplicaInfo } from '../store/chunk-store.ts'
import type { ClusterKeys } from '../wire/credentials.ts'
import { signReceipt } from '../wire/receipt.ts'
import type { Access } from './access.ts'
import type { MapView } from './map-view.ts'

export interface HttpDoorOptions {
  readonly store: ChunkStore
  readonly access: Access
  readonly view: MapView
  readonly serverId: ServerId
  readonly clusterId: ClusterId
  readonly keys: ClusterKeys
  readonly env: Pick<Env, 'log' | 'nextLabel'>
  readonly health: HealthReport | undefined
}

type HttpHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void>

export function createHttpHandler(options: HttpDoorOptions): HttpHandler {
  const { nextLabel } = options.env
  return (request, response) => {
    const label = nextLabel?.()
    if (label !== undefined) response.setHeader('X-Request-Id', formatLabel(label))
    return underLabel(label, answer, request, response, options)
  }
}

async function answer(request: IncomingMessage, response: ServerResponse, options: HttpDoorOptions): Promise<void> {
  const { log } = options.env
  const { method } = request
  const path = pathOf(request)
  try {
    if (await answerHealth(request, response, options.health)) return
    await route(request, response, options)
    log.debug('Answered a request', { method, path, statusCode: response.statusCode })
  } catch (error) {
    const failure = toAshlarError(error, `answer ${method}`)
    // A client that went away in mid-upload is no fault of ours.
    if (failure.code === 'internal' && !request.destroyed) log.error('A request failed', { method, error: failure })
    else log.debug('Refused a request', { method, path, code: failure.code })
    answerError(request, response, notHere(failure))
  }
}

async function route(request: IncomingMessage, response: ServerResponse, options: HttpDoorOptions): Promise<void> {
  const path = pathOf(request)
  if (path === '/status') return status(request, response, options)
  const match = /^\/chunks\/([^/]{1,64})$/.exec(path)
  if (match === null) throw new AshlarError('not-found', 'Cannot answer: there are only /chunks/ID and /status')
  const chunk = parseChunkId(match[1] as string)
  switch (request.method) {
    case 'GET':
      return await get(request, response, { chunk, ...options })
    case 'HEAD':
      return await head(request, response, { chunk, ...options })
    case 'PUT':
      return await put(request, response, { chunk, ...options })
    case 'DELETE':
      return await remove(request, response, { chunk, ...options })
    default:
      answerMethodNotAllowed(request, response, ['GET', 'HEAD', 'PUT', 'DELETE'])
  }
}

function pathOf({ url = '' }: IncomingMessage): string {
  return url.split('?', 1)[0] as string
}

function status(
  request: IncomingMessage,
  response: ServerResponse,
  { keys, serverId, clusterId, store }: HttpDoorOptions,
): void {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    answerMethodNotAllowed(request, response, ['GET', 'HEAD'])
    return
  }
  requireBearer(request, keys.client)
  answerJson(response, 200, { id: serverId, clusterId, ...store.space() })
}

interface ChunkRequest extends HttpDoorOptions {
  readonly chunk: ChunkId
}

async function get(
  request: IncomingMessage,
  response: ServerResponse,
  { chunk, access, store }: ChunkRequest,
): Promise<void> {
  access.checkClaims(access.openToken(bearerToken(request)), 'read', { chunk })
  const reader = await store.open(chunk)
  try {
    const { length } = reader.info
    const range = parseRange(request.headers.range, length)
    describe(response, reader.info)
    response.statusCode = range === undefined ? 200 : 206
    if (range !== undefined) response.setHeader('Content-Range', `bytes ${range.start}-${range.end - 1}/${length}`)
    const { start, end } = range ?? { start: 0, end: length }
    response.setHeader('Content-Length', end - start)
    await sendRange(response, reader, { start, end })
    response.end()
  } finally {
    await reader.close()
  }
}

async function sendRange(
  response: ServerResponse,
  reader: ChunkReader,
  { start, end }: { readonly start: number; readonly end: number },
): Promise<void> {
  let at = start
  while (at < end) {
    const slice = await reader.read({ offset: at, length: end - at })
    try {
      const bytes = slice.bytes.subarray(at - slice.offset, Math.min(slice.bytes.length, end - slice.offset))
      await writeBody(response, bytes)
      at += bytes.length
    } finally {
      slice.release()
    }
  }
}

async function head(
  request: IncomingMessage,
  response: ServerResponse,
  { chunk, access, store }: ChunkRequest,
): Promise<void> {
  access.checkClaims(access.openToken(bearerToken(request)), 'read', { chunk })
  const info = await store.info(chunk)
  if (info === undefined) throw new AshlarError('chunk-missing', `Cannot describe chunk ${chunk}: it is not here`)
  describe(response, info)
  response.setHeader('Content-Length', info.length)
  response.end()
}

async function put(
  request: IncomingMessage,
  response: ServerResponse,
  { chunk, access, store, serverId, keys }: ChunkRequest,
): Promise<void> {
  const claims = access.openToken(bearerToken(request))
  access.checkClaims(claims, 'write', { chunk })
  const length = integerHeader(request, 'content-length', 10)
  const epoch = integerHeader(request, 'x-ashlar-epoch', 10) as Rising
  if (length > limits.chunkSizeMaxBytes) {
    throw new AshlarError(
      'too-large',
      `Cannot store chunk ${chunk}: ${length} bytes, where ${limits.chunkSizeMaxBytes} is the limit`,
    )
  }
  const grant = await access.grantWrite(claims, { chunk, epoch })
  const expected =
    request.headers['x-ashlar-crc32'] === undefined ? {} : { expectedCrc: integerHeader(request, 'x-ashlar-crc32', 16) }
  const writer = await store.begin(chunk, length)
  let info: ReplicaInfo
  try {
    for await (const bytes of request) await writer.append(bytes as Buffer)
    info = await writer.commit(expected)
  } finally {
    await writer.abort()
  }
  const { mac, ...receipt } = signReceipt(keys.receipt, {
    chunk,
    length: info.length,
    crc: info.crc,
    server: serverId,
    ...grant,
  })
  answerJson(response, 201, { ...receipt, mac: mac.toString('base64url') })
}

async function remove(
  request: IncomingMessage,
  response: ServerResponse,
  { chunk, access, view, store }: ChunkRequest,
): Promise<void> {
  const claims = access.openToken(bearerToken(request))
  access.checkClaims(claims, 'delete', { chunk })
  if (view.mapVersion === undefined) {
    throw new AshlarError('unavailable', `Cannot delete chunk ${chunk}: the master was not heard since the start`)
  }
  if (claims.leaderEpoch === undefined) {
    throw new AshlarError('forbidden', `Cannot delete chunk ${chunk}: the token names no leader`)
  }
  await view.admitLeader(claims.leaderEpoch)
  await store.delete([chunk])
  response.statusCode = 204
  response.end()
}

function describe(response: ServerResponse, info: ReplicaInfo): void {
  response.setHeader('Content-Type', 'application/octet-stream')
  response.setHeader('X-Content-Type-Options', 'nosniff')
  response.setHeader('Accept-Ranges', 'bytes')
  response.setHeader('ETag', `"${info.id}"`)
  response.setHeader('X-Ashlar-Crc32', info.crc.toString(16).padStart(8, '0'))
}

function integerHeader(request: IncomingMessage, name: string, radix: 10 | 16): number {
  const text = request.headers[name]
  const pattern = radix === 10 ? /^\d{1,16}$/ : /^[0-9a-fA-F]{1,8}$/
  if (typeof text !== 'string' || !pattern.test(text)) {
    throw new AshlarError('invalid-argument', `Cannot store the chunk: header ${name} is missing or not a number`)
  }
  return Number.parseInt(text, radix)
}

/** Asked for one replica, an absent one is simply not found; another server may have it. */
function notHere(error: AshlarError): AshlarError {
  return error.code === 'chunk-missing' ? new AshlarError('not-found', error.message, { cause: error }) : error
}

/**
 * `/files/PATH`: GET (a file's bytes, or a page of a directory as JSON), HEAD, PUT (a file, or with `?directory` a directory),
 * DELETE (to trash).
 *
 * A GET serves one version from the first byte to the last; if a byte cannot be proven right, the connection is cut
 * before it is sent. A PUT is visible whole, when it is durable, or not at all.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { AshlarError, isAshlarError } from '../../base/errors.ts'
import { parseRange } from '../../base/http-range.ts'
import { limits } from '../../base/limits.ts'
import type { FileStats } from '../../client/file-stats.ts'
import type { AshlarClient, FileHandle } from '../../client/filesystem.ts'
import { answerJson, answerMethodNotAllowed, writeBody } from '../../env/http-answers.ts'
import { entityTag, rangeApplies, readOutcome, writeCondition } from './conditions.ts'

export interface FileRequest {
  readonly client: AshlarClient
  readonly path: string
  readonly query: URLSearchParams
  /** Aborts when the connection closes. */
  readonly signal: AbortSignal
}

export async function serveFile(request: IncomingMessage, response: ServerResponse, file: FileRequest): Promise<void> {
  switch (request.method) {
    case 'GET':
    case 'HEAD':
      return await get(request, response, file)
    case 'PUT':
      return await put(request, response, file)
    case 'DELETE':
      return await remove(request, response, file)
    default:
      answerMethodNotAllowed(request, response, ['GET', 'HEAD', 'PUT', 'DELETE'])
  }
}

async function get(
  request: IncomingMessage,
  response: ServerResponse,
  { client, path, query, signal }: FileRequest,
): Promise<void> {
  await using handle = await openFile(client, path, signal)
  if (handle === undefined) return await listPage(response, { client, path, query, signal })
  const { size, version } = handle.stats
  response.setHeader('ETag', entityTag(version))
  switch (readOutcome(request, version)) {
    case 'not-modified':
      response.statusCode = 304
      response.end()
      return
    case 'failed':
      throw new AshlarError('changed', `Cannot read ${path}: it is at version ${version}, and If-Match names another`)
    case 'send':
      break
  }
  const mayBePart = request.method === 'GET' && rangeApplies(request, version)
  const range = mayBePart ? parseRange(request.headers.range, size) : undefined
  describe(response, handle.stats)
  const { start, end } = range ?? { start: 0, end: size }
  if (range !== undefined) {
    response.statusCode = 206
    response.setHeader('Content-Range', `bytes ${start}-${end - 1}/${size}`)
  }
  response.setHeader('Content-Length', end - start)
  if (request.method === 'GET' && end > start) await sendBytes(response, handle, { start, end, signal })
  response.end()
}

/** Undefined: the path is a directory. */
async function openFile(client: AshlarClient, path: string, signal: AbortSignal): Promise<FileHandle | undefined> {
  try {
    return await client.open(path, { signal })
  } catch (error) {
    if (isAshlarError(error, 'is-a-directory')) return undefined
    throw error
  }
}

async function sendBytes(
  response: ServerResponse,
  handle: FileHandle,
  { start, end, signal }: { readonly start: number; readonly end: number; readonly signal: AbortSignal },
): Promise<void> {
  for await (const bytes of handle.pieces({ start, end: end - 1, signal })) await writeBody(response, bytes)
}

function describe(response: ServerResponse, stats: FileStats): void {
  response.setHeader('Content-Type', 'application/octet-stream')
  response.setHeader('X-Content-Type-Options', 'nosniff')
  response.setHeader('Accept-Ranges', 'bytes')
  response.setHeader('Last-Modified', stats.mtime.toUTCString())
  if (stats.crc32 !== undefined) response.setHeader('X-Ashlar-Crc32', stats.crc32.toString(16).padStart(8, '0'))
}

async function listPage(response: ServerResponse, { client, path, query, signal }: FileRequest): Promise<void> {
  const limit = pageLimit(query.get('limit'))
  const entries: object[] = []
  let lastName: string | undefined
  let more = false
  const options = {
    signal,
    after: query.get('after') ?? undefined,
    prefix: query.get('prefix') ?? undefined,
    pageEntries: limit,
  }
  for await (const { name, stats } of client.list(path, options)) {
    more = entries.length === limit
    if (more) break
    entries.push({ name, kind: stats.kind, size: stats.size, version: stats.version, modifiedMs: stats.modifiedMs })
    lastName = stats.isDirectory() ? `${name}/` : name
  }
  answerJson(response, 200, { path, entries, next: more ? lastName : undefined })
}

function pageLimit(text: string | null): number {
  if (text === null) return limits.listPageEntries
  const limit = Number(text)
  if (Number.isInteger(limit) && limit >= 1 && limit <= limits.listPageEntries) return limit
  throw new AshlarError('invalid-argument', `Cannot list ${text} entries: limit is 1 to ${limits.listPageEntries}`)
}

async function put(
  request: IncomingMessage,
  response: ServerResponse,
  { client, path, query, signal }: FileRequest,
): Promise<void> {
  const condition = writeCondition(request)
  if (request.headers['content-range'] !== undefined) {
    throw new AshlarError('invalid-argument', 'Cannot write a part of a file: send all of it, without Content-Range')
  }
  if (query.has('directory')) {
    if (condition.ifAbsent || condition.ifVersion !== undefined) {
      throw new AshlarError('invalid-argument', 'Cannot make a directory under a condition: it may exist already')
    }
    const made = await client.mkdir(path, { recursive: true, signal })
    return answerJson(response, made === undefined ? 200 : 201, { path, kind: 'directory' })
  }
  const stats = await client.writeFile(path, bodyOf(request), { ...condition, makeParents: true, signal })
  response.setHeader('ETag', entityTag(stats.version))
  const statusCode = stats.replaced ? 200 : 201
  answerJson(response, statusCode, { path, kind: 'file', size: stats.size, version: stats.version, crc32: stats.crc32 })
}

/** The body; one that ends early is the client's doing. */
async function* bodyOf(request: IncomingMessage): AsyncGenerator<Uint8Array> {
  try {
    yield* request
  } catch (cause) {
    throw new AshlarError('connection-lost', 'Cannot store the file: the client went away', { cause, applied: 'no' })
  }
}

async function remove(
  request: IncomingMessage,
  response: ServerResponse,
  { client, path, query, signal }: FileRequest,
): Promise<void> {
  const { ifAbsent, ifVersion } = writeCondition(request)
  if (ifAbsent) throw new AshlarError('invalid-argument', 'Cannot delete what is absent: use If-Match')
  const trashId = await client.rm(path, { recursive: query.has('recursive'), ifVersion, signal })
  answerJson(response, 200, { path, trashId })
}

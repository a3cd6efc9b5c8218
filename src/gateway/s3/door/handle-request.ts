/**
 * One request from its head to its answer.
 *
 *     parse → authenticate → route → authorise → (ask for the body) → the operation → answer
 *
 * Nothing of a body is read, and no client that waits to be asked for one is, before who asks is known and may. What a refused
 * client has still to send is not read: the connection ends with the answer.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isAshlarError } from '../../../base/errors.ts'
import { limits } from '../../../base/limits.ts'
import type { Env } from '../../../env/env.ts'
import { parseLabel, underLabel } from '../../../env/request-label.ts'
import { Limiter } from '../../../env/waiting.ts'
import type { AccountSource, Accounts } from '../auth/accounts.ts'
import { type Authenticated, authenticate } from '../auth/authenticate.ts'
import { BodyReader } from '../body/body-reader.ts'
import { type Payload, payloadOf } from '../body/payload.ts'
import { receiveWhole } from '../body/receive-whole.ts'
import type { AccessLog } from '../notify/access-log.ts'
import { publishChanges } from '../notify/publish-changes.ts'
import { settingsOf } from '../operations/bucket-settings-operations.ts'
import { writtenTags } from '../operations/object-headers.ts'
import { withHoistedHeaders } from '../request/hoisted-headers.ts'
import { type OperationName, operationOf } from '../request/operations.ts'
import { parseS3Request, type S3Request } from '../request/s3-request.ts'
import { checkHeadersAreKnown } from '../request/unsupported-headers.ts'
import { corsHeaders } from '../rules/cors.ts'
import type { IpRange } from '../rules/policy/ip-range.ts'
import { S3Error } from '../rules/s3-error.ts'
import { corsRulesOf } from '../store/bucket-settings.ts'
import type { Bucket } from '../store/buckets.ts'
import { versionNumberOf } from '../store/object-versions.ts'
import { findObject } from '../store/objects.ts'
import { accessDenied, checkAccess, checkOwner, mayAccess, missingKey, objectAccess, privateAcl } from './access.ts'
import { actionOf } from './operation-actions.ts'
import { bucketOperations, objectOperations, serviceOperations } from './operation-table.ts'
import { peerOf } from './peer.ts'
import { type Refusals, RequestTrail } from './refusals.ts'
import { errorAnswer, type Identity, type S3Answer, sendAnswer, toS3Error } from './s3-answer.ts'
import type { S3Call, S3Services } from './s3-call.ts'

export interface HandlerOptions {
  /** The accounts are asked for anew for each request. */
  readonly services: Omit<S3Services, 'accounts'>
  readonly accounts: AccountSource
  readonly refusals: Refusals
  readonly accessLog?: AccessLog | undefined
  /** Whose word about who asks them is taken. Default: nobody's. */
  readonly trustedProxies?: readonly IpRange[] | undefined
  /** Hosts that carry buckets in front of them. */
  readonly domains: readonly string[]
  /** Only signatures for this region are taken. */
  readonly signedRegion?: string | undefined
  readonly observer?: S3RequestObserver | undefined
}

/** Told of each request, for metrics. It must be cheap, and must not throw. */
export interface S3RequestObserver {
  readonly onBegin: () => void
  /** `method`: the operation, as S3 names it. `code`: `ok`, or that of the error. */
  readonly onEnd: (answer: { readonly method: string; readonly code: string; readonly durationMs: number }) => void
}

export type RequestHandler = (incoming: IncomingMessage, response: ServerResponse) => Promise<void>

export function s3RequestHandler(options: HandlerOptions): RequestHandler {
  const memory = new Limiter({
    name: 'memory for signed chunks',
    slots: limits.s3ChunkMemoryBytes,
    maxWaiting: limits.connectionsPerListener,
  })
  const { env } = options.services
  const handle = async (requestId: string, incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    options.observer?.onBegin()
    const gone = new AbortController()
    // After an answer nobody waits any more: nothing is told, which would cost an error with its stack.
    response.once('close', () => {
      if (!response.writableFinished) gone.abort()
    })
    const trail = new RequestTrail()
    const beganMs = env.clock.monotonicMs()
    const beganAtMs = env.clock.wallMs()
    let failure: S3Error | undefined
    let identity: Identity = { requestId, resource: '/', isHead: incoming.method === 'HEAD' }
    try {
      const request = parseS3Request(
        { method: incoming.method ?? '', url: incoming.url ?? '', rawHeaders: incoming.rawHeaders },
        options.domains,
      )
      identity = { ...identity, resource: request.resource }
      const answer = await answerRequest({
        incoming,
        response,
        request,
        options,
        requestId,
        trail,
        signal: gone.signal,
        memory,
      })
      endUnread(incoming, response)
      if (trail.isRefused) noteRefusal(undefined, { incoming, identity, options, trail })
      await sendAnswer(response, answer, identity)
    } catch (error) {
      failure = toS3Error(error)
      if (failure.status === 403) noteRefusal(failure, { incoming, identity, options, trail })
      await fail(error, { incoming, response, identity, options })
    } finally {
      const { services, accessLog, observer } = options
      const timing = { atMs: beganAtMs, totalMs: services.env.clock.monotonicMs() - beganMs }
      const method = trail.operation ?? 'unknown'
      observer?.onEnd({ method, code: failure?.code ?? 'ok', durationMs: timing.totalMs })
      accessLog?.noteRequest({ incoming, response, trail, failure, requestId, ...timing })
      if (env.log.isDebugging) {
        env.log.debug('Answered an S3 request', { request: requestId, method, code: failure?.code ?? 'ok' })
      }
    }
  }
  return (incoming, response) => {
    const requestId = newRequestId(env)
    // Where requests go without labels, so do these.
    const label = env.nextLabel === undefined ? undefined : parseLabel(requestId)
    return underLabel(label, handle, requestId, incoming, response)
  }
}

interface Exchange {
  readonly incoming: IncomingMessage
  readonly response: ServerResponse
  readonly request: S3Request
  readonly options: HandlerOptions
  readonly requestId: string
  readonly trail: RequestTrail
  readonly signal: AbortSignal
  readonly memory: Limiter
}

async function answerRequest(exchange: Exchange): Promise<S3Answer> {
  const { options, requestId, trail, signal } = exchange
  const { accounts, caller } = await identify(exchange.request, options)
  const request = withHoistedHeaders(exchange.request, caller)
  const services: S3Services = { ...options.services, accounts }
  trail.caller = caller
  const operation = operationOf(request)
  checkHeadersAreKnown(request)
  trail.operation = operation
  const peer = peerOf(exchange.incoming, options.trustedProxies)
  trail.sourceIp = peer.sourceIp
  trail.key = request.key
  const call: S3Call = {
    ...{ services, request, operation, caller, requestId, trail, ...peer, signal },
    openBody: (maxBytes) =>
      openBody(
        exchange,
        payloadOf(request, caller, { isAboutObject: operation === 'CompleteMultipartUpload' }),
        maxBytes,
      ),
  }
  return await run(operation, call, exchange.response)
}

async function identify(
  request: S3Request,
  { services, accounts, signedRegion }: HandlerOptions,
): Promise<{ readonly accounts: Accounts; readonly caller: Authenticated }> {
  const known = await accounts.current()
  // Browsers ask before they authenticate, with whatever stands in the URL.
  if (request.method === 'OPTIONS') return { accounts: known, caller: { account: undefined, authType: undefined } }
  const options = { wallMs: services.env.clock.wallMs, region: signedRegion }
  try {
    return { accounts: known, caller: authenticate(request, { ...options, accounts: known }) }
  } catch (error) {
    if (!(error instanceof S3Error && error.code === 'InvalidAccessKeyId')) throw error
    // The key may be a new one.
    const fresh = await accounts.current({ isFresh: true })
    return { accounts: fresh, caller: authenticate(request, { ...options, accounts: fresh }) }
  }
}

async function run(operation: OperationName, call: S3Call, response: ServerResponse): Promise<S3Answer> {
  const ofService = serviceOperations[operation]
  if (ofService !== undefined) return await changing(call, call.request.bucket, () => ofService(call))
  const ofBucket = bucketOperations[operation]
  const ofObject = objectOperations[operation]
  if (ofBucket === undefined && ofObject === undefined) {
    throw new S3Error('NotImplemented', `${operation} is not implemented.`)
  }
  const { services, request, signal } = call
  const name = request.bucket as string
  const isOfOneObject = ofOneObject.test(operation)
  const bucket = await (isOfOneObject ? services.recentBuckets : services.buckets).open(name, { signal })
  call.trail.bucket = bucket
  addCorsHeaders(response, bucket, request)
  checkOwner(call, bucket, { header: 'x-amz-expected-bucket-owner' })
  await authorizeCall(call, bucket)
  const ofThis = { ...call, bucket }
  const answer =
    ofBucket !== undefined
      ? await changing(call, name, () => ofBucket(ofThis))
      : await (ofObject as NonNullable<typeof ofObject>)({ ...ofThis, key: request.key as string }).catch((error) =>
          inBucket(call, name, error),
        )
  await publishChanges(ofThis, answer)
  return answer
}

const ofOneObject = /^(?:GetObject|HeadObject|PutObject|DeleteObject|UploadPart)$/

/** An operation that may change what is known of its bucket. */
async function changing(
  { services, request }: S3Call,
  bucket: string | undefined,
  operate: () => Promise<S3Answer>,
): Promise<S3Answer> {
  if (bucket === undefined || request.method === 'GET' || request.method === 'HEAD') return await operate()
  services.recentBuckets.forget(bucket)
  try {
    return await operate()
  } finally {
    services.recentBuckets.forget(bucket)
  }
}

/** What is missing may be the bucket, which was there a moment ago. */
async function inBucket({ services, signal }: S3Call, bucket: string, error: unknown): Promise<never> {
  const isAbsence = isAshlarError(error, 'not-found') || (error instanceof S3Error && error.status === 404)
  if (isAbsence) await services.buckets.open(bucket, { signal })
  throw error
}

/** 64 bits; no secret. */
function newRequestId({ random }: Env): string {
  const word = () =>
    random
      .below(2 ** 32)
      .toString(16)
      .padStart(8, '0')
  return `${word()}${word()}`.toUpperCase()
}

/** Of every answer, refusals included: else a page could not read why. */
function addCorsHeaders(response: ServerResponse, bucket: Bucket, { headers, method }: S3Request): void {
  const rules = corsRulesOf(bucket)
  const origin = headers.get('origin')
  if (rules === undefined || origin === undefined) return
  const requestMethod = headers.get('access-control-request-method')
  for (const [name, value] of Object.entries(corsHeaders(rules, { origin, method, requestMethod }))) {
    response.setHeader(name, value)
  }
}

async function authorizeCall(call: S3Call, bucket: Bucket): Promise<void> {
  const { services, request, operation, caller, signal } = call
  const { key } = request
  // Keys of a body are asked for by themselves, and a form says who sends it.
  if (operation === 'DeleteObjects' || operation === 'PostObject') return
  const hasVersion = request.query.has('versionId')
  const subject = { action: actionOf(operation, { hasVersion }), bucket, key }
  const { ownerId } = settingsOf({ services, bucket })
  if (key === undefined || caller.account?.isRoot === true) return checkAccess(call, subject)
  const uploadId = request.query.get('uploadId')
  if (uploadId !== undefined) {
    const upload = await services.uploads.find(bucket.name, { uploadId, signal })
    const uploader = upload?.owner ?? ownerId
    return checkAccess(call, { ...subject, object: upload && { ownerId: uploader, acl: privateAcl(uploader) } })
  }
  // What is there has a say in who may read it or change its list; who writes over it is asked about the bucket.
  const info = aboutObjects.test(operation)
    ? await findObject(services.client, { bucket: bucket.name, key, objectVersion: namedVersion(request), signal })
    : undefined
  const requestTags = request.headers.has('x-amz-tagging') ? writtenTags(request) : undefined
  const asked = { ...subject, requestTags, object: info && objectAccess(info, ownerId), existingTags: info?.tags }
  if (mayAccess(call, asked)) return
  // That a key is not there is told to whoever may list it.
  throw info === undefined && aboutObjects.test(operation) ? missingKey(call, { bucket, key }) : accessDenied()
}

/** What is named wrongly is refused by the operation. */
function namedVersion({ query }: S3Request): number | undefined {
  const versionId = query.get('versionId')
  return versionId === undefined ? undefined : versionNumberOf(versionId)
}

const aboutObjects = /^(?:GetObject|HeadObject|PutObjectAcl|PutObjectTagging|DeleteObjectTagging)/

function openBody(
  { incoming, response, request, memory, options, signal }: Exchange,
  payload: Payload,
  maxBytes: number,
): BodyReader {
  const { env } = options.services
  const lengthBytes = Number(incoming.headers['content-length'] ?? 0)
  const isShort = lengthBytes > 0 && lengthBytes <= limits.smallTransferBytes
  const source = isShort
    ? () => receiveWhole(incoming, { lengthBytes, clock: env.clock })
    : incoming.iterator({ destroyOnReturn: false })
  const body = new BodyReader(source, {
    env,
    payload,
    maxBytes,
    isSourceOwned: true,
    maxChunkBytes: limits.s3ChunkBytes,
    hold: async (sizeBytes) => {
      await memory.acquire(sizeBytes, signal)
      return () => memory.release(sizeBytes)
    },
  })
  if (request.headers.get('expect')?.toLowerCase() === '100-continue') response.writeContinue()
  return body
}

/** A body that was not read to its end would be taken for the next request. */
function endUnread(incoming: IncomingMessage, response: ServerResponse): void {
  if (incoming.complete || response.headersSent) return
  const length = incoming.headers['content-length']
  const hasBody = incoming.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')
  if (hasBody) response.setHeader('Connection', 'close')
}

/** So that `ashlar s3 explain-deny` can say why. */
function noteRefusal(
  failure: S3Error | undefined,
  {
    incoming,
    identity,
    options,
    trail,
  }: Pick<Exchange, 'incoming' | 'options' | 'trail'> & { readonly identity: Identity },
): void {
  const { requestId, resource } = identity
  options.refusals.note({
    ...{ requestId, resource, method: incoming.method ?? '', atMs: options.services.env.clock.wallMs() },
    code: failure?.code ?? 'AccessDenied',
    message: failure?.message ?? 'Some of what the request asked for was refused.',
    ...trail.facts(),
  })
}

async function fail(
  error: unknown,
  {
    incoming,
    response,
    identity,
    options,
  }: Pick<Exchange, 'incoming' | 'response' | 'options'> & { readonly identity: Identity },
): Promise<void> {
  const failure = toS3Error(error)
  if (
    failure.status >= 500 &&
    failure.code !== 'NotImplemented' &&
    !isAshlarError(error, 'cancelled', 'connection-lost')
  ) {
    const { requestId } = identity
    options.services.env.log.error('An S3 request failed', { request: requestId, method: incoming.method, error })
  }
  if (response.headersSent || response.destroyed) {
    // The length was promised: only a cut connection says that the bytes are not whole.
    response.destroy()
    return
  }
  for (const name of response.getHeaderNames()) {
    if (!name.startsWith('access-control-') && name !== 'vary') response.removeHeader(name)
  }
  endUnread(incoming, response)
  await sendAnswer(response, errorAnswer(failure, identity), identity)
}

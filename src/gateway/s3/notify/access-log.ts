/**
 * Access logs of buckets, as PutBucketLogging asks for them: one line a request, in S3's own format, stored as objects of the target
 * bucket every minute or so. Best effort, as S3's are: what a gateway has not stored yet when it dies is lost, and past
 * `limits.s3LogBufferBytes` lines are dropped and counted.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { limits } from '../../../base/limits.ts'
import { type AshlarClient, isAshlarError } from '../../../client/index.ts'
import type { Env } from '../../../env/env.ts'
import { sleep } from '../../../env/waiting.ts'
import type { RequestTrail } from '../door/refusals.ts'
import { isBucketName } from '../rules/bucket-name.ts'
import type { S3Error } from '../rules/s3-error.ts'
import { loggingOf } from '../store/bucket-settings.ts'
import { objectPath } from '../store/object-path.ts'
import { type LoggedRequest, logLine } from './log-line.ts'
import { batchName, type LogTarget, logKey } from './log-target.ts'

export interface FinishedRequest {
  readonly incoming: IncomingMessage
  readonly response: ServerResponse
  readonly trail: RequestTrail
  readonly failure: S3Error | undefined
  readonly requestId: string
  readonly atMs: number
  readonly totalMs: number
}

/** A target with so many bytes is stored at once. */
const objectBytes = 1024 * 1024

interface Buffered {
  readonly target: LogTarget
  /** The first of its requests. */
  readonly first: LoggedRequest
  readonly lines: string[]
  sizeBytes: number
}

export interface AccessLogOptions {
  readonly env: Env
  readonly client: AshlarClient
  /** The owner of buckets that name none. */
  readonly rootId: string
  readonly region: string
  /** Between two objects of one log. */
  readonly everyMs: number
}

export class AccessLog implements AsyncDisposable {
  readonly #env: Env
  readonly #client: AshlarClient
  readonly #end = new AbortController()
  readonly #work: Promise<void>
  #wake = new AbortController()
  #buffered = new Map<string, Buffered>()
  #sizeBytes = 0
  #droppedLines = 0

  readonly #rootId: string
  readonly #region: string
  readonly #everyMs: number

  constructor({ env, client, rootId, region, everyMs }: AccessLogOptions) {
    this.#env = env
    this.#client = client
    this.#rootId = rootId
    this.#region = region
    this.#everyMs = everyMs
    this.#work = this.#run()
  }

  /** Once its answer has gone out, or not. Costs nothing where its bucket keeps no log. */
  noteRequest({ incoming, response, trail, failure, ...request }: FinishedRequest): void {
    const { bucket, caller } = trail
    const target = bucket && loggingOf(bucket)
    if (bucket === undefined || target === undefined) return
    const { headers, method = '', url = '' } = incoming
    const sent = Number(response.getHeader('content-length') ?? 0)
    this.note(target, {
      ...request,
      ...{ method, url, operation: trail.operation, sourceIp: trail.sourceIp, key: trail.key },
      bucket: bucket.name,
      ownerId: bucket.ownerId ?? this.#rootId,
      userId: caller?.account?.id,
      status: response.statusCode,
      errorCode: failure?.code,
      sentBytes: method === 'HEAD' || !Number.isSafeInteger(sent) ? 0 : sent,
      referrer: headers.referer,
      userAgent: headers['user-agent'],
      host: headers.host,
      signatureVersion: caller?.signatureVersion,
      authType: caller?.authType,
    })
  }

  note(target: LogTarget, request: LoggedRequest): void {
    const line = logLine(request)
    const sizeBytes = Buffer.byteLength(line) + 1
    if (this.#sizeBytes + sizeBytes > limits.s3LogBufferBytes) {
      this.#droppedLines++
      return
    }
    const name = batchName(target, request)
    let buffered = this.#buffered.get(name)
    if (buffered === undefined) {
      buffered = { target, first: request, lines: [], sizeBytes: 0 }
      this.#buffered.set(name, buffered)
    }
    buffered.lines.push(line)
    buffered.sizeBytes += sizeBytes
    this.#sizeBytes += sizeBytes
    if (buffered.sizeBytes >= objectBytes) this.#wake.abort()
  }

  /** Stores what there is. */
  async store(): Promise<void> {
    const all = [...this.#buffered.values()]
    this.#buffered = new Map()
    for (const buffered of all) {
      try {
        await this.#storeOne(buffered)
      } catch (error) {
        const { target, lines } = buffered
        this.#env.log.error('Lines of an S3 access log are lost: they could not be stored', {
          bucket: target.targetBucket,
          lines: lines.length,
          error,
        })
      }
      this.#sizeBytes -= buffered.sizeBytes
    }
    if (this.#droppedLines === 0) return
    this.#env.log.error('Lines of S3 access logs are lost: they came faster than they could be stored', {
      lines: this.#droppedLines,
    })
    this.#droppedLines = 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort()
    await this.#work
  }

  async #run(): Promise<void> {
    const { signal } = this.#end
    while (!signal.aborted) {
      try {
        await sleep(this.#env.clock, this.#everyMs, signal, this.#wake.signal)
      } catch (error) {
        // Woken, or ended: either way there is something to store.
        if (!isAshlarError(error, 'cancelled')) throw error
      }
      // Before it is stored: what becomes full meanwhile wakes the next turn.
      this.#wake = new AbortController()
      await this.store()
    }
    // What was noted while the last objects went out.
    await this.store()
  }

  async #storeOne({ target, first, lines }: Buffered): Promise<void> {
    const { targetBucket } = target
    if (!isBucketName(targetBucket) || !(await this.#client.exists(`/${targetBucket}`))) return
    const key = logKey(target, first, {
      region: this.#region,
      nowMs: this.#env.clock.wallMs(),
      unique: this.#env.random.bytes(8).toString('hex').toUpperCase(),
    })
    await this.#client.writeFile(objectPath(targetBucket, key), `${lines.join('\n')}\n`, { makeParents: true })
  }
}

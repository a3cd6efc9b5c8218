/**
 * A request to an S3 door, signed with the root key: what the command line asks of it itself. Answers are bounded and have a
 * deadline.
 * @module
 */
import { createHash } from 'node:crypto'
import { AshlarError } from '../../base/errors.ts'
import type { Env } from '../../env/env.ts'
import { formatTimestamp } from '../../gateway/s3/auth/request-times.ts'
import { canonicalRequest, scopeText, signatureOf, signingKey } from '../../gateway/s3/auth/signature-v4.ts'
import type { RootKey } from '../../gateway/s3/auth/stored-accounts.ts'
import { parseS3Request } from '../../gateway/s3/request/s3-request.ts'
import { parseXml } from '../../gateway/s3/xml/parse-xml.ts'

export interface S3Answer {
  readonly status: number
  readonly body: Buffer
  /** S3's code of an error. */
  readonly code: string | undefined
  readonly message: string | undefined
}

const timeoutMs = 30_000
const answerMaxBytes = 1024 * 1024

export class SignedRequests {
  readonly #env: Env
  readonly #endpoint: URL
  readonly #key: RootKey
  readonly #stop: AbortSignal

  /** @throws {AshlarError} `invalid-argument`: the endpoint is no URL of HTTP */
  constructor({ env, endpoint, key, stop }: { env: Env; endpoint: string; key: RootKey; stop: AbortSignal }) {
    const url = URL.parse(endpoint)
    if (url === null || !/^https?:$/.test(url.protocol)) {
      throw new AshlarError('invalid-argument', `Cannot use the S3 endpoint "${endpoint.slice(0, 200)}": it is no URL`)
    }
    this.#env = env
    this.#endpoint = url
    this.#key = key
    this.#stop = stop
  }

  /**
   * @param target path and query, encoded
   * @throws {AshlarError} `unavailable`: nobody answers there
   */
  async send(method: string, target: string, body: string | undefined = undefined): Promise<S3Answer> {
    const bytes = Buffer.from(body ?? '')
    const headers = this.#signed(method, target, bytes)
    let response: Response
    let answer: Buffer
    try {
      response = await fetch(new URL(target, this.#endpoint), {
        ...{ method, headers, redirect: 'error' },
        ...(body === undefined ? {} : { body: bytes }),
        signal: AbortSignal.any([this.#stop, AbortSignal.timeout(timeoutMs)]),
      })
      answer = await whole(response)
    } catch (cause) {
      if (cause instanceof AshlarError) throw cause
      throw new AshlarError('unavailable', `Cannot reach the S3 door at ${this.#endpoint.origin}: is it running?`, {
        cause,
      })
    }
    const isXml = response.status >= 400 && answer.length > 0
    const error = isXml ? parseXml(answer) : undefined
    return { status: response.status, body: answer, code: error?.textOf('Code'), message: error?.textOf('Message') }
  }

  #signed(method: string, target: string, body: Buffer): Record<string, string> {
    const { accessKeyId, secretAccessKey } = this.#key
    const timestamp = formatTimestamp(this.#env.clock.wallMs())
    const payloadHash = createHash('sha256').update(body).digest('hex')
    const headers = { host: this.#endpoint.host, 'x-amz-content-sha256': payloadHash, 'x-amz-date': timestamp }
    const scope = { accessKeyId, day: timestamp.slice(0, 8), region: 'us-east-1', service: 's3' }
    const signedHeaders = Object.keys(headers)
    const request = parseS3Request({ method, url: target, rawHeaders: Object.entries(headers).flat() }, [])
    const context = { key: signingKey(secretAccessKey, scope), timestamp, scope: scopeText(scope) }
    const signature = signatureOf(canonicalRequest(request, { signedHeaders, payloadHash }), context)
    const { host: _, ...sent } = headers
    return {
      ...sent,
      authorization: `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scopeText(scope)}, SignedHeaders=${signedHeaders.join(';')}, Signature=${signature}`,
    }
  }
}

async function whole(response: Response): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  let sizeBytes = 0
  for await (const piece of response.body ?? []) {
    sizeBytes += piece.length
    if (sizeBytes > answerMaxBytes) throw new AshlarError('protocol', 'Cannot read an answer of S3: it is too long')
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}

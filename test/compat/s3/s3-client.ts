/**
 * A small S3 client for tests: raw requests over `node:http`, signed with version 4, with everything in the caller's hands.
 * @module
 */
import { createHash } from 'node:crypto'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { formatTimestamp } from '../../../src/gateway/s3/auth/request-times.ts'
import { canonicalRequest, scopeText, signatureOf, signingKey } from '../../../src/gateway/s3/auth/signature-v4.ts'
import { parseS3Request } from '../../../src/gateway/s3/request/s3-request.ts'
import { parseXml, type XmlElement } from '../../../src/gateway/s3/xml/parse-xml.ts'

export interface S3Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

export interface S3RequestOptions {
  /** Bytes on the wire. */
  readonly body?: Uint8Array | string
  readonly headers?: Readonly<Record<string, string>>
  /** `x-amz-content-sha256`. Default: the hash of the body. */
  readonly payloadHash?: string
  readonly anonymous?: boolean
  /** Ends it, and the answer. */
  readonly signal?: AbortSignal
}

export interface S3Response {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
  /** Of an error. */
  readonly code: string | undefined
  xml(): XmlElement
}

export class S3Client {
  readonly #endpoint: URL
  readonly #credentials: S3Credentials

  constructor(endpoint: string, credentials: S3Credentials) {
    this.#endpoint = new URL(endpoint)
    this.#credentials = credentials
  }

  as(credentials: S3Credentials): S3Client {
    return new S3Client(this.#endpoint.href, credentials)
  }

  /** @param url path and query as they go into the request line */
  async send(method: string, url: string, options: S3RequestOptions = {}): Promise<S3Response> {
    const body = typeof options.body === 'string' ? Buffer.from(options.body) : (options.body ?? Buffer.alloc(0))
    const headers = this.sign(method, url, { ...options, body })
    const outgoing = httpRequest({
      host: this.#endpoint.hostname,
      port: this.#endpoint.port,
      method,
      path: url,
      headers: { ...headers, 'content-length': body.length },
      signal: options.signal,
    })
    const incoming = await new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.once('response', resolve)
      outgoing.once('error', reject)
      outgoing.end(body)
    })
    const pieces: Buffer[] = []
    for await (const piece of incoming) pieces.push(piece as Buffer)
    const answer = Buffer.concat(pieces)
    const status = incoming.statusCode ?? 0
    return {
      status,
      headers: incoming.headers,
      body: answer,
      code: status >= 400 && answer.length > 0 ? parseXml(answer).textOf('Code') : undefined,
      xml: () => parseXml(answer),
    }
  }

  /** The headers of a signed request. */
  sign(method: string, url: string, options: S3RequestOptions & { readonly body: Uint8Array }): Record<string, string> {
    const host = this.#endpoint.host
    if (options.anonymous) return { host, ...options.headers }
    const timestamp = formatTimestamp(Date.now())
    const payloadHash = options.payloadHash ?? createHash('sha256').update(options.body).digest('hex')
    const headers = { host, 'x-amz-date': timestamp, 'x-amz-content-sha256': payloadHash, ...options.headers }
    const scope = {
      accessKeyId: this.#credentials.accessKeyId,
      day: timestamp.slice(0, 8),
      region: 'us-east-1',
      service: 's3',
    }
    const signedHeaders = Object.keys(headers)
      .map((name) => name.toLowerCase())
      .sort()
    const request = parseS3Request({ method, url, rawHeaders: Object.entries(headers).flat() }, [])
    const context = { key: signingKey(this.#credentials.secretAccessKey, scope), timestamp, scope: scopeText(scope) }
    const signature = signatureOf(canonicalRequest(request, { signedHeaders, payloadHash }), context)
    const authorization = `AWS4-HMAC-SHA256 Credential=${scope.accessKeyId}/${scopeText(scope)}, SignedHeaders=${signedHeaders.join(';')}, Signature=${signature}`
    return { ...headers, authorization }
  }
}

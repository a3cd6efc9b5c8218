/**
 * A large upload in parts that outlives its gateway and a chunk server: both are killed in between, the client asks which parts are
 * there and sends the others, completes, and every byte is read back and compared.
 *
 *     node test/faults/resumed-upload.ts --size 5GiB [--part 64MiB] [--encrypt]
 *
 * The bytes of a part are made from its number, so that nothing is kept but what is under way.
 * @module
 */
import { createHash } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { parseSize } from '../../src/base/sizes.ts'
import type { S3Client, S3Response } from '../compat/s3/s3-client.ts'
import { GatewayProcess } from './gateway-process.ts'
import { HandCluster } from './hand-cluster.ts'
import { TemporaryFolder } from './preloaded.ts'

export interface ResumedUploadOptions {
  readonly sizeBytes: number
  /** All parts but the last; at least 5 MiB. */
  readonly partBytes: number
  /** SSE-S3. */
  readonly isEncrypted?: boolean
  readonly say?: (line: string) => void
}

export interface ResumedUploadResult {
  readonly parts: number
  /** That were there when the client asked, after the kill. */
  readonly partsKept: number
  /** Requests that had no answer, or another than 2xx, and were sent again. */
  readonly failures: number
  readonly elapsedMs: number
}

const object = '/resumed/object'
const sentAtOnce = 3
const attempts = 60
const megabyte = 1024 ** 2

/** @throws whatever is not as it was acknowledged */
export async function runResumedUpload(options: ResumedUploadOptions): Promise<ResumedUploadResult> {
  using folder = new TemporaryFolder()
  const capacity = String(Math.ceil(options.sizeBytes * 1.25) + 256 * megabyte)
  const cluster = new HandCluster(folder.path, { capacity })
  const gateway = new GatewayProcess(cluster.clusterPath)
  try {
    await cluster.start()
    await gateway.start()
    return await new ResumedUpload({ cluster, gateway }, options).run()
  } finally {
    await gateway.end('SIGKILL')
    await cluster.killAll()
  }
}

class ResumedUpload {
  readonly #cluster: HandCluster
  readonly #gateway: GatewayProcess
  readonly #options: ResumedUploadOptions
  readonly #client: S3Client
  readonly #partCount: number
  #failures = 0
  #url = ''

  constructor(
    { cluster, gateway }: { readonly cluster: HandCluster; readonly gateway: GatewayProcess },
    options: ResumedUploadOptions,
  ) {
    this.#cluster = cluster
    this.#gateway = gateway
    this.#options = options
    this.#client = gateway.client
    this.#partCount = Math.ceil(options.sizeBytes / options.partBytes)
  }

  async run(): Promise<ResumedUploadResult> {
    const startedMs = performance.now()
    await this.#insist('PUT', '/resumed')
    const headers: Record<string, string> =
      this.#options.isEncrypted === true ? { 'x-amz-server-side-encryption': 'AES256' } : {}
    const begun = await this.#insist('POST', `${object}?uploads`, { headers })
    this.#url = `${object}?uploadId=${begun.xml().textOf('UploadId')}`
    const numbers = Array.from({ length: this.#partCount }, (_, index) => index + 1)
    const killAt = Math.max(1, Math.floor(this.#partCount * 0.4))
    await this.#sendParts(numbers.slice(0, killAt))
    // In the midst of the next ones.
    const rest = numbers.slice(killAt)
    const first = this.#sendParts(rest.slice(0, sentAtOnce), { isOnce: true })
    await wait(30)
    const [server] = this.#cluster.chunkServers
    await Promise.all([this.#gateway.end('SIGKILL'), server && this.#cluster.end(server, 'SIGKILL')])
    await first
    this.#say(`the gateway and ${server} were killed after ${killAt} of ${this.#partCount} parts`)
    await this.#gateway.start()
    const kept = await this.#partsThere()
    for (const number of numbers.slice(0, killAt)) {
      if (!kept.has(number)) throw new Error(`part ${number} was acknowledged, and is not there`)
    }
    const missing = numbers.filter((number) => !kept.has(number))
    const half = Math.ceil(missing.length / 2)
    await this.#sendParts(missing.slice(0, half))
    if (server !== undefined) await this.#cluster.startOne(server)
    this.#say(`${server} is back`)
    await this.#sendParts(missing.slice(half))
    await this.#complete()
    await this.#compare()
    const elapsedMs = Math.round(performance.now() - startedMs)
    return { parts: this.#partCount, partsKept: kept.size, failures: this.#failures, elapsedMs }
  }

  async #sendParts(numbers: readonly number[], { isOnce = false } = {}): Promise<void> {
    const left = numbers.values()
    await Promise.all(
      Array.from({ length: sentAtOnce }, async () => {
        for (const number of left) {
          const body = this.#bytesOf(number)
          const sent = await this.#insist('PUT', `${this.#url}&partNumber=${number}`, { body, isOnce })
          if (sent.status === 200 && sent.headers.etag !== `"${md5(body)}"`) throw new Error(`part ${number}: its tag`)
        }
      }),
    )
  }

  /** What a client asks that goes on with an upload. */
  async #partsThere(): Promise<Set<number>> {
    const numbers = new Set<number>()
    let marker = 0
    for (;;) {
      const page = (await this.#insist('GET', `${this.#url}&part-number-marker=${marker}`)).xml()
      for (const part of page.all('Part')) {
        const number = Number(part.textOf('PartNumber'))
        const body = this.#bytesOf(number)
        if (Number(part.textOf('Size')) !== body.length || part.textOf('ETag') !== `"${md5(body)}"`) {
          throw new Error(`part ${number} is listed as another one`)
        }
        numbers.add(number)
      }
      if (page.textOf('IsTruncated') !== 'true') return numbers
      marker = Number(page.textOf('NextPartNumberMarker'))
    }
  }

  async #complete(): Promise<void> {
    const tags = Array.from({ length: this.#partCount }, (_, index) => md5(this.#bytesOf(index + 1)))
    const listed = tags.map((tag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>"${tag}"</ETag></Part>`)
    const body = `<CompleteMultipartUpload>${listed.join('')}</CompleteMultipartUpload>`
    const done = await this.#insist('POST', this.#url, { body })
    const whole = createHash('md5')
      .update(Buffer.from(tags.join(''), 'hex'))
      .digest('hex')
    if (done.xml().textOf('ETag') !== `"${whole}-${tags.length}"`) throw new Error('the object has another tag')
    this.#say(`completed: ${tags.length} parts`)
  }

  /** By ranges that are no parts. */
  async #compare(): Promise<void> {
    const { partBytes, sizeBytes } = this.#options
    const head = await this.#insist('HEAD', object)
    if (Number(head.headers['content-length']) !== sizeBytes) throw new Error('the object has another size')
    for (let number = 1; number <= this.#partCount; number++) {
      const body = this.#bytesOf(number)
      const start = (number - 1) * partBytes
      const middle = start + Math.floor(body.length / 2)
      for (const [from, to] of [
        [start, middle],
        [middle, start + body.length],
      ] as const) {
        const found = await this.#insist('GET', object, { headers: { range: `bytes=${from}-${to - 1}` } })
        if (!found.body.equals(body.subarray(from - start, to - start))) throw new Error(`part ${number} reads wrong`)
      }
    }
  }

  /** Sends it again until it is answered well; with `isOnce` whatever becomes of it is the answer. */
  async #insist(
    method: string,
    url: string,
    {
      isOnce = false,
      ...options
    }: { readonly body?: Buffer | string; readonly headers?: Record<string, string>; readonly isOnce?: boolean } = {},
  ): Promise<S3Response> {
    for (let attempt = 1; ; attempt++) {
      try {
        const signal = AbortSignal.timeout(120_000)
        const answer = await this.#client.send(method, url, { ...options, signal })
        if (answer.status < 300) return answer
        if (answer.status < 500) throw new Error(`${method} ${url} was answered ${answer.status} ${answer.body}`)
        this.#failures++
        if (isOnce) return answer
      } catch (error) {
        if (!isNoAnswer(error)) throw error
        this.#failures++
        if (isOnce) return noAnswer
      }
      if (attempt === attempts) throw new Error(`${method} ${url} is not answered`)
      await wait(500)
    }
  }

  #bytesOf(number: number): Buffer {
    const { partBytes, sizeBytes } = this.#options
    const bytes = Buffer.alloc(Math.min(partBytes, sizeBytes - (number - 1) * partBytes), pattern)
    for (let at = 0; at + 8 <= bytes.length; at += megabyte) {
      bytes.writeUInt32LE(number, at)
      bytes.writeUInt32LE(at, at + 4)
    }
    return bytes
  }

  #say(line: string): void {
    this.#options.say?.(line)
  }
}

/** So long that no two blocks of a chunk are alike. */
const pattern = createHash('shake256', { outputLength: 100_003 }).update('resumed upload').digest()

const noAnswer: S3Response = {
  ...{ status: 0, headers: {}, body: Buffer.alloc(0), code: undefined },
  xml: () => {
    throw new Error('there was no answer')
  },
}

function isNoAnswer(error: unknown): boolean {
  const { code, name } = error as { readonly code?: string; readonly name?: string }
  return code !== undefined || name === 'AbortError' || name === 'TimeoutError'
}

function md5(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('hex')
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      size: { type: 'string', default: '5GiB' },
      part: { type: 'string', default: '64MiB' },
      encrypt: { type: 'boolean', default: false },
    },
  })
  const result = await runResumedUpload({
    sizeBytes: parseSize(values.size),
    partBytes: parseSize(values.part),
    isEncrypted: values.encrypt,
    say: (line) => process.stdout.write(`${line}\n`),
  })
  process.stdout.write(`${JSON.stringify(result)}\n`)
}

if (import.meta.main) await main()

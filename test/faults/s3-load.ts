/**
 * The mixed load with S3 as the door: puts and overwrites, encrypted ones among them, uploads in parts, copies and deletes, by
 * workers that each own their keys. An answer of 2xx is an acknowledgement; 4xx promises that nothing happened; whatever else, and
 * no answer, leaves a doubt.
 * @module
 */
import type { S3Client, S3RequestOptions, S3Response } from '../compat/s3/s3-client.ts'
import { bytesOf, type Content, type History, type State } from './history.ts'

const workers = 12
const keysPerWorker = 24
const partBytes = 5 * 1024 ** 2
const requestTimeoutMs = 10_000
/** What is under way when the load stops gets so long: where all servers are down, nothing comes any more. */
const stopWithinMs = 1_500
export const loadBucket = 'load'

export interface S3LoadOptions {
  readonly client: S3Client
  readonly history: History
  /** In [0, 1). */
  readonly random: () => number
}

export class S3Load {
  readonly #client: S3Client
  readonly #history: History
  readonly #random: () => number
  readonly #running: Promise<void>[] = []
  /** Paths whose last operation may yet be applied: nothing more is done to them. */
  readonly #inDoubt = new Set<string>()
  readonly #abandon = new AbortController()
  #isStopping = false
  readonly surprises: unknown[] = []
  operations = 0

  constructor({ client, history, random }: S3LoadOptions) {
    this.#client = client
    this.#history = history
    this.#random = random
  }

  start(): void {
    for (let worker = 0; worker < workers; worker++) this.#running.push(this.#work(worker))
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    const late = setTimeout(() => this.#abandon.abort(), stopWithinMs)
    await Promise.all(this.#running)
    clearTimeout(late)
  }

  async #work(worker: number): Promise<void> {
    while (!this.#isStopping) {
      const path = this.#pathOf(worker)
      if (this.#inDoubt.has(path)) {
        await pause()
        continue
      }
      const isDone = await this.#step(path, worker)
      if (isDone) this.operations++
      else if (!this.#isStopping) await pause()
    }
  }

  #pathOf(worker: number): string {
    return `/${loadBucket}/w${worker}/k${Math.floor(this.#random() * keysPerWorker)}`
  }

  async #step(path: string, worker: number): Promise<boolean> {
    const chance = this.#random()
    const current = this.#history.current(path)
    if (current === undefined || chance < 0.65) return await this.#write(path)
    if (chance < 0.82) return await this.#copy(path, this.#pathOf(worker))
    return await this.#attempt(path, undefined, () => this.#send('DELETE', path))
  }

  async #write(path: string): Promise<boolean> {
    const content = this.#content()
    const headers: Record<string, string> = this.#random() < 0.3 ? { 'x-amz-server-side-encryption': 'AES256' } : {}
    const isInParts = content.length > partBytes
    return await this.#attempt(path, content, () =>
      isInParts
        ? this.#upload(path, { body: bytesOf(content), headers })
        : this.#send('PUT', path, { body: bytesOf(content), headers }),
    )
  }

  async #upload(
    path: string,
    { body, headers }: { readonly body: Buffer; readonly headers: Record<string, string> },
  ): Promise<S3Response> {
    const begun = await this.#send('POST', `${path}?uploads`, { headers })
    if (begun.status !== 200) return begun
    const uploadId = begun.xml().textOf('UploadId')
    const listed: string[] = []
    for (let at = 0, number = 1; at < body.length; at += partBytes, number++) {
      const url = `${path}?partNumber=${number}&uploadId=${uploadId}`
      const sent = await this.#send('PUT', url, { body: body.subarray(at, at + partBytes) })
      if (sent.status !== 200) return sent
      listed.push(`<Part><PartNumber>${number}</PartNumber><ETag>${sent.headers.etag}</ETag></Part>`)
    }
    const document = `<CompleteMultipartUpload>${listed.join('')}</CompleteMultipartUpload>`
    return await this.#send('POST', `${path}?uploadId=${uploadId}`, { body: document })
  }

  async #copy(from: string, to: string): Promise<boolean> {
    if (from === to || this.#inDoubt.has(to)) return true
    const copied = this.#history.current(from)
    return await this.#attempt(to, copied, () => this.#send('PUT', to, { headers: { 'x-amz-copy-source': from } }))
  }

  /** @returns whether it was acknowledged */
  async #attempt(path: string, state: State, act: () => Promise<S3Response>): Promise<boolean> {
    this.#history.begin(path, state)
    let status: number
    try {
      status = (await act()).status
    } catch {
      // No answer: the fault, as a client sees it.
      this.#inDoubt.add(path)
      return false
    }
    if (status >= 200 && status < 300) this.#history.acknowledge(path)
    else if (status >= 400 && status < 500) this.#history.refuse(path)
    else this.#inDoubt.add(path)
    if (status >= 400 && status < 500) this.surprises.push(new Error(`${path} was answered ${status}`))
    return status < 300
  }

  async #send(method: string, url: string, options: S3RequestOptions = {}): Promise<S3Response> {
    const signal = AbortSignal.any([AbortSignal.timeout(requestTimeoutMs), this.#abandon.signal])
    return await this.#client.send(method, url, { ...options, signal })
  }

  #content(): Content {
    const chance = this.#random()
    const seed = Math.floor(this.#random() * 2 ** 32)
    const below = (bytes: number) => 1 + Math.floor(this.#random() * bytes)
    if (chance < 0.1) return { seed, length: 0 }
    if (chance < 0.75) return { seed, length: below(20_000) }
    if (chance < 0.97) return { seed, length: below(400_000) }
    return { seed, length: below(2 * partBytes) }
  }
}

/** @returns undefined: there is none @throws whatever is neither an object nor its absence */
export async function readObject(client: S3Client, path: string): Promise<Buffer | undefined> {
  const { status, body } = await client.send('GET', path, { signal: AbortSignal.timeout(30_000) })
  if (status === 404) return undefined
  if (status === 200) return body
  throw new Error(`${path} was answered ${status}: ${body}`)
}

/** Every key of the bucket of the load, as paths. */
export async function listObjects(client: S3Client): Promise<string[]> {
  const paths: string[] = []
  let after: string | undefined = ''
  while (after !== undefined) {
    const url = `/${loadBucket}?list-type=2&start-after=${encodeURIComponent(after)}`
    const page = await client.send('GET', url, { signal: AbortSignal.timeout(30_000) })
    if (page.status !== 200) throw new Error(`the list was answered ${page.status}: ${page.body}`)
    const keys = page
      .xml()
      .all('Contents')
      .map((entry) => entry.textOf('Key') ?? '')
    paths.push(...keys.map((key) => `/${loadBucket}/${key}`))
    after = page.xml().textOf('IsTruncated') === 'true' ? keys.at(-1) : undefined
  }
  return paths
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20))
}

/**
 * Chunks become the end of a file, under an expected-length check; the file is made when there is none.
 *
 * Without an expected length of the caller's, a lost race before the first commit is tried again at the new end. What
 * is more than one commit takes goes in steps; then a lost race between them is `changed`, with the earlier steps done.
 * @module
 */
import { combineCrc32 } from '../base/crc.ts'
import { AshlarError, isAshlarError } from '../base/errors.ts'
import { stat } from '../wire/methods/file-methods.ts'
import { appendFile } from '../wire/methods/write-methods.ts'
import { type ExtentSink, proofOf } from './extent-sink.ts'
import { commitWhole } from './file-sink.ts'
import { FileStats } from './file-stats.ts'
import type { MasterLink } from './master-link.ts'
import type { ProvenChunk } from './proven-chunk.ts'
import type { Session } from './session.ts'

const maxRaces = 32

export class AppendSink implements ExtentSink {
  readonly #session: Session
  readonly #link: MasterLink
  readonly #path: string
  readonly #signal: AbortSignal | undefined
  readonly #isLengthGiven: boolean
  /** Of the file, as far as is known; undefined: nobody looked yet, or there is none. */
  #length: number | undefined
  #stats: FileStats | undefined

  constructor(
    services: { readonly session: Session; readonly link: MasterLink },
    target: {
      readonly path: string
      readonly expectedLength: number | undefined
      readonly signal: AbortSignal | undefined
    },
  ) {
    this.#session = services.session
    this.#link = services.link
    this.#path = target.path
    this.#signal = target.signal
    this.#length = target.expectedLength
    this.#isLengthGiven = target.expectedLength !== undefined
  }

  async stage(): Promise<void> {
    return undefined
  }

  async add(chunks: readonly ProvenChunk[]): Promise<void> {
    for (let race = 1; ; race++) {
      try {
        await this.#append(chunks)
        return
      } catch (error) {
        const isLost = isAshlarError(error, 'changed', 'already-exists', 'not-found')
        const isFirst = this.#stats === undefined
        if (!isLost || !isFirst || this.#isLengthGiven || race === maxRaces) throw error
        this.#length = undefined
      }
    }
  }

  async finish(chunks: readonly ProvenChunk[]): Promise<FileStats> {
    if (chunks.length > 0 || this.#stats === undefined) await this.add(chunks)
    return this.#stats as FileStats
  }

  explained(error: unknown): unknown {
    if (this.#stats === undefined || !isAshlarError(error)) return error
    return new AshlarError(
      error.code,
      `Cannot append to ${this.#path}: ${this.#stats.size} bytes are there, with the first steps, and then: ${error.message}`,
      { cause: error, applied: 'unknown', details: { ...error.details, length: this.#stats.size } },
    )
  }

  async abandon(): Promise<void> {
    return undefined
  }

  async #append(chunks: readonly ProvenChunk[]): Promise<void> {
    this.#length ??= await this.#currentLength()
    const crc = chunks.reduce((sum, { extent }) => combineCrc32(sum, extent.crc, extent.length), 0)
    const length = chunks.reduce((sum, { extent }) => sum + extent.length, 0)
    if (this.#length === undefined) {
      const target = {
        path: this.#path,
        precondition: { ifAbsent: true },
        attributes: {},
        makeParents: false,
        signal: this.#signal,
      }
      this.#taken(await commitWhole(this.#session, target, { chunks, length, crc }))
      return
    }
    const body = { path: this.#path, expectedLength: this.#length, crc, ...proofOf(chunks) }
    const { value } = await this.#session.mutate(appendFile, body, { signal: this.#signal })
    this.#taken(new FileStats(value.attributes))
  }

  #taken(stats: FileStats): void {
    this.#stats = stats
    this.#length = stats.size
  }

  async #currentLength(): Promise<number | undefined> {
    try {
      const { value } = await this.#link.call(stat, { path: this.#path }, { signal: this.#signal })
      if (value.attributes.kind === 'file') return value.attributes.length
    } catch (error) {
      if (!isAshlarError(error, 'not-found')) throw error
      return undefined
    }
    throw new AshlarError('is-a-directory', `Cannot append to ${this.#path}: it is a directory`)
  }
}

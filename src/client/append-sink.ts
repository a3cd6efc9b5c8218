/**
 * Chunks become the end of a file, whole, under an expected-length check; the file is made when there is none.
 *
 * A few chunks go in one commit; many through a hidden inode, which only the last request attaches. Without an expected
 * length of the caller's, a race that was lost for certain is run again at the new end.
 * @module
 */
import { AshlarError, isAshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { stat } from '../wire/methods/file-methods.ts'
import { appendFile, linkAppend, linkFile } from '../wire/methods/write-methods.ts'
import type { Background } from './background.ts'
import { type ExtentSink, type FileTotals, proofOf } from './extent-sink.ts'
import { commitWhole } from './file-sink.ts'
import { FileStats } from './file-stats.ts'
import type { MasterLink } from './master-link.ts'
import type { ProvenChunk } from './proven-chunk.ts'
import type { Session } from './session.ts'
import { StagedExtents } from './staged-extents.ts'

const maxRaces = 32

/** Of a file that is to be made. */
const madeAnew = { precondition: { ifAbsent: true }, attributes: {}, makeParents: false } as const

export class AppendSink implements ExtentSink {
  readonly #session: Session
  readonly #link: MasterLink
  readonly #path: string
  readonly #signal: AbortSignal | undefined
  readonly #expectedLength: number | undefined
  readonly #staged: StagedExtents
  #early: Promise<number | undefined> | undefined

  constructor(
    services: { readonly session: Session; readonly link: MasterLink; readonly background: Background },
    target: {
      readonly path: string
      readonly expectedLength: number | undefined
      readonly signal: AbortSignal | undefined
    },
  ) {
    const { path, signal, expectedLength } = target
    this.#session = services.session
    this.#link = services.link
    this.#path = path
    this.#signal = signal
    this.#expectedLength = expectedLength
    this.#staged = new StagedExtents(services, { path, precondition: {}, makeParents: false, signal })
  }

  /** Refuses early what the end would refuse too, before many bytes moved. */
  async stage(): Promise<void> {
    this.#early ??= this.#currentLength()
    const length = await this.#early
    const expected = this.#expectedLength
    if (expected !== undefined && length !== expected) throw this.#isAnother(length, expected)
    await this.#staged.inode()
  }

  async add(chunks: readonly ProvenChunk[]): Promise<void> {
    await this.stage()
    const length = (await this.#early) ?? 0
    if (length > 0 && this.#staged.count + chunks.length > limits.extentsPerAppend) {
      throw new AshlarError(
        'too-large',
        `Cannot append to ${this.#path}: it takes more than ${limits.extentsPerAppend} chunks at once; append fewer bytes at a time`,
        { applied: 'no' },
      )
    }
    await this.#staged.add(chunks)
  }

  async finish(chunks: readonly ProvenChunk[], totals: FileTotals): Promise<FileStats> {
    if (!this.#staged.isBegun) return await this.#atEnd((length) => this.#commit(chunks, { ...totals, at: length }))
    if (chunks.length > 0) await this.add(chunks)
    const stats = await this.#atEnd((length) => this.#attach({ ...totals, at: length }))
    this.#staged.linked()
    return stats
  }

  async abandon(): Promise<void> {
    await this.#staged.abandon()
  }

  /** @param attempt gets the length of the file; undefined: there is none */
  async #atEnd(attempt: (length: number | undefined) => Promise<FileStats>): Promise<FileStats> {
    for (let race = 1; ; race++) {
      const length = this.#expectedLength ?? (await this.#currentLength())
      try {
        return await attempt(length)
      } catch (error) {
        const isLost = isAshlarError(error, 'changed', 'already-exists', 'not-found') && error.applied === 'no'
        if (!isLost || this.#expectedLength !== undefined || race === maxRaces) throw error
      }
    }
  }

  async #commit(chunks: readonly ProvenChunk[], { at, length, crc }: FileTotals & Place): Promise<FileStats> {
    const target = { path: this.#path, signal: this.#signal }
    if (at === undefined) return await commitWhole(this.#session, { ...target, ...madeAnew }, { chunks, length, crc })
    if (chunks.length === 0) return await this.#unchanged(at)
    const body = { path: this.#path, expectedLength: at, crc, ...proofOf(chunks) }
    const { value } = await this.#session.mutate(appendFile, body, { signal: this.#signal })
    return new FileStats(value.attributes)
  }

  async #attach({ at, length, crc }: FileTotals & Place): Promise<FileStats> {
    const options = { signal: this.#signal }
    const body = { inode: await this.#staged.inode(), path: this.#path, length, crc }
    const { value } =
      at === undefined
        ? await this.#session.mutate(linkFile, { ...body, ...madeAnew }, options)
        : await this.#session.mutate(linkAppend, { ...body, expectedLength: at }, options)
    return new FileStats(value.attributes)
  }

  /** Nothing was appended, to a file that is there. */
  async #unchanged(expected: number): Promise<FileStats> {
    const stats = await this.#current()
    if (stats?.size !== expected) throw this.#isAnother(stats?.size, expected)
    return stats
  }

  async #currentLength(): Promise<number | undefined> {
    return (await this.#current())?.size
  }

  async #current(): Promise<FileStats | undefined> {
    let stats: FileStats
    try {
      const { value } = await this.#link.call(stat, { path: this.#path }, { signal: this.#signal })
      stats = new FileStats(value.attributes)
    } catch (error) {
      if (!isAshlarError(error, 'not-found')) throw error
      return undefined
    }
    if (stats.isFile()) return stats
    throw new AshlarError('is-a-directory', `Cannot append to ${this.#path}: it is a directory`, { applied: 'no' })
  }

  #isAnother(length: number | undefined, expected: number): AshlarError {
    return new AshlarError(
      length === undefined ? 'not-found' : 'changed',
      length === undefined
        ? `Cannot append to ${this.#path}: there is no such file`
        : `Cannot append to ${this.#path}: it has ${length} bytes, not ${expected}: read it again and retry`,
      { applied: 'no' },
    )
  }
}

interface Place {
  /** Where the file ends now; undefined: there is none. */
  readonly at: number | undefined
}

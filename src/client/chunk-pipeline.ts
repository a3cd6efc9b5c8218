/**
 * The chunks of one file on their way: several are written at once, and committed in order.
 *
 * Each chunk's bytes are kept until its commit is acknowledged. With few chunks nothing is committed before the end; with
 * more, or under memory pressure, the sink is staged and commits run beside the writes.
 * Invariants: chunks are committed in file order, each once; after the first failure nothing more is begun.
 * @module
 */
import { combineCrc32 } from '../base/crc.ts'
import { type AshlarError, toAshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Env } from '../env/env.ts'
import type { ChunkWriter } from './chunk-writer.ts'
import type { ExtentSink } from './extent-sink.ts'
import type { FileStats } from './file-stats.ts'
import { proveChunks, type WrittenChunk } from './prove-chunks.ts'
import type { ProvenChunk } from './proven-chunk.ts'
import type { SealedChunk } from './sealed-chunk.ts'

/** Written at once: while one waits for its sync, others move bytes. */
const writesAtOnce = 3

interface Entry {
  readonly data: SealedChunk
  /** @param isClean the chunk's blocks may be used again */
  readonly release: (isClean: boolean) => void
  proven: ProvenChunk | undefined
}

type ProvenEntry = Entry & WrittenChunk

export class ChunkPipeline {
  readonly #env: Env
  readonly #writer: ChunkWriter
  readonly #sink: ExtentSink
  readonly #path: string
  readonly #stop = new AbortController()
  /** In file order, from the first that is not committed. */
  readonly #entries: Entry[] = []
  #nextToWrite = 0
  #writing = 0
  #isStaged = false
  #committing: Promise<void> | undefined
  #failure: AshlarError | undefined
  #changed = Promise.withResolvers<void>()
  #length = 0
  #crc = 0

  constructor(options: {
    readonly env: Env
    readonly writer: ChunkWriter
    readonly sink: ExtentSink
    readonly path: string
  }) {
    this.#env = options.env
    this.#writer = options.writer
    this.#sink = options.sink
    this.#path = options.path
  }

  /** Takes the next chunk of the file, at once. */
  push(data: SealedChunk, release: (isClean: boolean) => void): void {
    this.#length += data.length
    this.#crc = combineCrc32(this.#crc, data.crc, data.length)
    this.#entries.push({ data, release, proven: undefined })
    if (this.#entries.length > limits.inlineExtents) this.stage()
    this.#advance()
  }

  /** From now on chunks are committed as they are written, so that their bytes can go. */
  stage(): void {
    if (this.#isStaged) return
    this.#isStaged = true
    this.#advance()
  }

  /** Resolves when another chunk may be pushed. @throws {AshlarError} the first failure */
  async room(): Promise<void> {
    await this.#until(
      () => this.#entries.length - this.#nextToWrite === 0 && this.#entries.length < limits.uncommittedChunksPerFile,
    )
  }

  /** Commits the rest and makes the file visible. */
  async finish(): Promise<FileStats> {
    await this.#until(
      () => this.#writing === 0 && this.#nextToWrite === this.#entries.length && this.#committing === undefined,
    )
    const totals = { length: this.#length, crc: this.#crc }
    const rest = this.#entries.splice(0)
    this.#nextToWrite = 0
    try {
      const stats = await this.#prove(rest, (chunks) => this.#sink.finish(chunks, totals))
      for (const entry of rest) committed(entry)
      return stats
    } catch (error) {
      for (const entry of rest) dropped(entry)
      throw error
    }
  }

  /** Stops all writes, gives all memory back and drops what was staged. Resolves when nothing runs any more. */
  async abort(error: AshlarError): Promise<void> {
    this.#fail(error)
    while (this.#writing > 0 || this.#committing !== undefined) await this.#changed.promise
    for (const entry of this.#entries.splice(0)) dropped(entry)
    await this.#sink.abandon()
  }

  /** Aborts when the pipeline failed: whoever fills it stops waiting for memory. */
  get stopSignal(): AbortSignal {
    return this.#stop.signal
  }

  get failure(): AshlarError | undefined {
    return this.#failure
  }

  #advance(): void {
    while (this.#failure === undefined && this.#writing < writesAtOnce && this.#nextToWrite < this.#entries.length) {
      void this.#write(this.#entries[this.#nextToWrite++] as Entry)
    }
    if (this.#failure === undefined && this.#isStaged && this.#committing === undefined && this.#entries[0]?.proven) {
      this.#committing = this.#commit()
    }
    const { resolve } = this.#changed
    this.#changed = Promise.withResolvers()
    resolve()
  }

  /** Never rejects: a failure is the pipeline's. */
  async #write(entry: Entry): Promise<void> {
    this.#writing++
    try {
      entry.proven = await this.#writer.write({ path: this.#path, data: entry.data, signal: this.#stop.signal })
    } catch (error) {
      this.#fail(toAshlarError(error, `write ${this.#path}`))
    } finally {
      this.#writing--
      this.#advance()
    }
  }

  /** Never rejects: a failure is the pipeline's. */
  async #commit(): Promise<void> {
    try {
      await this.#sink.stage()
      for (let batch = this.#provenPrefix(); batch.length > 0 && !this.#failure; batch = this.#provenPrefix()) {
        await this.#prove(batch, (chunks) => this.#sink.add(chunks))
        this.#entries.splice(0, batch.length)
        this.#nextToWrite -= batch.length
        for (const entry of batch) committed(entry)
        this.#advance()
      }
    } catch (error) {
      this.#fail(toAshlarError(error, `write ${this.#path}`))
    } finally {
      this.#committing = undefined
      this.#advance()
    }
  }

  #provenPrefix(): Entry[] {
    const end = this.#entries.findIndex(({ proven }) => proven === undefined)
    return this.#entries.slice(0, Math.min(end === -1 ? this.#entries.length : end, limits.extentsPerCommit))
  }

  #prove<T>(batch: readonly Entry[], send: (chunks: readonly ProvenChunk[]) => Promise<T>): Promise<T> {
    const options = { clock: this.#env.clock, writer: this.#writer, path: this.#path, signal: this.#stop.signal }
    return proveChunks(batch as readonly ProvenEntry[], options, send)
  }

  async #until(condition: () => boolean): Promise<void> {
    while (this.#failure === undefined && !condition()) await this.#changed.promise
    if (this.#failure !== undefined) throw this.#failure
  }

  #fail(error: AshlarError): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    this.#stop.abort(error)
    this.#advance()
  }
}

function committed(entry: Entry): void {
  entry.proven?.slot.commit()
  entry.release(true)
}

function dropped(entry: Entry): void {
  entry.proven?.slot.settle()
  entry.release(false)
}

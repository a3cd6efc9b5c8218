/** One version of a file, open for reads. It holds nothing at the cluster: closing it only ends its use. @module */
import type { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { AshlarError } from '../base/errors.ts'
import type { FileReader, PieceRange } from './file-reader.ts'
import type { FileStats } from './file-stats.ts'
import { nodeReadStream, webReadStream } from './file-streams.ts'
import type { FileHandle } from './filesystem.ts'
import type { CallOptions, ReadRange } from './options.ts'

/**
 * Node's inclusive range as a half-open one, within the file.
 * @throws {AshlarError} `invalid-argument` — not whole numbers, or the end before the start
 */
export function rangeOf(
  { start = 0, end = Number.MAX_SAFE_INTEGER }: ReadRange,
  size: number,
): Pick<PieceRange, 'start' | 'end'> {
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start) {
    throw new AshlarError('invalid-argument', `Cannot read bytes ${start} to ${end}: that is no range`)
  }
  return { start: Math.min(start, size), end: Math.min(end, size - 1) + 1 }
}

export class OpenFileHandle implements FileHandle {
  readonly #reader: FileReader
  readonly #closed = new AbortController()
  #isClosed = false
  /** Sequences of pieces that were not read to their end. */
  #reading = 0

  constructor(reader: FileReader) {
    this.#reader = reader
  }

  get path(): string {
    return this.#reader.path
  }

  get stats(): FileStats {
    return this.#reader.stats
  }

  async read(buffer: Uint8Array, position: number, { signal }: CallOptions = {}): Promise<number> {
    this.#checkOpen()
    if (!Number.isSafeInteger(position) || position < 0) {
      throw new AshlarError('invalid-argument', `Cannot read ${this.path} at ${position}: that is no position`)
    }
    const count = Math.max(0, Math.min(buffer.length, this.stats.size - position))
    if (count > 0) await this.#reader.readInto(buffer.subarray(0, count), { start: position, signal })
    return count
  }

  async readFile(range: ReadRange = {}): Promise<Buffer> {
    this.#checkOpen()
    return await this.#reader.readRange({ ...rangeOf(range, this.stats.size), signal: range.signal })
  }

  createReadStream(range: ReadRange = {}): Readable {
    return nodeReadStream((stop) => this.#pieces(range, stop))
  }

  readStream(range: ReadRange = {}): ReadableStream<Uint8Array> {
    return webReadStream((stop) => this.#pieces(range, stop))
  }

  pieces(range: ReadRange = {}): AsyncGenerator<Buffer, void, undefined> {
    return this.#pieces(range, undefined, { arePassing: true })
  }

  async close(): Promise<void> {
    this.#isClosed = true
    // Where nothing reads, nothing is told: an error with its stack was a fortieth of a gateway's work for a small GET.
    if (this.#reading > 0) this.#closed.abort(this.#closedError())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #pieces(
    range: ReadRange,
    stop: AbortSignal | undefined,
    { arePassing = false }: { readonly arePassing?: boolean } = {},
  ): AsyncGenerator<Buffer, void, undefined> {
    this.#checkOpen()
    const signals = [this.#closed.signal, stop, range.signal].filter((signal) => signal !== undefined)
    this.#reading++
    return this.#reader.pieces({
      ...rangeOf(range, this.stats.size),
      signal: AbortSignal.any(signals),
      arePassing,
      onEnd: () => this.#reading--,
    })
  }

  #checkOpen(): void {
    if (this.#isClosed) throw this.#closedError()
  }

  #closedError(): AshlarError {
    return new AshlarError('closed', `Cannot read ${this.path}: the handle was closed`)
  }
}

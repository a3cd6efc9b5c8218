/** Bytes of files: whole, appended, streamed, and their checksums. @module */
import { constants } from 'node:buffer'
import { createHash } from 'node:crypto'
import type { Readable, Writable } from 'node:stream'
import type { ReadableStream, WritableStream } from 'node:stream/web'
import { crc32 } from '../base/crc.ts'
import { AshlarError, isAshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { abortablePieces } from './abortable-pieces.ts'
import { AppendSink } from './append-sink.ts'
import { ChunkPipeline } from './chunk-pipeline.ts'
import type { ClientCore } from './client-core.ts'
import type { ExtentSink } from './extent-sink.ts'
import { OpenFileHandle, rangeOf } from './file-handle.ts'
import { FileReader } from './file-reader.ts'
import { FileSink } from './file-sink.ts'
import type { FileStats } from './file-stats.ts'
import { nodeReadStream, nodeWriteStream, webReadStream, webWriteStream } from './file-streams.ts'
import { FileWriter } from './file-writer.ts'
import type { FileHandle } from './filesystem.ts'
import { labelled } from './label-requests.ts'
import type { AppendOptions, CallOptions, FileData, OpenOptions, ReadRange, WriteOptions } from './options.ts'
import { checkPath } from './paths.ts'
import { writeSmallFile } from './small-file.ts'
import { targetOf } from './write-target.ts'

export class FileCalls {
  readonly #core: ClientCore
  readonly #OpenFile: typeof OpenFileHandle

  constructor(core: ClientCore) {
    this.#core = core
    this.#OpenFile = labelled(OpenFileHandle, core.env)
  }

  async readFile(path: string, { signal }: CallOptions = {}): Promise<Buffer> {
    checkPath(path)
    for (let isAgain = false; ; isAgain = true) {
      const reader = await FileReader.open(this.#core, path, { signal })
      const { size } = reader.stats
      if (size > constants.MAX_LENGTH) {
        throw new AshlarError(
          'too-large',
          `Cannot read ${path} whole: it has ${size} bytes, more than one buffer holds. Use a stream`,
        )
      }
      try {
        return await reader.readRange({ start: 0, end: size, signal })
      } catch (error) {
        // Replaced while it was read: nothing was returned yet, so the new content will do.
        if (isAgain || !isAshlarError(error, 'changed')) throw error
      }
    }
  }

  async writeFile(path: string, data: FileData, options: WriteOptions = {}): Promise<FileStats> {
    const bytes = typeof data === 'string' ? Buffer.from(data, options.encoding) : data
    if (bytes instanceof Uint8Array && bytes.length <= limits.smallTransferBytes) {
      const chunkSizeBytes = await this.#core.chunkSizeBytes(options.signal)
      if (bytes.length <= chunkSizeBytes) return await writeSmallFile(this.#core, targetOf(path, options), bytes)
    }
    return await fill(await this.#writerTo(path, options), bytes, options)
  }

  async appendFile(path: string, data: FileData, options: AppendOptions = {}): Promise<FileStats> {
    const { expectedLength, signal } = options
    if (expectedLength !== undefined && (!Number.isSafeInteger(expectedLength) || expectedLength < 0)) {
      throw new AshlarError('invalid-argument', `Cannot append to ${path}: ${expectedLength} is not a length`)
    }
    const sink = new AppendSink(this.#core, { path: checkPath(path), expectedLength, signal })
    return await fill(await this.#writer(path, sink, signal), data, options)
  }

  async open(path: string, { objectVersion, xattrs, signal }: OpenOptions = {}): Promise<FileHandle> {
    const reader = await FileReader.open(this.#core, checkPath(path), {
      objectVersion,
      ...(xattrs === undefined ? {} : { xattrs }),
      signal,
    })
    return new this.#OpenFile(reader)
  }

  createReadStream(path: string, range: ReadRange = {}): Readable {
    return nodeReadStream((signal) => this.#pieces(path, range, signal))
  }

  readStream(path: string, range: ReadRange = {}): ReadableStream<Uint8Array> {
    return webReadStream((signal) => this.#pieces(path, range, signal))
  }

  createWriteStream(path: string, options: WriteOptions = {}): Writable {
    return nodeWriteStream(() => this.#writerTo(path, options))
  }

  writeStream(path: string, options: WriteOptions = {}): WritableStream<Uint8Array> {
    return webWriteStream(() => this.#writerTo(path, options))
  }

  async checksum(path: string, algorithm: 'crc32' | 'md5' | 'sha256', { signal }: CallOptions = {}): Promise<string> {
    const reader = await FileReader.open(this.#core, checkPath(path), { signal })
    const { crc32: knownCrc, size } = reader.stats
    if (algorithm === 'crc32') {
      if (knownCrc !== undefined) return hexOf(knownCrc)
      let crc = 0
      for await (const piece of reader.pieces({ start: 0, end: size, signal, arePassing: true }))
        crc = crc32(piece, crc)
      return hexOf(crc)
    }
    const hash = createHash(algorithm)
    for await (const piece of reader.pieces({ start: 0, end: size, signal, arePassing: true })) hash.update(piece)
    return hash.digest('hex')
  }

  async *#pieces(path: string, range: ReadRange, stop: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
    const signal = range.signal === undefined ? stop : AbortSignal.any([range.signal, stop])
    checkPath(path)
    for (let isAgain = false; ; isAgain = true) {
      const reader = await FileReader.open(this.#core, path, { signal })
      let isBegun = false
      try {
        for await (const piece of reader.pieces({ ...rangeOf(range, reader.stats.size), signal })) {
          isBegun = true
          yield piece
        }
        return
      } catch (error) {
        // Replaced before the first byte was given: the new content will do.
        if (isAgain || isBegun || !isAshlarError(error, 'changed')) throw error
      }
    }
  }

  async #writerTo(path: string, options: WriteOptions): Promise<FileWriter> {
    return await this.#writer(path, new FileSink(this.#core, targetOf(path, options)), options.signal)
  }

  async #writer(path: string, sink: ExtentSink, signal: AbortSignal | undefined): Promise<FileWriter> {
    const { env, writer, budget } = this.#core
    const chunkSizeBytes = await this.#core.chunkSizeBytes(signal)
    const pipeline = new ChunkPipeline({ env, writer, sink, path })
    return new FileWriter({ pipeline, budget, chunkSizeBytes, path, signal })
  }
}

/** Moves all of `data` into `writer` and finishes it; on any failure the writer is aborted first. */
async function fill(
  writer: FileWriter,
  data: FileData,
  { encoding = 'utf8', signal }: Pick<WriteOptions, 'encoding' | 'signal'>,
): Promise<FileStats> {
  try {
    if (typeof data === 'string') await writer.writeWhole(Buffer.from(data, encoding))
    else if (data instanceof Uint8Array) await writer.writeWhole(data)
    else {
      for await (const piece of abortablePieces(data, signal, 'write the file')) {
        if (typeof piece === 'string') await writer.write(Buffer.from(piece, encoding))
        else if (piece instanceof Uint8Array) await writer.write(piece)
        else throw new AshlarError('invalid-argument', `Cannot write a ${typeof piece}: give bytes or text`)
      }
    }
    return await writer.finish()
  } catch (error) {
    await writer.abort(error)
    throw error
  }
}

function hexOf(crc: number): string {
  return crc.toString(16).padStart(8, '0')
}

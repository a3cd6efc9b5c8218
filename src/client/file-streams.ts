/** Pieces as streams, of Node and of the web; and streams into a {@link FileWriter}. @module */
import { Readable, Writable } from 'node:stream'
import { ReadableStream, WritableStream } from 'node:stream/web'
import { AshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { FileWriter } from './file-writer.ts'

/** Makes the pieces; `signal` aborts when the stream is given up. */
export type PieceSource = (signal: AbortSignal) => AsyncGenerator<Buffer, void, undefined>

/** What one stream holds beside the memory of the client: there may be thousands. */
const highWaterBytes = limits.blockBytes

export function nodeReadStream(source: PieceSource): Readable {
  const stop = new AbortController()
  let pieces: AsyncGenerator<Buffer, void, undefined> | undefined
  return new Readable({
    highWaterMark: highWaterBytes,
    read() {
      pieces ??= source(stop.signal)
      pieces.next().then(
        ({ done, value }) => this.push(done === true ? null : value),
        (error: Error) => this.destroy(error),
      )
    },
    destroy(error, callback) {
      stop.abort(abandoned())
      ended(pieces).then(
        () => callback(error),
        (failure: Error) => callback(error ?? failure),
      )
    },
  })
}

export function webReadStream(source: PieceSource): ReadableStream<Uint8Array> {
  const stop = new AbortController()
  let pieces: AsyncGenerator<Buffer, void, undefined> | undefined
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        pieces ??= source(stop.signal)
        const { done, value } = await pieces.next()
        if (done === true) controller.close()
        else controller.enqueue(value)
      },
      async cancel() {
        stop.abort(abandoned())
        await ended(pieces)
      },
    },
    { highWaterMark: 0 },
  )
}

/** @param open makes the writer at the first byte, or at the end of an empty stream */
export function nodeWriteStream(open: () => Promise<FileWriter>): Writable {
  let opening: Promise<FileWriter> | undefined
  const writer = () => {
    opening ??= open()
    return opening
  }
  return new Writable({
    highWaterMark: highWaterBytes,
    write(piece: Buffer, _encoding, callback) {
      writer()
        .then((file) => file.write(piece))
        .then(() => callback(), callback)
    },
    final(callback) {
      writer()
        .then((file) => file.finish())
        .then(() => callback(), callback)
    },
    destroy(error, callback) {
      abortOpened(opening, error ?? abandoned()).then(() => callback(error))
    },
  })
}

export function webWriteStream(open: () => Promise<FileWriter>): WritableStream<Uint8Array> {
  let opening: Promise<FileWriter> | undefined
  const writer = () => {
    opening ??= open()
    return opening
  }
  return new WritableStream<Uint8Array>({
    async write(piece) {
      const file = await writer()
      try {
        await file.write(piece)
      } catch (error) {
        await file.abort(error)
        throw error
      }
    },
    async close() {
      const file = await writer()
      try {
        await file.finish()
      } catch (error) {
        await file.abort(error)
        throw error
      }
    },
    abort: (reason) => abortOpened(opening, reason),
  })
}

/**
 * A source that waits between two pieces does not see the signal: its read-ahead comes back when it is told.
 * A read under way is told by itself what it met; this rejects only when the source cannot be left.
 */
async function ended(pieces: ReturnType<PieceSource> | undefined): Promise<void> {
  await pieces?.return()
}

/** Never rejects. */
async function abortOpened(opening: Promise<FileWriter> | undefined, reason: unknown): Promise<void> {
  if (opening === undefined) return
  let file: FileWriter
  try {
    file = await opening
  } catch {
    // The write or the end that opened it was told. Without a writer there is nothing to drop.
    return
  }
  await file.abort(reason)
}

function abandoned(): AshlarError {
  return new AshlarError('cancelled', 'Cannot go on: the stream was closed before its end', { applied: 'no' })
}

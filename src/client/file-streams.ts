/**
 * Pieces as streams, of Node and of the web; and streams into a {@link FileWriter}.
 * Whoever drives a stream, what is done for it is done under the label of the operation that made it. The streams of the web are the
 * global ones, which Node loads for who makes one: imported, they cost a start 3 ms.
 * @module
 */
import { Readable, Writable } from 'node:stream'
import { AshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { currentLabel, underLabel } from '../env/request-label.ts'
import type { FileWriter } from './file-writer.ts'

/** Makes the pieces; `signal` aborts when the stream is given up. */
export type PieceSource = (signal: AbortSignal) => AsyncGenerator<Buffer, void, undefined>

/** What one stream holds beside the memory of the client: there may be thousands. */
const highWaterBytes = limits.blockBytes

export function nodeReadStream(source: PieceSource): Readable {
  const label = currentLabel()
  const stop = new AbortController()
  let pieces: AsyncGenerator<Buffer, void, undefined> | undefined
  const next = () => {
    pieces ??= source(stop.signal)
    return pieces.next()
  }
  return new Readable({
    highWaterMark: highWaterBytes,
    read() {
      underLabel(label, next).then(
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
  const label = currentLabel()
  const stop = new AbortController()
  let pieces: AsyncGenerator<Buffer, void, undefined> | undefined
  const next = () => {
    pieces ??= source(stop.signal)
    return pieces.next()
  }
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await underLabel(label, next)
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
  const label = currentLabel()
  let opening: Promise<FileWriter> | undefined
  const writer = () => {
    opening ??= open()
    return opening
  }
  const write = async (piece: Buffer) => (await writer()).write(piece)
  const finish = async () => (await writer()).finish()
  return new Writable({
    highWaterMark: highWaterBytes,
    write(piece: Buffer, _encoding, callback) {
      underLabel(label, write, piece).then(() => callback(), callback)
    },
    final(callback) {
      underLabel(label, finish).then(() => callback(), callback)
    },
    destroy(error, callback) {
      underLabel(label, abortOpened, opening, error ?? abandoned()).then(() => callback(error))
    },
  })
}

export function webWriteStream(open: () => Promise<FileWriter>): WritableStream<Uint8Array> {
  const label = currentLabel()
  let opening: Promise<FileWriter> | undefined
  const orAbort = async (step: (file: FileWriter) => Promise<unknown>) => {
    opening ??= open()
    const file = await opening
    try {
      await step(file)
    } catch (error) {
      await file.abort(error)
      throw error
    }
  }
  return new WritableStream<Uint8Array>({
    write: (piece) => underLabel(label, orAbort, (file) => file.write(piece)),
    close: () => underLabel(label, orAbort, (file) => file.finish()),
    abort: (reason) => underLabel(label, abortOpened, opening, reason),
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

/**
 * A range of an encrypted stream back to plain bytes. Each frame is given out only after its tag proved right; what does not
 * open ends the stream with an error, so that the connection is cut before a wrong byte is sent. A piece is the consumer's only until
 * it asks for the next one: its memory may be gone then.
 * @module
 */
import { createDecipheriv } from 'node:crypto'
import { endMemory } from '../../../base/end-memory.ts'
import { AshlarError } from '../../../base/errors.ts'
import { frameSpan, headerBytes, isHeader, nonceOf, sealedFrameBytes, tagBytes } from './frames.ts'
import { streamKey } from './stream-key.ts'

/** Bytes of the stored file, from `start` up to `end`. */
export type ReadSealed = (range: { readonly start: number; readonly end: number }) => AsyncIterable<Uint8Array>

export interface SealedStream {
  readonly dataKey: Uint8Array
  /** Of its header in the file. */
  readonly offset: number
  readonly plainBytes: number
}

/**
 * @param range of the stream's plain bytes
 * @throws {AshlarError} `corrupt` — not this key, or not these bytes in this order
 */
export async function* openStream(
  read: ReadSealed,
  { dataKey, offset, plainBytes }: SealedStream,
  range: { readonly start: number; readonly end: number },
): AsyncGenerator<Uint8Array, void, undefined> {
  if (range.start === range.end && plainBytes > 0) return
  const { firstFrame, sealedStart, sealedEnd, skipBytes } = frameSpan(range, plainBytes)
  const isFromHeader = firstFrame === 0
  await using sealed = new SealedBytes(
    read({ start: offset + (isFromHeader ? 0 : sealedStart), end: offset + sealedEnd }),
  )
  const header = isFromHeader ? await sealed.take(headerBytes) : await headerAt(read, offset)
  if (!isHeader(header)) throw corrupt()
  const key = streamKey(dataKey, header)
  let left = range.end - range.start
  let skip = skipBytes
  let sealedLeft = sealedEnd - sealedStart
  for (let frame = firstFrame; sealedLeft > 0; frame++) {
    const bytes = await sealed.take(Math.min(sealedFrameBytes, sealedLeft))
    sealedLeft -= bytes.length
    const whole = openFrame(key, frame, bytes)
    const plain = whole.subarray(skip, skip + left)
    skip = 0
    left -= plain.length
    if (plain.length > 0) yield plain
    endMemory(whole)
  }
}

async function headerAt(read: ReadSealed, offset: number): Promise<Uint8Array> {
  await using sealed = new SealedBytes(read({ start: offset, end: offset + headerBytes }))
  return await sealed.take(headerBytes)
}

function openFrame(key: Buffer, frame: number, sealed: Uint8Array): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(frame), { authTagLength: tagBytes })
  decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes))
  const plain = decipher.update(sealed.subarray(0, sealed.length - tagBytes))
  try {
    decipher.final()
  } catch (cause) {
    throw corrupt(cause)
  }
  return plain
}

/** Runs of exact lengths out of pieces; copied only where a run spans two. */
class SealedBytes implements AsyncDisposable {
  readonly #source: AsyncIterator<Uint8Array>
  #piece: Uint8Array = new Uint8Array()

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  async take(length: number): Promise<Uint8Array> {
    if (this.#piece.length >= length) return this.#cut(length)
    const run = Buffer.allocUnsafe(length)
    let filled = 0
    while (filled < length) {
      if (this.#piece.length === 0) {
        const { done, value } = await this.#source.next()
        if (done === true) throw corrupt()
        this.#piece = value
        if (filled === 0 && value.length >= length) return this.#cut(length)
        continue
      }
      const part = this.#cut(Math.min(this.#piece.length, length - filled))
      run.set(part, filled)
      filled += part.length
    }
    return run
  }

  /** Whoever stops early lets the source end. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source.return?.()
  }

  #cut(length: number): Uint8Array {
    const cut = this.#piece.subarray(0, length)
    this.#piece = this.#piece.subarray(length)
    return cut
  }
}

function corrupt(cause?: unknown): AshlarError {
  return new AshlarError(
    'corrupt',
    'Cannot decrypt the object: its bytes are not those that were encrypted under this key',
    { cause },
  )
}

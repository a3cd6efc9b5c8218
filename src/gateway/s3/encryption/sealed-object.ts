/**
 * An encrypted object as it lies in its file: the streams of its parts, one after the other; of an object that was written at once, one.
 * @module
 */
import { sealedSize } from './frames.ts'
import { openStream, type ReadSealed } from './open-stream.ts'

export interface SealedObject {
  readonly dataKey: Uint8Array
  /** Plain sizes, run by run: [bytes, how many]. */
  readonly parts: readonly (readonly [number, number])[]
}

/** The plain bytes from `start` up to `end`. @throws {AshlarError} `corrupt` */
export async function* openRange(
  read: ReadSealed,
  { dataKey, parts }: SealedObject,
  { start, end }: { readonly start: number; readonly end: number },
): AsyncGenerator<Uint8Array, void, undefined> {
  let plainStart = 0
  let offset = 0
  for (const [plainBytes, count] of parts) {
    // Runs are passed over at once: there may be ten thousand parts.
    const passed =
      plainBytes === 0 ? count : Math.min(count, Math.max(0, Math.floor((start - plainStart) / plainBytes)))
    plainStart += passed * plainBytes
    offset += passed * sealedSize(plainBytes)
    for (let index = passed; index < count && plainStart < end; index++) {
      const range = { start: Math.max(0, start - plainStart), end: Math.min(plainBytes, end - plainStart) }
      yield* openStream(read, { dataKey, offset, plainBytes }, range)
      plainStart += plainBytes
      offset += sealedSize(plainBytes)
    }
    if (plainStart >= end) return
  }
}

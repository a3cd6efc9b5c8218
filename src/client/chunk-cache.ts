/**
 * Small chunks that were read and verified a while ago, for who reads them again: no request to a chunk server.
 *
 * A chunk never changes, and who reads has been told its id, its length and its checksum by the master just before: so nothing here can
 * be out of date, and what is not named any more is never asked for. Bytes are copied in and out: nobody else holds this memory.
 * In two generations, as `base/recent-map.ts`: each is one block of memory that is filled from its start, so what is kept is bounded
 * to the byte and the collector has nothing to do. What is asked for in the older one is copied into the younger.
 * Measured: a GET of 4 KiB takes 120 to 170 µs of a gateway's CPU less where it is found here, and none of the 180 to 230 of chunk servers.
 * @module
 */
import type { ChunkId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Extent } from '../wire/types/extent.ts'

/** What names bytes for good. */
type Named = Pick<Extent, 'chunk' | 'chunkLength' | 'crc'>

interface Place {
  readonly at: number
  readonly length: number
  readonly crc: number
}

interface Generation {
  readonly memory: Buffer
  readonly places: Map<ChunkId, Place>
  used: number
}

export class ChunkCache {
  readonly #generationBytes: number
  #young: Generation | undefined
  #old: Generation | undefined
  #hits = 0
  #misses = 0

  /** @param maxBytes so much memory at most, taken when it is needed; less than two chunks: nothing is kept */
  constructor(maxBytes: number) {
    this.#generationBytes = Math.floor(maxBytes / 2)
  }

  /** Of reads of chunks that are small enough to be kept. */
  get reads(): { readonly hits: number; readonly misses: number } {
    return { hits: this.#hits, misses: this.#misses }
  }

  /** @returns a copy of the range; undefined: not known */
  get(named: Named, { offset, length }: { readonly offset: number; readonly length: number }): Buffer | undefined {
    if (!this.#mayHold(named)) return undefined
    const whole = this.#find(named)
    if (whole === undefined) {
      this.#misses++
      return undefined
    }
    this.#hits++
    const copy = Buffer.allocUnsafe(length)
    whole.copy(copy, 0, offset, offset + length)
    return copy
  }

  /** @param bytes all of the chunk, verified; copied */
  keep(named: Named, bytes: Uint8Array): void {
    if (!this.#mayHold(named) || bytes.length !== named.chunkLength) return
    let young = this.#young
    if (young?.places.get(named.chunk)?.crc === named.crc) return
    if (young === undefined || young.used + bytes.length > this.#generationBytes) young = this.#begin()
    young.memory.set(bytes, young.used)
    young.places.set(named.chunk, { at: young.used, length: bytes.length, crc: named.crc })
    young.used += bytes.length
  }

  #mayHold({ chunkLength }: Named): boolean {
    return chunkLength <= limits.smallTransferBytes && chunkLength <= this.#generationBytes && chunkLength > 0
  }

  #find(named: Named): Buffer | undefined {
    const found = bytesOf(this.#young, named)
    if (found !== undefined) return found
    const older = bytesOf(this.#old, named)
    if (older === undefined) return undefined
    // Copied first: to keep it may need the memory that it lies in.
    const copy = Buffer.from(older)
    this.keep(named, copy)
    return copy
  }

  /** The younger generation becomes the older one, whose memory is filled anew. */
  #begin(): Generation {
    const memory = this.#old?.memory ?? Buffer.allocUnsafeSlow(this.#generationBytes)
    this.#old = this.#young
    this.#young = { memory, places: new Map(), used: 0 }
    return this.#young
  }
}

function bytesOf(generation: Generation | undefined, { chunk, chunkLength, crc }: Named): Buffer | undefined {
  const place = generation?.places.get(chunk)
  if (generation === undefined || place === undefined) return undefined
  // The same id with other bytes: of a cluster that lost its future to a restore.
  if (place.length !== chunkLength || place.crc !== crc) return undefined
  return generation.memory.subarray(place.at, place.at + place.length)
}

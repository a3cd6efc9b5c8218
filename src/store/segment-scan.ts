/**
 * Reads a segment from end to end, believing nothing: each record is yielded only if its head and payload match their
 * checksums; what lies between is yielded as damage. Whether damage at the end is a torn tail or rot is for the caller
 * to say: a tail of the log that was never acknowledged is torn, anything else is rot.
 * @module
 */
import { limits } from '../base/limits.ts'
import type { File } from '../env/disk.ts'
import {
  decodeRecordHead,
  payloadMatches,
  recordBytes,
  recordHeadBytes,
  recordHeadMaxBytes,
  recordMagic,
  type SegmentRecord,
} from './segment-format.ts'

export type ScanItem =
  /** `bytes`, head and payload, are valid until the next item is asked for. */
  | { readonly kind: 'record'; readonly offset: number; readonly record: SegmentRecord; readonly bytes: Buffer }
  /** `record`: the head is right, the payload is not. */
  | {
      readonly kind: 'damage'
      readonly offset: number
      readonly lengthBytes: number
      readonly record?: SegmentRecord | undefined
    }

export interface ScanRange {
  readonly seed: number
  readonly from: number
  readonly endBytes: number
}

export async function* scanSegment(file: File, { seed, from, endBytes }: ScanRange): AsyncGenerator<ScanItem> {
  const window = new Window(file, endBytes)
  let at = from
  while (at < endBytes) {
    const found = await recordAt(window, { seed, offset: at })
    if (found?.bytes !== undefined) {
      yield { kind: 'record', offset: at, record: found.record, bytes: found.bytes }
      at += found.bytes.length
      continue
    }
    const next = await nextRecord(window, { seed, from: at + 1, endBytes })
    yield { kind: 'damage', offset: at, lengthBytes: next - at, record: found?.record }
    at = next
  }
}

/** Whether a part of the file holds nothing but zeros: room that was made ahead of records (log-file.ts). */
export async function isBlank(file: File, range: { readonly offset: number; readonly lengthBytes: number }) {
  const endBytes = range.offset + range.lengthBytes
  const window = new Window(file, endBytes)
  for (let at = range.offset; at < endBytes; ) {
    const bytes = await window.read(at, limits.blockBytes)
    if (bytes.length === 0 || bytes.some((byte) => byte !== 0)) return false
    at += bytes.length
  }
  return true
}

interface Found {
  readonly record: SegmentRecord
  /** Undefined: the payload does not match. */
  readonly bytes: Buffer | undefined
}

async function recordAt(
  window: Window,
  place: { readonly seed: number; readonly offset: number },
): Promise<Found | undefined> {
  const record = decodeRecordHead(await window.read(place.offset, recordHeadMaxBytes), place)
  if (record === undefined) return undefined
  const length = recordBytes(record)
  const bytes = (await window.read(place.offset, length)).subarray(0, length)
  const isWhole =
    bytes.length === length &&
    (record.kind !== 'put' || payloadMatches(record, bytes.subarray(recordHeadBytes(record))))
  return { record, bytes: isWhole ? bytes : undefined }
}

/** The offset of the first right record from `from` on, or the end. */
async function nextRecord(window: Window, { seed, from, endBytes }: ScanRange): Promise<number> {
  let at = from
  while (at < endBytes) {
    const bytes = await window.read(at, limits.blockBytes)
    const index = bytes.indexOf(recordMagic)
    if (index >= 0) {
      const offset = at + index
      if ((await recordAt(window, { seed, offset }))?.bytes !== undefined) return offset
      at = offset + 1
    } else {
      at += Math.max(1, bytes.length - recordMagic.length + 1)
    }
  }
  return endBytes
}

/** A part of the file in memory that follows the reading. */
class Window {
  readonly #file: File
  readonly #endBytes: number
  readonly #buffer: Buffer
  #start = 0
  #length = 0

  constructor(file: File, endBytes: number) {
    this.#file = file
    this.#endBytes = endBytes
    this.#buffer = Buffer.allocUnsafeSlow(Math.min(2 * limits.chunkFileMinBytes, endBytes))
  }

  /** At least `length` bytes from `offset` on, or all up to the end. */
  async read(offset: number, length: number): Promise<Buffer> {
    const wanted = Math.min(length, this.#endBytes - offset)
    const isHeld = offset >= this.#start && offset + wanted <= this.#start + this.#length
    if (!isHeld) {
      const target = this.#buffer.subarray(0, Math.min(this.#buffer.length, this.#endBytes - offset))
      this.#length = await this.#file.read(target, offset)
      this.#start = offset
    }
    return this.#buffer.subarray(offset - this.#start, this.#length)
  }
}

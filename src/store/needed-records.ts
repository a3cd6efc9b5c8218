/**
 * What of a segment must outlive it: puts that are live in it, and deletes that stand against a put in another segment.
 * Looked up in the index many at once: a transaction for each costs more than all the rest of a dead record.
 * @module
 */
import type { ChunkIndex } from './chunk-index.ts'
import { deleteRecordBytes, type Grave } from './chunk-state.ts'
import type { SegmentRecord } from './segment-format.ts'
import { stagingBytes } from './segment-output.ts'

/** Looked up in the index together. */
export const batchRecords = 256

export interface RecordItem {
  readonly record: SegmentRecord
  /** In its segment. */
  readonly offset: number
  /** Head and payload. */
  readonly bytes: Buffer
}

/** Records of a scan, with their bytes, until it is known which of them are needed. */
export class RecordBatch {
  readonly #memory = Buffer.allocUnsafeSlow(stagingBytes)
  #used = 0
  readonly items: RecordItem[] = []

  hasRoom({ bytes }: RecordItem): boolean {
    return this.items.length < batchRecords && this.#used + bytes.length <= this.#memory.length
  }

  add({ record, offset, bytes }: RecordItem): void {
    const kept = this.#memory.subarray(this.#used, this.#used + bytes.length)
    kept.set(bytes)
    this.#used += bytes.length
    this.items.push({ record, offset, bytes: kept })
  }

  clear(): void {
    this.#used = 0
    this.items.length = 0
  }
}

/** Which records of one segment must outlive it. */
export class NeededRecords {
  readonly #segment: number
  readonly #index: ChunkIndex
  /** What the index counts as live and nobody needs: deletes that go together with all that they stand against. */
  #leftBytes = 0

  constructor(segment: number, index: ChunkIndex) {
    this.#segment = segment
    this.#index = index
  }

  /**
   * What becomes of the segment, once all that is needed of it was copied and moved.
   * @param liveBytes what the index counts as live in it then
   * @returns `later`: a delete that would have gone with it is outdone by another one, so the count is of two moments
   */
  fate(liveBytes: number): 'retire' | 'stuck' | 'later' {
    if (liveBytes === this.#leftBytes) return 'retire'
    // More: something live was not found by the scan.
    return liveBytes > this.#leftBytes ? 'stuck' : 'later'
  }

  async among(items: readonly RecordItem[]): Promise<boolean[]> {
    const idsOf = (kind: SegmentRecord['kind']) =>
      items.filter(({ record }) => record.kind === kind).map(({ record }) => record.id)
    const live = await this.#index.getMany(idsOf('put'))
    const graves = await this.#index.graves(idsOf('delete'))
    return items.map(({ record, offset }) => {
      // Chunk files are found by their footers once the index knows the segment to its end.
      if (record.kind === 'file') return false
      if (record.kind === 'delete') return this.#isDeleteNeeded(record, graves.get(record.id))
      const chunk = live.get(record.id)
      return chunk !== undefined && isAt(chunk.location, { segment: this.#segment, offset })
    })
  }

  #isDeleteNeeded({ sequence }: SegmentRecord, grave: Grave | undefined): boolean {
    if (grave?.sequence !== sequence || grave.segment !== this.#segment) return false
    if (grave.holders.some((holder) => holder !== this.#segment)) return true
    this.#leftBytes += deleteRecordBytes
    return false
  }
}

export function isAt(
  location: { readonly kind: string; readonly segment?: number; readonly offset?: number },
  place: { readonly segment: number; readonly offset: number },
): boolean {
  return location.kind === 'segment' && location.segment === place.segment && location.offset === place.offset
}

/**
 * The segments of a store: how long they are, what of them the index knows, what is live, and who reads them.
 * One entry per segment of up to 64 MiB: this table does not grow with the number of chunks.
 *
 * A record is *settled* when its event is in the index's overlay. A checkpoint may say "scanned up to" only as far
 * as every record before is settled, so that a start-up sees again whatever was still under way.
 * @module
 */
import { assert } from '../base/assert.ts'
import type { SegmentKind } from './segment-format.ts'

export interface Segment {
  readonly number: number
  readonly kind: SegmentKind
  /** End of what was synced. */
  endBytes: number
  /** No more records come. */
  isSealed: boolean
  /** As of the last checkpoint. */
  scannedBytes: number
  liveBytes: number
  /** Offsets of synced records whose event is not in the overlay yet. */
  readonly unsettled: Set<number>
  pins: number
  /** Live bytes that a compaction could not find; it waits until this changes. */
  stuckAtLiveBytes: number | undefined
  /** Called when the last pin goes. */
  onUnpinned: (() => void) | undefined
}

export class SegmentTable {
  readonly #segments = new Map<number, Segment>()
  #highest = 0

  get size(): number {
    return this.#segments.size
  }

  /** A number that no segment has had since the store was opened, nor any that it holds. */
  takeNumber(): number {
    this.#highest++
    return this.#highest
  }

  add(segment: Pick<Segment, 'number' | 'kind' | 'endBytes' | 'isSealed'> & Partial<Segment>): Segment {
    assert(!this.#segments.has(segment.number), `segment ${segment.number} twice`)
    const entry: Segment = {
      scannedBytes: 0,
      liveBytes: 0,
      unsettled: new Set(),
      pins: 0,
      stuckAtLiveBytes: undefined,
      onUnpinned: undefined,
      ...segment,
    }
    this.#segments.set(segment.number, entry)
    this.noteNumber(segment.number)
    return entry
  }

  /** Keeps `number` from being given again. */
  noteNumber(number: number): void {
    this.#highest = Math.max(this.#highest, number)
  }

  get(number: number): Segment | undefined {
    return this.#segments.get(number)
  }

  remove(number: number): void {
    this.#segments.delete(number)
  }

  all(): IterableIterator<Segment> {
    return this.#segments.values()
  }

  /** Keeps a segment readable until the pin is given back; undefined: it is gone, look the chunk up again. */
  pin(number: number): (() => void) | undefined {
    const segment = this.#segments.get(number)
    if (segment === undefined) return undefined
    segment.pins++
    let isPinned = true
    return () => {
      assert(isPinned, 'a segment was unpinned twice')
      isPinned = false
      segment.pins--
      if (segment.pins === 0) segment.onUnpinned?.()
    }
  }

  /** Resolves when nobody reads the segment; nobody begins to after its live records have moved away. */
  unpinned(number: number): Promise<void> {
    const segment = this.#segments.get(number)
    if (segment === undefined || segment.pins === 0) return Promise.resolve()
    return new Promise((resolve) => {
      segment.onUnpinned = resolve
    })
  }

  /** How far the records of `segment` may be called scanned, once all events of the overlay are in the index. */
  settledBytes(segment: Segment): number {
    let settled = segment.endBytes
    for (const offset of segment.unsettled) settled = Math.min(settled, offset)
    return settled
  }
}

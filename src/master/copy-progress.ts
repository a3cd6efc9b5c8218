/**
 * How fast chunks are copied, and how long the rest takes at that pace.
 *
 * Small chunks cost by their number (syncs and round trips), large ones by their bytes: one measure for both, since of chunks and bytes the
 * slower one alone would tell twice the time where they come mixed. The time left is true as far as what is left is of the same mix as what
 * was copied in the last seconds: copy-slots.ts keeps their order, and repair gives each server its share.
 * @module
 */
import type { Clock } from '../env/clock.ts'
import { RateMeter } from './rate-meter.ts'

export interface Amount {
  readonly chunks: number
  readonly bytes: number
}

/** What a copy costs beside its bytes, as so many bytes. */
const copyCostBytes = 256 * 1024

export class CopyProgress {
  readonly #bytes: RateMeter
  readonly #chunks: RateMeter

  constructor(clock: Clock) {
    this.#bytes = new RateMeter(clock)
    this.#chunks = new RateMeter(clock)
  }

  /** A chunk was copied, read back and found right. */
  add(sizeBytes: number): void {
    this.#bytes.add(sizeBytes)
    this.#chunks.add(1)
  }

  /** What is copied in a second, over the last seconds. */
  get rate(): Amount {
    return { bytes: this.#bytes.perSecond(), chunks: this.#chunks.perSecond() }
  }

  /** At the present rate; undefined while nothing is copied. */
  timeToCopyMs(left: Amount): number | undefined {
    const { rate } = this
    if (rate.chunks === 0) return undefined
    return Math.round((1000 * costOf(left)) / costOf(rate))
  }
}

/** In bytes. */
function costOf({ chunks, bytes }: Amount): number {
  return bytes + chunks * copyCostBytes
}

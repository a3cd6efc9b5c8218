/**
 * How fast chunks are copied, and how long the rest takes at that pace.
 *
 * Small chunks cost by their number (syncs and round trips), large ones by their bytes: one measure for both, since of chunks and bytes the
 * slower one alone would tell twice the time where they come mixed. What is left has to be of the same mix as what was copied in the last
 * seconds: copy-slots.ts keeps their order.
 * The end comes between two times: that of all servers if whoever is done could help the others (where one disk or processor is beneath
 * them all, it does), and that of the one with the most left at its own pace. What is told is the middle.
 * @module
 */
import type { ServerId } from '../base/ids.ts'
import type { Clock } from '../env/clock.ts'
import { RateMeter } from './rate-meter.ts'

export interface Amount {
  readonly chunks: number
  readonly bytes: number
}

/** Copies just begin, and members have not told yet what they hold: no pace is known before. */
const leastMeasuredMs = 3_000
/** What a copy costs beside its bytes, as so many bytes. */
const copyCostBytes = 256 * 1024

/** What is left to copy. */
export interface CopiesLeft {
  /** By the server that takes them. */
  readonly underWay: ReadonlyMap<ServerId, Amount>
  /** Of which nobody knows yet who will. */
  readonly waiting: Amount
}

export class CopyProgress {
  readonly #clock: Clock
  readonly #bytes: RateMeter
  readonly #chunks: RateMeter
  /** Costs, of each server that took copies. */
  readonly #takers = new Map<ServerId, RateMeter>()

  constructor(clock: Clock) {
    this.#clock = clock
    this.#bytes = new RateMeter(clock)
    this.#chunks = new RateMeter(clock)
  }

  /** The server took a chunk, which was read back and found right. */
  add(server: ServerId, sizeBytes: number): void {
    this.#bytes.add(sizeBytes)
    this.#chunks.add(1)
    const taker = this.#takers.get(server) ?? new RateMeter(this.#clock)
    this.#takers.set(server, taker)
    taker.add(costOf({ chunks: 1, bytes: sizeBytes }))
  }

  /** What is copied in a second, over the last seconds. */
  get rate(): Amount {
    return { bytes: this.#bytes.perSecond(), chunks: this.#chunks.perSecond() }
  }

  /** At the present pace; undefined while nothing is copied, and in the first seconds. */
  timeToCopyMs({ underWay, waiting }: CopiesLeft): number | undefined {
    const rate = costOf(this.rate)
    if (rate === 0 || this.#chunks.measuredMs < leastMeasuredMs) return undefined
    const left = [...underWay].map(([server, amount]) => ({ cost: costOf(amount), pace: this.#paceOf(server) }))
    const pacesKnown = left.filter(({ cost, pace }) => cost > 0 && pace > 0).length
    const cost = left.reduce((sum, each) => sum + each.cost, costOf(waiting))
    const togetherSeconds = cost / rate
    // Of one that has not begun nothing is known but how the others go.
    const usualPace = rate / Math.max(1, pacesKnown)
    const apartSeconds = left.reduce((most, each) => Math.max(most, each.cost / (each.pace || usualPace)), 0)
    return Math.round((1000 * (togetherSeconds + Math.max(togetherSeconds, apartSeconds))) / 2)
  }

  #paceOf(server: ServerId): number {
    return this.#takers.get(server)?.perSecond() ?? 0
  }
}

/** In bytes. */
function costOf({ chunks, bytes }: Amount): number {
  return bytes + chunks * copyCostBytes
}

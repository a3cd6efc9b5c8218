/**
 * How many bytes a second repair, drain and rebalance may read from a server's disk and write to it: a bucket of bytes for each
 * server, filled by time and drunk from by copies.
 *
 * A copy may begin while there is anything in the bucket, and then takes all it needs: the bucket may owe, so that a chunk larger
 * than it holds is copied too, and the average holds. Time that was not used is lost past one second's worth: no burst follows.
 * @module
 */
import type { ServerId } from '../base/ids.ts'
import type { Clock } from '../env/clock.ts'

export interface CopyRatesOptions {
  readonly clock: Clock
  /** What the duties may read and write on the server in a second; undefined: as much as goes. */
  readonly bytesPerSecond: (server: ServerId) => number | undefined
}

interface Bucket {
  bytes: number
  filledMs: number
}

export class CopyRates {
  readonly #options: CopyRatesOptions
  readonly #buckets = new Map<ServerId, Bucket>()

  constructor(options: CopyRatesOptions) {
    this.#options = options
  }

  /** How long until a copy may begin that reads from, or writes to, this server; 0: now. */
  waitMs(server: ServerId): number {
    const rate = this.#options.bytesPerSecond(server)
    if (rate === undefined) return 0
    const { bytes } = this.#filled(server, rate)
    return bytes > 0 ? 0 : Math.ceil((1 - bytes) / (rate / 1000))
  }

  /** A copy begins that reads or writes so many bytes there. */
  take(server: ServerId, bytes: number): void {
    const rate = this.#options.bytesPerSecond(server)
    if (rate === undefined) this.#buckets.delete(server)
    else this.#filled(server, rate).bytes -= bytes
  }

  #filled(server: ServerId, rate: number): Bucket {
    const nowMs = this.#options.clock.monotonicMs()
    const bucket = this.#buckets.get(server) ?? { bytes: rate, filledMs: nowMs }
    bucket.bytes = Math.min(rate, bucket.bytes + (rate * (nowMs - bucket.filledMs)) / 1000)
    bucket.filledMs = nowMs
    this.#buckets.set(server, bucket)
    return bucket
  }
}

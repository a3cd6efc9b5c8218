/**
 * Buckets as they were a moment ago, for operations on single objects: so that each of them costs the master one call, not two.
 *
 * - What this gateway changes counts at once: whoever changes a bucket says so by {@link RecentBuckets.forget}, and what was being read
 *   meanwhile is not kept. What another gateway changes (a policy, a default) counts after `longestAgeMs`, as keys of users do.
 * - That a bucket is not there is never remembered. One that is gone is found out by the operation itself: the store makes no object in
 *   a bucket that is not there, and finds none.
 * @module
 */
import { RecentMap } from '../../../base/recent-map.ts'
import type { Clock } from '../../../env/clock.ts'
import type { Bucket, Buckets } from './buckets.ts'

const longestAgeMs = 1000
const bucketsKept = 256

export class RecentBuckets {
  readonly #buckets: Buckets
  readonly #clock: Clock
  readonly #known = new RecentMap<string, { readonly bucket: Bucket; readonly readMs: number }>(bucketsKept)
  /** So many changes were told of. */
  #changes = 0

  constructor(buckets: Buckets, clock: Clock) {
    this.#buckets = buckets
    this.#clock = clock
  }

  /** @throws {S3Error} `NoSuchBucket` */
  async open(name: string, { signal }: { readonly signal: AbortSignal }): Promise<Bucket> {
    const nowMs = this.#clock.monotonicMs()
    const known = this.#known.get(name)
    if (known !== undefined && nowMs - known.readMs < longestAgeMs) return known.bucket
    const changes = this.#changes
    const bucket = await this.#buckets.open(name, { signal })
    if (changes === this.#changes) this.#known.set(name, { bucket, readMs: nowMs })
    return bucket
  }

  /** Called before and after a change: in between nothing is kept that was read before it. */
  forget(name: string): void {
    this.#changes++
    this.#known.delete(name)
  }
}

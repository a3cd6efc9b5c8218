/**
 * How large each group is, by the rows `E`: planners weigh moves by it. Read anew by whoever needs it, not oftener than is
 * bearable: a walk over all pages is 60 reads for a billion chunks.
 * @module
 */
import type { GroupId } from '../base/ids.ts'
import type { GroupSize } from '../cluster/cluster-view.ts'
import type { Clock } from '../env/clock.ts'
import type { Namespace, PagePosition } from '../namespace/namespace.ts'

const pagesPerRead = 4096
const empty: GroupSize = { chunks: 0, sizeBytes: 0 }
/** A walk may take this part of the time. */
const shareOfTime = 1 / 20

export class GroupSizes {
  readonly #namespace: Pick<Namespace, 'allPageDigests'>
  readonly #clock: Clock
  #sizes: ReadonlyMap<GroupId, GroupSize> = new Map()
  #nextMs = Number.NEGATIVE_INFINITY

  constructor(options: { readonly namespace: Pick<Namespace, 'allPageDigests'>; readonly clock: Clock }) {
    this.#namespace = options.namespace
    this.#clock = options.clock
  }

  of(group: GroupId): GroupSize {
    return this.#sizes.get(group) ?? empty
  }

  /** Reads all sizes, unless that was done within `maxAgeMs` (or so recently that it would be most of the work). */
  async refresh({ maxAgeMs }: { readonly maxAgeMs: number }): Promise<void> {
    const startedMs = this.#clock.monotonicMs()
    if (startedMs < this.#nextMs) return
    const sizes = new Map<GroupId, { chunks: number; sizeBytes: number }>()
    for (let after: PagePosition | undefined, more = true; more; ) {
      const rows = await this.#namespace.allPageDigests({
        limit: pagesPerRead,
        ...(after === undefined ? {} : { after }),
      })
      for (const { group, digest, sizeBytes } of rows) {
        const size = sizes.get(group) ?? { chunks: 0, sizeBytes: 0 }
        sizes.set(group, size)
        size.chunks += Number(digest.count)
        size.sizeBytes += sizeBytes
      }
      after = rows.at(-1)
      more = rows.length === pagesPerRead
    }
    this.#sizes = sizes
    const tookMs = this.#clock.monotonicMs() - startedMs
    this.#nextMs = startedMs + Math.max(maxAgeMs, tookMs / shareOfTime)
  }
}

/** The metrics of a chunk server: the room of its store, its scrubbing, and its answers. @module */
import type { SpaceUse } from '../../store/chunk-store.ts'
import type { ScrubReport } from '../../wire/types/scrub.ts'
import { type MetricSet, metricSet } from './metric-set.ts'
import { chunkServerMetrics } from './metric-table.ts'

const reasons: readonly NonNullable<SpaceUse['refusal']>[] = ['capacity', 'disk-full', 'fenced']

export interface ChunkServerFacts {
  readonly space: () => SpaceUse
  /** Undefined until it is known. */
  readonly scrub: () => ScrubReport | undefined
}

export function createChunkServerMetrics({ space, scrub }: ChunkServerFacts): MetricSet {
  return metricSet(chunkServerMetrics, (set) => {
    const use = space()
    set('ashlar_store_capacity_bytes', use.capacityBytes)
    set('ashlar_store_used_bytes', use.usedBytes)
    set('ashlar_store_reserved_bytes', use.reservedBytes)
    set('ashlar_store_free_bytes', use.freeBytes)
    set('ashlar_store_chunks', use.chunks)
    set('ashlar_store_quarantined_chunks', use.quarantinedChunks)
    set('ashlar_store_quarantined_bytes', use.quarantinedBytes)
    const scrubbed = scrub()
    if (scrubbed !== undefined) {
      set('ashlar_store_oldest_unscrubbed_seconds', Math.floor(scrubbed.oldestUnscrubbedMs / 1000))
      set('ashlar_store_scrubbed_bytes', scrubbed.scrubbedBytes)
      set('ashlar_store_scrub_bad_chunks', scrubbed.badChunks)
    }
    for (const reason of reasons) set('ashlar_store_refuses_writes', Number(use.refusal === reason), { reason })
  })
}

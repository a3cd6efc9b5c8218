/** The metrics of a chunk server: the room of its store, and its answers. @module */
import type { SpaceUse } from '../../store/chunk-store.ts'
import { type MetricSet, metricSet } from './metric-set.ts'
import { chunkServerMetrics } from './metric-table.ts'

const reasons: readonly NonNullable<SpaceUse['refusal']>[] = ['capacity', 'disk-full', 'fenced']

export function createChunkServerMetrics(space: () => SpaceUse): MetricSet {
  return metricSet(chunkServerMetrics, (set) => {
    const use = space()
    set('ashlar_store_capacity_bytes', use.capacityBytes)
    set('ashlar_store_used_bytes', use.usedBytes)
    set('ashlar_store_reserved_bytes', use.reservedBytes)
    set('ashlar_store_free_bytes', use.freeBytes)
    set('ashlar_store_chunks', use.chunks)
    set('ashlar_store_quarantined_chunks', use.quarantinedChunks)
    set('ashlar_store_quarantined_bytes', use.quarantinedBytes)
    for (const reason of reasons) set('ashlar_store_refuses_writes', Number(use.refusal === reason), { reason })
  })
}

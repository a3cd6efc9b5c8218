/** The metrics of an S3 gateway: what it answers, and how much it has under way. @module */
import type { AshlarClient } from '../../client/index.ts'
import type { S3RequestObserver } from '../../gateway/s3/door/handle-request.ts'
import { type MetricSet, metricSet } from './metric-set.ts'
import { gatewayMetrics } from './metric-table.ts'

export interface GatewayMetrics {
  readonly report: MetricSet['report']
  readonly observer: S3RequestObserver
}

export function createGatewayMetrics(version: string, client: Pick<AshlarClient, 'chunkCacheReads'>): GatewayMetrics {
  let underWay = 0
  const metrics = metricSet(gatewayMetrics, (set) => {
    set('ashlar_gateway_info', 1, { version })
    set('ashlar_gateway_requests_under_way', underWay)
    const { hits, misses } = client.chunkCacheReads
    set('ashlar_gateway_chunk_cache_reads', hits, { outcome: 'hit' })
    set('ashlar_gateway_chunk_cache_reads', misses, { outcome: 'miss' })
  })
  return {
    report: metrics.report,
    observer: {
      onBegin: () => {
        underWay++
      },
      onEnd: (answer) => {
        underWay--
        metrics.onRequest(answer)
      },
    },
  }
}

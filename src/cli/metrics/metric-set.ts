/**
 * The metrics of one process: those of a table, and those of Node and the process themselves. Gauges are set when somebody asks.
 * @module
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { RequestObserver } from '../../wire/metered-service.ts'
import type { MetricRow } from './metric-table.ts'

/** From the fastest answers of memory to a request's deadline. */
const durationBuckets = [0.0005, 0.002, 0.01, 0.05, 0.2, 1, 5, 30]

export type Labels = Readonly<Record<string, string>>

/** Sets a gauge; labels in full. */
export type SetGauge<Table> = (name: keyof Table & string, value: number, labels?: Labels) => void

export interface MetricSet {
  readonly onRequest: RequestObserver
  readonly report: () => Promise<{ readonly contentType: string; readonly text: string }>
}

/** @param fill sets every gauge; those of labels that it leaves out are shown no more */
export function metricSet<Table extends Readonly<Record<string, MetricRow>>>(
  table: Table,
  fill: (set: SetGauge<Table>) => Promise<void> | void,
): MetricSet {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const gauges = new Map<string, Gauge>()
  for (const [name, { type, help, labels = [] }] of Object.entries(table)) {
    if (type === 'gauge') gauges.set(name, new Gauge({ name, help, labelNames: [...labels], registers: [registry] }))
  }
  const requests = new Counter({
    name: 'ashlar_requests_total',
    help: helpOf(table, 'ashlar_requests_total'),
    labelNames: ['method', 'code'],
    registers: [registry],
  })
  const durations = new Histogram({
    name: 'ashlar_request_duration_seconds',
    help: helpOf(table, 'ashlar_request_duration_seconds'),
    labelNames: ['method'],
    buckets: durationBuckets,
    registers: [registry],
  })
  return {
    onRequest: ({ method, code, durationMs }) => {
      requests.inc({ method, code })
      durations.observe({ method }, durationMs / 1000)
    },
    report: async () => {
      for (const gauge of gauges.values()) gauge.reset()
      await fill((name, value, labels = {}) => gauges.get(name)?.set(labels, value))
      return { contentType: registry.contentType, text: await registry.metrics() }
    },
  }
}

function helpOf(table: Readonly<Record<string, MetricRow>>, name: string): string {
  return table[name]?.help ?? name
}

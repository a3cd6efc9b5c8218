/**
 * The metrics of one process: those of a table, and those of Node and the process themselves. Gauges are set when somebody asks.
 *
 * The library is loaded when somebody asks for the first time (45 modules, 30 ms of CPU, which no start should wait for); until then answers are
 * kept as they came, and past `keptAnswers` of them it is loaded all the same.
 * @module
 */
import { createRequire } from 'node:module'
import type { Gauge } from 'prom-client'
import type { RequestObserver } from '../../wire/metered-service.ts'
import type { MetricRow } from './metric-table.ts'

/** From the fastest answers of memory to a request's deadline. */
const durationBuckets = [0.0005, 0.002, 0.01, 0.05, 0.2, 1, 5, 30]
const keptAnswers = 1_000

export type Labels = Readonly<Record<string, string>>

/** Sets a gauge; labels in full. */
export type SetGauge<Table> = (name: keyof Table & string, value: number, labels?: Labels) => void

export interface MetricSet {
  readonly onRequest: (answer: Answer) => void
  readonly report: () => Promise<{ readonly contentType: string; readonly text: string }>
}

/** @param fill sets every gauge; those of labels that it leaves out are shown no more */
export function metricSet<Table extends Readonly<Record<string, MetricRow>>>(
  table: Table,
  fill: (set: SetGauge<Table>) => Promise<void> | void,
): MetricSet {
  const early: Answer[] = []
  let opened: OpenRegistry | undefined
  const open = () => {
    opened ??= openRegistry(table)
    for (const answer of early.splice(0)) opened.observe(answer)
    return opened
  }
  return {
    onRequest: (answer) => {
      if (opened !== undefined) opened.observe(answer)
      else if (early.push(answer) === keptAnswers) open()
    },
    report: async () => {
      const { gauges, report } = open()
      for (const gauge of gauges.values()) gauge.reset()
      await fill((name, value, labels = {}) => gauges.get(name)?.set(labels, value))
      return await report()
    },
  }
}

type Answer = Parameters<RequestObserver>[0]

interface OpenRegistry {
  readonly gauges: ReadonlyMap<string, Gauge>
  readonly observe: (answer: Answer) => void
  readonly report: MetricSet['report']
}

function openRegistry(table: Readonly<Record<string, MetricRow>>): OpenRegistry {
  const library = createRequire(import.meta.url)('prom-client') as typeof import('prom-client')
  const registry = new library.Registry()
  library.collectDefaultMetrics({ register: registry })
  const gauges = new Map<string, Gauge>()
  for (const [name, { type, help, labels = [] }] of Object.entries(table)) {
    if (type !== 'gauge') continue
    gauges.set(name, new library.Gauge({ name, help, labelNames: [...labels], registers: [registry] }))
  }
  const requests = new library.Counter({
    name: 'ashlar_requests_total',
    help: helpOf(table, 'ashlar_requests_total'),
    labelNames: ['method', 'code'],
    registers: [registry],
  })
  const durations = new library.Histogram({
    name: 'ashlar_request_duration_seconds',
    help: helpOf(table, 'ashlar_request_duration_seconds'),
    labelNames: ['method'],
    buckets: durationBuckets,
    registers: [registry],
  })
  return {
    gauges,
    observe: ({ method, code, durationMs }) => {
      requests.inc({ method, code })
      durations.observe({ method }, durationMs / 1000)
    },
    report: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  }
}

function helpOf(table: Readonly<Record<string, MetricRow>>, name: string): string {
  return table[name]?.help ?? name
}

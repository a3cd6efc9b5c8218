/** `docs/metrics.md`, the alert rules and the dashboard against the table of metrics. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import {
  chunkServerMetrics,
  gatewayMetrics,
  type MetricRow,
  masterMetrics,
} from '../../src/cli/metrics/metric-table.ts'

const root = join(import.meta.dirname, '../..')
const tables: Readonly<Record<string, Readonly<Record<string, MetricRow>>>> = {
  'Of the master': masterMetrics,
  'Of a chunk server': chunkServerMetrics,
  'Of a gateway': gatewayMetrics,
}
const known = new Set(Object.values(tables).flatMap((table) => Object.keys(table)))
const read = (path: string) => readFileSync(join(root, path), 'utf8')

test('docs/metrics.md has every metric as the table says', () => {
  const sections = read('docs/metrics.md').split(/^## /m).slice(1)
  assert.equal(sections.length, Object.keys(tables).length)
  for (const section of sections) {
    const title = section.slice(0, section.indexOf('\n'))
    const rows = [...section.matchAll(/^\| `(ashlar_\w+)` \| (\w+) \| (.*?) \| (.*) \|$/gm)].map((row) => row.slice(1))
    const wanted = Object.entries(tables[title] ?? {}).map(([name, { type, labels = [], help }]) => [
      name,
      type,
      labels.map((label) => `\`${label}\``).join(', '),
      help,
    ])
    assert.deepEqual(rows, wanted, title)
  }
})

test('names of metrics keep the conventions', () => {
  for (const table of Object.values(tables)) {
    for (const [name, { type, help }] of Object.entries(table)) {
      assert.match(name, /^ashlar_[a-z]+(_[a-z]+)*$/)
      assert.equal(name.endsWith('_total'), type === 'counter', name)
      assert.doesNotMatch(name, /_(ms|milliseconds|mib|kib|percent)(_|$)/, name)
      assert.match(help, /\.$/, name)
    }
  }
})

/** What expressions name must exist, or an alert never fires and a panel stays empty. */
function checkNames(expressions: readonly string[], where: string): void {
  assert.ok(expressions.length >= 10, where)
  for (const expression of expressions) {
    const names = expression.match(/\bashlar_\w+/g) ?? []
    assert.ok(names.length > 0 || expression.includes('up{'), expression)
    for (const name of names) assert.ok(known.has(name.replace(/_bucket$/, '')), `${where}: ${name}`)
  }
}

test('alert rules and the dashboard name metrics that there are', () => {
  const { groups } = parse(read('deploy/prometheus/alerts.yml')) as {
    groups: {
      rules: { alert: string; expr: string; labels: { severity: string }; annotations: { summary: string } }[]
    }[]
  }
  const rules = groups.flatMap((group) => group.rules)
  checkNames(
    rules.map(({ expr }) => expr),
    'alerts.yml',
  )
  for (const { alert, labels, annotations } of rules) {
    assert.ok(['page', 'ticket'].includes(labels.severity) && annotations.summary.length > 0, alert)
  }
  const { panels } = JSON.parse(read('deploy/grafana/ashlar.json')) as { panels: { targets: { expr: string }[] }[] }
  checkNames(
    panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
    'ashlar.json',
  )
})

const hasPromtool = spawnSync('promtool', ['--version']).error === undefined

test('promtool accepts the alert rules and the configuration', {
  skip: hasPromtool ? false : 'promtool is not installed (Debian: the package "prometheus")',
}, () => {
  for (const args of [
    ['check', 'rules', 'deploy/prometheus/alerts.yml'],
    ['check', 'config', 'deploy/prometheus/prometheus.yml'],
  ]) {
    const { status, stdout, stderr } = spawnSync('promtool', args, { cwd: root, encoding: 'utf8' })
    assert.equal(status, 0, `${stdout}${stderr}`)
  }
})

/** What the bench makes of figures: parts of limits, verdicts, tables, comparisons, the page, plots and flame graphs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Figure, partOfLimit, Recorder, type Report } from '../../bench/figures.ts'
import { readOptions } from '../../bench/options.ts'
import { type CpuProfile, flameGraph } from '../../bench/profile/flame-graph.ts'
import { compare } from '../../bench/report/compare.ts'
import { pageWith } from '../../bench/report/page.ts'
import { plots } from '../../bench/report/plots.ts'
import { groupTables, targetTable } from '../../bench/report/tables.ts'
import { judge, type Target, targets } from '../../bench/report/targets.ts'

const machine: Report['machine'] = {
  ...{ date: '2026-01-02T00:00:00Z', commit: 'abc', cpu: 'a cpu', cores: 2, memoryMiB: 1000 },
  ...{ system: 'Linux 6', node: '26.0.0', load: [0.1, 2] },
}
const report = (figures: readonly Figure[]): Report => ({ version: 1, machine, rounds: 2, scale: 1, figures })

const disk: Figure = { group: 'limits', name: 'disk', unit: 'MiB/s', values: [900, 600] }
const write: Figure = {
  ...{ group: 'large', name: 'large write, 4 streams', unit: 'MiB/s', values: [300, 100] },
  ...{ limit: { name: 'disk', share: 1 / 3 }, cpuUs: { client: [1000, 2000], master: [0, 0] } },
}
const start: Figure = {
  group: 'startup',
  name: 'ashlar ls',
  unit: 'ms',
  values: [100, 300],
  limit: { name: 'node', share: 2 },
}
const node: Figure = { group: 'limits', name: 'node', unit: 'ms', values: [25, 50] }

test('partOfLimit() compares round by round, and 1 is the limit whichever way is better', () => {
  // 300 of 300 and 100 of 200; 50 of 100 and 100 of 300.
  assert.equal(partOfLimit(write, report([disk, write])), 0.75)
  assert.equal(partOfLimit(start, report([node, start])), (0.5 + 1 / 3) / 2)
  assert.equal(partOfLimit(write, report([write])), undefined)
})

test('Recorder gathers the rounds of a figure, and the CPU time of each role', () => {
  const recorder = new Recorder()
  for (const value of [1, 2]) recorder.add({ group: 'g', name: 'n', unit: '/s', value, cpuUs: { master: 10 * value } })
  assert.deepEqual(recorder.figures(), [
    { group: 'g', name: 'n', unit: '/s', values: [1, 2], cpuUs: { master: [10, 20] } },
  ])
})

test('judge() says met, not met, and not measured', () => {
  const target = (demands: Target['demands']): Target => ({ workload: 'w', rival: 'r', demands })
  const verdictOf = (demands: Target['demands']) => judge(target(demands), report([disk, node, write, start])).verdict
  assert.equal(verdictOf([{ figure: 'large write, 4 streams', bound: 200 }]), 'met')
  assert.equal(verdictOf([{ figure: 'large write, 4 streams', bound: 201 }]), 'not met')
  assert.equal(verdictOf([{ figure: 'ashlar ls', bound: 200 }]), 'met')
  assert.equal(verdictOf([{ figure: 'ashlar ls', bound: 199 }]), 'not met')
  // 300 of 900 and 100 of 600: a quarter.
  assert.equal(verdictOf([{ figure: 'large write, 4 streams', partOf: { figure: 'disk', part: 0.25 } }]), 'met')
  assert.equal(verdictOf([{ figure: 'large write, 4 streams', partOf: { figure: 'disk', part: 0.26 } }]), 'not met')
  assert.equal(
    verdictOf([
      { figure: 'ashlar ls', bound: 200 },
      { figure: 'another', bound: 1 },
    ]),
    'not measured',
  )
})

test('tables show median, spread, limit, part and CPU time', () => {
  const text = groupTables(report([disk, write, node, start]))
  assert.match(
    text,
    /\| large write, 4 streams \| 200 MiB\/s \| 100 – 300 \| 250 MiB\/s: 1\/3 of disk \| 75 % \| client 1.5 ms \|/,
  )
  assert.match(text, /\| ashlar ls \| 200 ms \| 100 – 300 \| 75 ms: 2 × node \| 42 % \|/)
  assert.equal(targetTable(report([write])).split('\n').length, targets.length + 2)
})

test('compare() finds what became worse by parts of the limit, whatever the machine does', () => {
  const rounds = (values: readonly number[], limits: readonly number[]) =>
    report([
      { ...disk, values: limits },
      { ...write, values },
    ])
  const verdictOf = (before: Report, after: Report) => compare(before, after)[0]?.verdict
  const base = rounds([100, 110], [900, 900])
  assert.equal(verdictOf(base, rounds([50, 55], [450, 450])), 'same')
  assert.equal(verdictOf(base, rounds([50, 55], [900, 900])), 'worse')
  assert.equal(verdictOf(base, rounds([200, 220], [900, 900])), 'better')
  // Worse in the median, but the rounds of both overlap.
  assert.equal(verdictOf(base, rounds([60, 105], [900, 900])), 'same')
})

test('compare() takes CPU time where there is no limit', () => {
  const of = (costUs: number): Report =>
    report([
      { group: 's3', name: 'list', unit: '/s', values: [1, 1], cpuUs: { master: [costUs, costUs], client: [5, 5] } },
    ])
  assert.deepEqual(compare(of(5), of(15)), [{ name: 'list', by: 'CPU each', ratio: 0.5, verdict: 'worse' }])
})

test('pageWith() makes what is marked, and leaves what is written by hand', () => {
  const page = 'Before.\n<!-- bench: run -->\nold\n<!-- /bench -->\nAfter.\n<!-- bench: plots -->\n<!-- /bench -->\n'
  const made = pageWith(page, report([write]), ['large'])
  assert.match(made, /^Before\.\n<!-- bench: run -->\n\n2 rounds on 2026-01-02 .*\n\n<!-- \/bench -->\nAfter\.\n/)
  assert.match(made, /!\[Large files, through the SDK\]\(performance\/large\.svg\)/)
  assert.equal(pageWith(made, report([write]), ['large']), made)
  assert.throws(() => pageWith('<!-- bench: nothing -->\n<!-- /bench -->', report([]), []), /no part "nothing"/)
})

test('plots() draws a bar for each figure with a limit', () => {
  const svg = plots(report([disk, write, node, start])).get('large') ?? ''
  assert.match(svg, /^<svg [\s\S]*large write, 4 streams[\s\S]*75 %[\s\S]*<\/svg>$/)
  assert.deepEqual([...plots(report([disk, { ...write, limit: undefined }])).keys()], [])
})

test('flameGraph() adds calls of one function up, below their caller, and leaves idle time out', () => {
  const frame = (functionName: string) => ({ functionName, url: 'file:///x/src/a.ts', lineNumber: 4 })
  const profile: CpuProfile = {
    nodes: [
      { id: 1, callFrame: { functionName: '(root)', url: '', lineNumber: -1 }, children: [2, 3, 4] },
      { id: 2, callFrame: frame('serve<T>'), children: [5] },
      { id: 3, callFrame: { functionName: '(idle)', url: '', lineNumber: -1 } },
      { id: 4, callFrame: frame('serve<T>') },
      { id: 5, callFrame: frame('sum') },
    ],
    samples: [2, 3, 4, 5],
    timeDeltas: [1000, 90_000, 1000, 2000],
  }
  const svg = flameGraph(profile, 'master')
  assert.match(svg, /master: 0\.00 s of CPU/)
  assert.match(svg, /<title>serve&lt;T&gt; src\/a\.ts:5: 4\.0 ms, 100\.0 %<\/title>/)
  assert.match(svg, /<title>sum src\/a\.ts:5: 2\.0 ms, 50\.0 %<\/title><rect x="0\.0" y="34" width="800\.0"/)
  assert.doesNotMatch(svg, /idle/)
})

test('readOptions() refuses what is no number, and profiles one group of the sources in one round', () => {
  assert.throws(() => readOptions(['--rounds', 'many']), /--rounds is "many"/)
  assert.throws(() => readOptions(['--unknown']))
  const { rounds, only, sources } = readOptions(['--profile', 's3'])
  assert.deepEqual({ rounds, only, sources }, { rounds: 1, only: ['s3'], sources: true })
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { metricSet } from './metric-set.ts'

const table = { ashlar_files: { type: 'gauge', help: 'Files.' } } as const

test('metricSet() counts what was answered before anybody asked', async () => {
  const set = metricSet(table, (to) => to('ashlar_files', 3))
  for (let index = 0; index < 3; index++) set.onRequest({ method: 'stat', code: 'ok', durationMs: 1 })
  assert.match((await set.report()).text, /ashlar_requests_total\{method="stat",code="ok"\} 3\n/)
  set.onRequest({ method: 'stat', code: 'not-found', durationMs: 600 })
  const { text } = await set.report()
  assert.match(text, /code="not-found"\} 1\n/)
  assert.match(text, /duration_seconds_bucket\{le="0.002",method="stat"\} 3\n/)
  assert.match(text, /duration_seconds_count\{method="stat"\} 4\n/)
  assert.match(text, /ashlar_files 3\n/)
})

test('metricSet() counts each answer once, however many come before anybody asks', async () => {
  const set = metricSet(table, () => undefined)
  for (let index = 0; index < 2_500; index++) set.onRequest({ method: 'open', code: 'ok', durationMs: 1 })
  assert.match((await set.report()).text, /ashlar_requests_total\{method="open",code="ok"\} 2500\n/)
})

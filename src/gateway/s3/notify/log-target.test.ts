import assert from 'node:assert/strict'
import { test } from 'node:test'
import { batchName, type LogKeyFormat, logKey } from './log-target.ts'

const request = { bucket: 'reports', ownerId: 'ann', atMs: Date.UTC(2026, 0, 31, 23, 59, 58) }
const target = (keyFormat?: LogKeyFormat) => ({
  targetBucket: 'logs',
  targetPrefix: 'r/',
  ...(keyFormat === undefined ? {} : { keyFormat }),
})

test('logKey() has the two formats of S3', () => {
  const delivery = { region: 'eu-1', nowMs: Date.UTC(2026, 1, 1, 0, 0, 7), unique: 'U' }
  assert.equal(logKey(target(), request, delivery), 'r/2026-02-01-00-00-07-U')
  assert.equal(logKey(target('simple'), request, delivery), 'r/2026-02-01-00-00-07-U')
  assert.equal(logKey(target('DeliveryTime'), request, delivery), 'r/ann/eu-1/reports/2026/02/01/2026-02-01-00-00-07-U')
  assert.equal(logKey(target('EventTime'), request, delivery), 'r/ann/eu-1/reports/2026/01/31/2026-01-31-00-00-00-U')
})

test('batchName() keeps apart what must not share an object', () => {
  const another = { ...request, bucket: 'other' }
  const later = { ...request, atMs: request.atMs + 3000 }
  const isShared = (format: LogKeyFormat | undefined, one: typeof request) =>
    batchName(target(format), one) === batchName(target(format), request)
  for (const format of [undefined, 'simple'] as const) assert.ok(isShared(format, another) && isShared(format, later))
  assert.deepEqual([isShared('DeliveryTime', another), isShared('DeliveryTime', later)], [false, true])
  assert.deepEqual([isShared('EventTime', another), isShared('EventTime', later)], [false, false])
})

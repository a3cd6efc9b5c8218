import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Clock } from '../env/clock.ts'
import { RateMeter } from './rate-meter.ts'

test('RateMeter.perSecond() is what was added over the last seconds, and 0 after a pause', () => {
  let nowMs = 0
  const meter = new RateMeter({ monotonicMs: () => nowMs } as Clock)
  assert.equal(meter.perSecond(), 0)
  for (; nowMs < 30_000; nowMs += 100) meter.add(10)
  assert.ok(Math.abs(meter.perSecond() - 100) < 2, `${meter.perSecond()}`)
  nowMs += 60_000
  assert.equal(meter.perSecond(), 0)
})
